// The main job on the whole of January, through the built program, against an independent
// computation.

import Foundation
import TestSupport
import Testing

struct FlightsRunTests {
    /// The top of the package.
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func run(_ script: String) async throws -> Shell {
        try await Shell.run("root='\(Self.root)'\nset -e\n\(script)", in: directory, timeLimit: 300)
    }

    private static let produce = """
        files=("$root"/jobs/flights/data/{flights,weather,planes}.csv.gz)
        for topic in flights weather planes; do
            jobrunner topics create $topic --partitions 4
        done > created
        jobrunner produce flights --csv "${files[0]}" \
            --key-columns origin,time_hour --timestamp-column time_hour --sort
        jobrunner produce weather --csv "${files[1]}" \
            --key-columns origin,time_hour --timestamp-column time_hour --sort
        jobrunner produce planes --csv "${files[2]}" --key-columns tailnum

        """

    @Test("January's results are what scripts/flights-oracle computes", arguments: [1, 3])
    func january(threads: Int) async throws {
        let shell = try await run(
            Self.produce + """
                jobrunner run flight-delays --threads \(threads) --until-end
                "$root/scripts/check-flights" data "${files[@]}" "$(type -P jobrunner)"
                jobrunner run flight-delays --threads \(threads) --until-end
                "$root/scripts/check-flights" data "${files[@]}" "$(type -P jobrunner)"
                """)
        #expect(shell.status == 0, "\(shell.errors)")
        #expect(shell.lines.count == 2)
        #expect(shell.lines.allSatisfy { $0.hasPrefix("equal: ") }, "\(shell.output)")
        #expect(shell.errors.contains("27004 records to flights in "))
        #expect(shell.errors.hasSuffix("flight-delays: nothing new since the last run\n"))
    }

    @Test func `a live run that Ctrl-C ends goes on where it was`() async throws {
        let shell = try await run(
            Self.produce + """
                jobrunner run flight-delays & job=$!
                # The topic comes with the job, its first record with the first commit.
                until jobrunner consume delays-by-carrier --from-beginning --max-messages 1; do
                    :
                done 2> none
                kill -INT $job
                code=0; wait $job || code=$?
                echo $code
                jobrunner run flight-delays --until-end
                "$root/scripts/check-flights" data "${files[@]}" "$(type -P jobrunner)"
                """)
        #expect(shell.status == 0, "\(shell.errors)")
        #expect(shell.lines.dropFirst().first == "130", "\(shell.output)")
        #expect(shell.lines.last?.hasPrefix("equal: ") == true, "\(shell.output)")
    }
}
