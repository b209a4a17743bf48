// Files, gzipped or not, and every way in which a gzip file can be damaged.

import Foundation
import TestSupport
import Testing

@testable import StreamJobsCLI

struct InputFileTests {
    /// "a,b\n1,2\n3,4\n" by `gzip -9n`.
    static let gzipped: [UInt8] = [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0xd4, 0x49, 0xe2,
        0x32, 0xd4, 0x31, 0xe2, 0x32, 0xd6, 0x31, 0xe1, 0x02, 0x00, 0xe5, 0xe9, 0xd6, 0xce,
        0x0c, 0x00, 0x00, 0x00,
    ]
    static let text = Array("a,b\n1,2\n3,4\n".utf8)

    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func read(_ bytes: [UInt8]) throws -> [UInt8] {
        try InputFile.read(directory.file("f.csv.gz", bytes))
    }

    private func error(_ body: () throws -> [UInt8]) -> CommandError? {
        #expect(throws: CommandError.self) { try body() }
    }

    @Test func `a gzip file is read as what is in it, and any other as it is`() throws {
        #expect(try read(Self.gzipped) == Self.text)
        #expect(try read(Self.text) == Self.text)
        #expect(try read([]) == [])
        #expect(try read([0, 255, 10, 13]) == [0, 255, 10, 13])
    }

    @Test func `the members of a gzip file are read one after the other`() throws {
        #expect(try read(Self.gzipped + Self.gzipped) == Self.text + Self.text)
    }

    @Test func `more than one piece is read whole`() throws {
        let large = [UInt8]((0..<2_500_003).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
        #expect(try read(large) == large)
    }

    @Test func `a gzip file that is cut is damaged, in its header, data or sums`() throws {
        // Of a single byte nobody can tell what it was to become.
        for count in [2, 9, 11, Self.gzipped.count - 8, Self.gzipped.count - 1] {
            let error = try #require(error { try read(Array(Self.gzipped.prefix(count))) })
            #expect(error.exitCode == 65)
            #expect(error.message.contains("f.csv.gz is damaged: "), "\(count) bytes")
        }
    }

    @Test func `a second member that is cut is damaged`() throws {
        let error = error { try read(Self.gzipped + Self.gzipped.dropLast(3)) }
        #expect(error?.exitCode == 65)
    }

    @Test func `a changed bit in the data or their sums is damage, or changes nothing`() throws {
        // Behind the header of ten bytes; deflate leaves some bits of the last block unused.
        for index in stride(from: 10, to: Self.gzipped.count, by: 4) {
            var bytes = Self.gzipped
            bytes[index] ^= 1 << (index % 8)
            do {
                #expect(try read(bytes) == Self.text, "byte \(index)")
            } catch let error as CommandError {
                #expect(error.exitCode == 65)
            }
        }
    }

    @Test func `what is no file is told`() throws {
        let missing = error { try InputFile.read(directory.path + "/none") }
        #expect(missing?.exitCode == 66)
        #expect(missing?.message == "there is no file \(directory.path)/none")
        let folder = error { try InputFile.read(directory.path) }
        #expect(folder?.exitCode == 66)
        #expect(folder?.message == "\(directory.path) is a directory, not a file")
    }
}
