// Whole CSV files through the built program: nothing of a file with a fault is sent, and it does not
// matter how the bytes of a good one come.

import Foundation
import TestSupport
import Testing

struct ProduceCSVTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test(
        "a fault at the end of a file, and nothing of it is sent",
        arguments: ["", "--timestamp-column t --sort", "--key-columns t"],
        [
            ("1\n", "1 field where the first line has 2 columns"),
            ("1,\"x\n", "the quote that is opened in line 3002 is never closed"),
            // Escaped it is six times as long.
            (
                "1," + String(repeating: "\u{1}", count: 200_000) + "\n",
                "a record of 12000"
            ),
        ])
    func fault(options: String, fault: (row: String, sentence: String)) async throws {
        let rows = (0..<3000).map { "\($0),x\n" }.joined()
        _ = try directory.file("f.csv", Array("t,v\n\(rows)\(fault.row)".utf8))
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            jobrunner produce t --csv f.csv \(options); echo $?
            jobrunner consume t --from-beginning --until-end | wc -l
            """, in: directory)
        #expect(shell.lines == ["65", "0"])
        #expect(
            shell.errors.hasPrefix("error: f.csv line 3002: \(fault.sentence)"), "\(shell.errors)")
        #expect(shell.errors.split(separator: "\n").count == 1)
    }

    @Test func `nothing of a file is sent where the topic would not take one of its records`()
        async throws
    {
        let value = String(repeating: "x", count: 300)
        _ = try directory.file("f.csv", Array("v\nshort\n\(value)\n".utf8))
        let shell = try await Shell.run(
            """
            jobrunner topics create t --config max.message.bytes=200 > created
            jobrunner produce t --csv f.csv; echo $?
            jobrunner consume t --from-beginning --until-end | wc -l
            """, in: directory)
        #expect(shell.lines == ["65", "0"])
        #expect(
            shell.errors.hasPrefix(
                "error: f.csv line 3: a record of 317 bytes is over the limit of 139 bytes of the topic"
            ), "\(shell.errors)")
        #expect(!shell.errors.contains("written"))
    }

    @Test(
        "lines and rows are as long as the topic's max.message.bytes lets them be",
        arguments: ["f.txt", "--csv f.txt"])
    func longRecord(input: String) async throws {
        let value = String(repeating: "x", count: 5_000_000)
        _ = try directory.file("f.txt", Array("v\n\(value)\n".utf8))
        let shell = try await Shell.run(
            """
            jobrunner topics create t --config max.message.bytes=6000000 > created
            jobrunner produce t \(input) 2> progress; echo $?
            jobrunner consume t --from-beginning --until-end | tail -n 1 | grep -o x | wc -l
            """, in: directory)
        #expect(shell.lines == ["0", "5000000"], "\(shell.errors)")
    }

    @Test func `a record just under the limit goes through`() async throws {
        let value = String(repeating: "x", count: 1_048_400)
        _ = try directory.file("f.csv", Array("v\n\(value)\n".utf8))
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            jobrunner produce t --csv f.csv 2> progress
            jobrunner consume t --from-beginning --until-end
            """, in: directory)
        #expect(shell.output == "{\"v\":\"\(value)\"}\n")
    }

    @Test func `a file, the same gzipped, and the same through a pipe send the same`() async throws
    {
        let rows = (0..<5000).map { "\($0 % 7),\"row \($0)\"\n" }.joined()
        _ = try directory.file("f.csv", Array("k,v\n\(rows)".utf8))
        let shell = try await Shell.run(
            """
            gzip -k f.csv
            for topic in plain zipped piped; do
                jobrunner topics create $topic --partitions 3 >> created
            done
            jobrunner produce plain --key-columns k --csv f.csv 2> progress
            jobrunner produce zipped --key-columns k --csv f.csv.gz 2> progress
            jobrunner produce piped --key-columns k --csv <(cat f.csv.gz) 2> progress
            for topic in plain zipped piped; do
                jobrunner consume $topic --from-beginning --until-end > $topic
            done
            wc -l < plain
            cmp plain zipped && cmp plain piped && echo same
            """, in: directory)
        #expect(shell.lines == ["5000", "same"])
        #expect(shell.errors == "")
    }
}
