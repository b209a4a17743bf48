// What the tests of the command line share: a directory of their own, random numbers that a seed repeats,
// files made there, and the built `jobrunner`, started by a shell as a user would.

import Foundation

/// A directory of one test's own, removed with it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("streamjobs-cli-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        path = url.path
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch { print("left behind: \(path): \(error)") }
    }

    /// Writes a file and gives its path.
    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    func text(_ name: String) throws -> String {
        String(
            decoding: try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)), as: UTF8.self)
    }
}

/// SplitMix64: the same seed gives the same numbers everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// From STREAMJOBS_SEED or by chance; printed, so that a failure can be repeated.
    static func seeded(_ test: String = #function) -> SeededGenerator {
        let given = ProcessInfo.processInfo.environment["STREAMJOBS_SEED"].flatMap(UInt64.init)
        let seed = given ?? .random(in: 0...999_999)
        print("\(test): STREAMJOBS_SEED=\(seed)")
        return SeededGenerator(seed: seed)
    }
}

/// What a shell script, run in a temporary directory, has printed and ended with.
struct Shell {
    let status: Int32
    let output: String
    let errors: String

    var lines: [String] { output.split(separator: "\n").map(String.init) }

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

    /// Runs `script` with bash in `directory`, with `jobrunner` on the PATH and nothing on standard input.
    /// All that it has started is killed after `timeLimit` seconds, and the status is 137. Waits on a
    /// thread of its own.
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
