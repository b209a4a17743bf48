// The inputs that scripts/fuzz has kept: one for each way through the code that it has found, and each that
// once brought something to light. They go through the same functions as there.

import Foundation
import LogFuzzTargets
import Testing

struct CorpusTests {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Corpora")

    @Test(arguments: FuzzTarget.allCases)
    func `an input that was kept is read or refused`(target: FuzzTarget) throws {
        let folder = Self.directory.appending(path: target.rawValue)
        let inputs = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        #expect(!inputs.isEmpty, "scripts/fuzz keeps some of each target")
        for input in inputs {
            do {
                try target.run([UInt8](try Data(contentsOf: input)))
            } catch { Issue.record("\(target.rawValue)/\(input.lastPathComponent): \(error)") }
        }
    }
}
