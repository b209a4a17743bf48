// Files, gzipped and not, against the gzip program; and every way to damage them.

import Foundation
import StreamJobsCLI
import TestSupport
import Testing

struct InputFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func read(_ path: String) throws -> [UInt8] {
        let file = try InputFile(path: path)
        var bytes: [UInt8] = []
        while try file.read(into: &bytes) {}
        return bytes
    }

    private func problem(_ path: String, exitCode: Int32 = 65) -> String {
        message(exitCode: exitCode) { _ = try read(path) }
            .replacingOccurrences(of: directory.path + "/", with: "")
    }

    /// What gzip(1) makes of `bytes`.
    private func gzipped(_ bytes: [UInt8]) throws -> [UInt8] {
        let plain = try directory.file("plain-\(UUID().uuidString)", bytes)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "gzip -n < \"$0\" > \"$0.out\"", plain]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return try [UInt8](Data(contentsOf: URL(fileURLWithPath: plain + ".out")))
    }

    private func randomText(_ count: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: UInt64(count))
        return (0..<count).map { _ in UInt8.random(in: 0x20...0x7e, using: &generator) }
    }

    @Test(arguments: [0, 1, 2, 1000, Limits.inputChunkBytes, 3 * Limits.inputChunkBytes + 17])
    func `a file reads the same, gzipped or not`(count: Int) throws {
        let bytes = randomText(count)
        #expect(try read(directory.file("a.csv", bytes)) == bytes)
        #expect(try read(directory.file("a.csv.gz", gzipped(bytes))) == bytes)
        #expect(try read(directory.file("gzip-by-its-bytes", gzipped(bytes))) == bytes)
    }

    @Test func `a file of one byte repeated a million times is read in chunks`() throws {
        let bytes = [UInt8](repeating: 7, count: 5_000_000)
        let file = try InputFile(path: directory.file("a.gz", gzipped(bytes)))
        var (count, largest) = (0, 0)
        var chunk: [UInt8] = []
        while try file.read(into: &chunk) {
            largest = max(largest, chunk.count)
            count += chunk.count
            chunk.removeAll()
        }
        #expect(count == bytes.count)
        #expect(largest <= Limits.inputChunkBytes)
    }

    @Test func `several gzip members are one file, and zeros behind them are nothing`() throws {
        let (first, second) = (randomText(5000), randomText(300_000))
        let both = try gzipped(first) + gzipped(second)
        #expect(try read(directory.file("both.gz", both)) == first + second)
        #expect(
            try read(directory.file("padded.gz", both + [UInt8](repeating: 0, count: 512)))
                == first + second)
    }

    @Test func `a gzip file that is cut short anywhere is damaged`() throws {
        let whole = try gzipped(randomText(400))
        for count in 2..<whole.count {
            let path = try directory.file("cut.gz", Array(whole.prefix(count)))
            #expect(problem(path) == "cut.gz is damaged: the gzip data is cut short", "\(count)")
        }
        let cut = try directory.file("cut.gz", Array(whole.prefix(1)))
        #expect(problem(cut) == "cut.gz is no gzip file, in spite of its name")
    }

    @Test func `a changed byte anywhere is noticed or changes nothing`() throws {
        let bytes = randomText(400)
        let whole = try gzipped(bytes)
        for position in whole.indices {
            var changed = whole
            changed[position] ^= 0x20
            let path = try directory.file("changed.gz", changed)
            do {
                // Neither the header's time nor the bits that fill up a byte are in the checksum.
                #expect(try read(path) == bytes, "\(position)")
            } catch let error as CommandError {
                #expect(error.exitCode == 65)
                #expect(error.message.contains("changed.gz"))
            }
        }
    }

    @Test func `something else behind the compressed data is damage`() throws {
        let path = try directory.file("more.gz", gzipped(Array("a\n".utf8)) + Array("b\n".utf8))
        #expect(
            problem(path)
                == "more.gz is damaged: there is something else behind the compressed data")
    }

    @Test func `what is no gzip file is refused under such a name`() throws {
        let expected = "a.csv.gz is no gzip file, in spite of its name"
        #expect(problem(try directory.file("a.csv.gz", Array("a,b\n".utf8))) == expected)
        #expect(problem(try directory.file("a.csv.gz", Array("".utf8))) == expected)
    }

    @Test func `a file is read twice, unless it has changed in between`() throws {
        for bytes in [Array("a\n".utf8), try gzipped(Array("a\n".utf8))] {
            let path = try directory.file("twice", bytes)
            let file = try InputFile(path: path)
            for _ in 0..<2 {
                var text: [UInt8] = []
                while try file.read(into: &text) {}
                #expect(text == Array("a\n".utf8))
                try file.rewind()
            }
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data([0x0a]))
            #expect(
                message(exitCode: 65) { try file.rewind() }.contains(
                    "was changed while it was being read; nothing was sent"))
        }
    }

    /// What comes out of a pipe that gets `bytes` in pieces of `size`, read after each piece.
    private func readPipe(_ bytes: [UInt8], pieces size: Int) throws -> [UInt8] {
        let pipe = Pipe()
        let input = InputFile(
            descriptor: pipe.fileHandleForReading.fileDescriptor, named: "standard input")
        var read: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            let end = min(start + size, bytes.count)
            try pipe.fileHandleForWriting.write(contentsOf: bytes[start..<end])
            // Of gzip a byte may give nothing yet, and one that begins like it is not known yet.
            if bytes.starts(with: [0x1f, 0x8b]) || bytes[0] == 0x1f && end < 2 { continue }
            #expect(try input.read(into: &read))
        }
        try pipe.fileHandleForWriting.close()
        while try input.read(into: &read) {}
        return read
    }

    @Test(arguments: [1, 3, 4096])
    func `gzip on standard input is told by its first bytes`(size: Int) throws {
        let bytes = randomText(5000)
        #expect(try readPipe(gzipped(bytes), pieces: size) == bytes)
        #expect(try readPipe(gzipped([]), pieces: size) == [])
        #expect(
            message(exitCode: 65) {
                _ = try readPipe(Array(try gzipped(bytes).dropLast()), pieces: size)
            }
                == "standard input is damaged: the gzip data is cut short")
    }

    @Test(
        "a plain stream comes as it is, each piece when it is there",
        arguments: ["", "a", "ab", "\u{1f}", "\u{1f}\u{1f}b", "\u{1f}a\n", "line\nline\n"],
        [1, 2, 99])
    func plain(_ text: String, size: Int) throws {
        #expect(try readPipe(Array(text.utf8), pieces: size) == Array(text.utf8))
    }

    @Test func `a file that is not there, and a directory, are told apart`() throws {
        #expect(problem(directory.path + "/x.csv", exitCode: 66) == "there is no file x.csv")
        #expect(
            message(exitCode: 66) { _ = try read(directory.path) }
                == "\(directory.path) is a directory, not a file")
        #expect(
            problem(try directory.file("a", Array("".utf8)) + "/b", exitCode: 66)
                == "there is no file a/b")
    }
}
