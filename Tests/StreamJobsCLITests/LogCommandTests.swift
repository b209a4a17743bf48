// `log dump` and `log verify` as a user sees them.

import Foundation
import TestSupport
import Testing

struct LogCommandTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A topic of one partition with two batches of two records each, then `script`.
    private func run(_ script: String) async throws -> Shell {
        try await Shell.run(
            """
            jobrunner topics create t --config index.interval.bytes=1 > created
            printf 'a:1\\nb:2\\n' | jobrunner produce t --key-separator : 2>> progress
            printf 'c:3\\nd:4\\n' | jobrunner produce t --key-separator : 2>> progress
            log=data/t-0/00000000000000000000
            \(script)
            """, in: directory)
    }

    @Test func `a good directory is told good`() async throws {
        let shell = try await run(
            "jobrunner log verify; echo $?; jobrunner log verify --json 2> errors")
        #expect(
            shell.lines == [
                "0",
                #"{"kind":"summary","partitions":1,"segments":1,"batches":2,"records":4,"bytes":158,"#
                    + #""damages":0,"notes":0}"#,
            ])
        #expect(shell.errors == "4 records in 1 partition, 158 bytes checked\n")
    }

    @Test func `damage ends with 74 and names file and position`() async throws {
        let shell = try await run(
            """
            printf '\\xff' | dd of=$log.log bs=1 seek=100 conv=notrunc 2> dd
            jobrunner log verify; echo $?
            jobrunner log verify --json 2> errors | head -1 | cut -d, -f1-4
            """)
        #expect(shell.lines.count == 3)
        #expect(
            shell.lines.first?.hasPrefix(
                "damage: ./data/t-0/00000000000000000000.log at byte 79 (offset 2): the checksum is "
            )
                == true, "\(shell.output)")
        #expect(shell.lines.dropFirst().first == "74")
        #expect(
            shell.lines.last
                == #"{"kind":"damage","file":"./data/t-0/00000000000000000000.log","position":79,"#
                + #""offset":2"#)
        #expect(shell.errors.hasSuffix("error: ./data is damaged in 1 place\n"))
    }

    @Test func `a dump has Kafka's lines`() async throws {
        let shell = try await run(
            """
            jobrunner log dump --topic t --records |
                sed 's/CreateTime: [0-9]*/CreateTime: T/; s/crc: [0-9]*/crc: C/'
            jobrunner log dump --files $log.log,$log.index | tail -2
            """)
        let batches = shell.lines.filter { $0.hasPrefix("baseOffset") }
        #expect(batches.count == 2)
        #expect(batches.last?.hasPrefix("baseOffset: 2 lastOffset: 3 count: 2 ") == true)
        #expect(
            batches.last?.hasSuffix(
                "isTransactional: false isControl: false deleteHorizonMs: OptionalLong.empty "
                    + "position: 79 CreateTime: T size: 79 magic: 2 compresscodec: none crc: C "
                    + "isvalid: true") == true)
        #expect(shell.lines.filter { $0.hasPrefix("| offset: ") }.count == 4)
        #expect(shell.lines.contains { $0.hasSuffix("headerKeys: [] key: d payload: 4") })
        #expect(
            shell.lines.suffix(2) == [
                "Dumping data/t-0/00000000000000000000.index", "offset: 3 position: 79",
            ])
    }

    @Test func `a dump shows what is wrong, and what lies behind it`() async throws {
        let shell = try await run(
            """
            printf '\\xff' | dd of=$log.log bs=1 seek=70 conv=notrunc 2> dd
            printf '\\x05' | dd of=$log.index bs=1 seek=3 conv=notrunc 2>> dd
            jobrunner log dump $log.log $log.index --json | cut -d, -f1,3-5; echo ${PIPESTATUS[0]}
            """)
        #expect(
            shell.lines == [
                #"{"type":"batch","position":0,"size":79,"base_offset":0"#,
                shell.lines[1],
                #"{"type":"batch","position":79,"size":79,"base_offset":2"#,
                #"{"type":"index","offset":5,"position":79,"problem":"the batch at position 79 ends "#
                    + #"with offset 3"}"#,
                "74",
            ])
        #expect(
            shell.lines[1].hasPrefix(#"{"type":"damage","position":0,"size":79,"message":"the "#))
        #expect(shell.errors == "error: 2 places not right\n")
    }

    @Test(
        "what cannot be dumped is told",
        arguments: [
            ("dump", 64, "error: give files, or --topic"),
            ("dump --topic t f.log", 64, "error: give files, or --topic"),
            ("dump --files f.log f.log", 64, "error: give files, or --topic"),
            ("dump --files none.log,f.log", 66, "error: there is no file none.log"),
            ("dump none.log", 66, "error: there is no file none.log"),
            ("dump README.md", 64, "error: README.md has no name of a file of a log"),
            (
                "dump --json 09223372036854775807.index", 64,
                "error: 09223372036854775807.index does not begin with the 20 digits of its first offset"
            ),
            ("dump --topic u", 66, "error: there is no topic 'u'"),
            ("dump --topic t --partition 1", 66, "error: the topic 't' has no partition 1"),
            ("verify --data none", 66, "error: none is no data directory"),
        ])
    func refusals(_ arguments: String, _ status: Int32, _ sentence: String) async throws {
        // Its entries would lie beyond the last offset there can be.
        _ = try directory.file("09223372036854775807.index", Array(repeating: 0xff, count: 8))
        try await run("jobrunner log \(arguments)").expectRefusal(status, sentence)
    }
}
