// Small text files of our own: a first line with the format's name and version, lines of words, and a
// checksum of all before it. Replaced as a whole.
//
//   NAME VERSION
//   …
//   crc-32c HEXADECIMAL
//
// The last line is the same in every version there will be: a version is believed only with the checksum,
// or a flipped bit would send users to look for a program that there is not.

import StreamJobsChecksum

struct ChecksummedText {
    let name: String
    /// The version that is written; this one and lower ones are read.
    let version: Int

    enum Content {
        case missing
        case lines([Substring])
        /// Why it cannot be believed.
        case damaged(String)
    }

    /// Throws `newerFormat`, and what reading throws.
    func read(_ path: String, in files: FileSystem) throws -> Content {
        guard let text = try files.text(of: path) else { return .missing }
        var lines = text.split(separator: "\n")
        let first = (lines.first ?? "").split(separator: " ")
        guard first.count == 2, first[0] == name, let version = Int(first[1]) else {
            return .damaged("it does not begin with '\(name)'")
        }
        guard let sum = lines.popLast(), sum == Self.checksumLine(of: text[..<sum.startIndex])
        else { return .damaged("its checksum is wrong") }
        guard version <= self.version else {
            throw LogError(
                .newerFormat,
                "\(path) is of version \(version), this program knows version \(self.version) at "
                    + "most; use the program that wrote it, or a later one")
        }
        return .lines(Array(lines.dropFirst()))
    }

    /// When it returns the new content survives a power loss.
    func write(_ lines: [String], to path: String, in files: FileSystem) throws {
        var text = "\(name) \(version)\n"
        for line in lines { text += line + "\n" }
        text += Self.checksumLine(of: text) + "\n"
        try files.replaceFile(path, with: text)
    }

    private static func checksumLine(of text: some StringProtocol) -> String {
        let checksum = Array(text.utf8).withUnsafeBytes { CRC32C.checksum($0) }
        return "crc-32c " + String(checksum, radix: 16)
    }
}
