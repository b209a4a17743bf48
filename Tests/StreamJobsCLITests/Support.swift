// What the tests of the command line share: a directory of their own, random numbers that a seed
// repeats, and the built `jobrunner`, started by a shell as a user would.

import Foundation
import TestSupport
import Testing

/// What a shell script, run in a temporary directory, has printed and ended with.
struct Shell {
    let status: Int32
    let output: String
    let errors: String

    var lines: [String] { output.split(separator: "\n").map(String.init) }

    /// What every refusal is: an exit code, and one sentence alone on standard error that begins with this.
    func expectRefusal(
        _ status: Int32, _ sentence: String, output: [String] = [],
        at location: SourceLocation = #_sourceLocation
    ) {
        #expect(self.status == status && lines == output, sourceLocation: location)
        #expect(errors.hasPrefix(sentence), "\(errors)", sourceLocation: location)
        #expect(errors.split(separator: "\n").count == 1, sourceLocation: location)
    }

    struct NotBuilt: Error, CustomStringConvertible {
        let description = "there is no jobrunner above the test program; build it first"
    }

    /// The folder with the built programs, above the running test program.
    static func products() throws -> String {
        var url = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        while url.path != "/" {
            url.deleteLastPathComponent()
            let candidate = url.appendingPathComponent("jobrunner").path
            var isDirectory: ObjCBool = false
            if FileManager.default.fileExists(atPath: candidate, isDirectory: &isDirectory),
                !isDirectory.boolValue
            {
                return url.path
            }
        }
        throw NotBuilt()
    }

    /// Runs `script` with bash in `directory`, with `jobrunner` on the PATH and nothing on standard
    /// input. After `timeLimit` seconds all that it has started is killed, and the status is not 0.
    /// Waits on a thread of its own.
    static func run(
        _ script: String, in directory: TemporaryDirectory, timeLimit: Int = 120
    ) async throws -> Shell {
        let path = try products()
        return try await withCheckedThrowingContinuation { continuation in
            Thread {
                continuation.resume(
                    with: Result { try runAndWait(script, directory, timeLimit, products: path) })
            }.start()
        }
    }

    private static func runAndWait(
        _ script: String, _ directory: TemporaryDirectory, _ timeLimit: Int, products: String
    ) throws -> Shell {
        // Files and not pipes: nobody must read while the other waits.
        let id = UUID().uuidString
        let output = try directory.file(".output-\(id)", [])
        let errors = try directory.file(".errors-\(id)", [])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        process.arguments = ["--signal=KILL", "\(timeLimit)", "bash", "-c", script]
        process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = products + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        try process.run()
        process.waitUntilExit()
        return Shell(
            status: process.terminationStatus, output: try directory.text(".output-\(id)"),
            errors: try directory.text(".errors-\(id)"))
    }
}
