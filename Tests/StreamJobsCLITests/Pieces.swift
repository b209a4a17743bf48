// What the tests of the command line's parts share: bytes that come in pieces, and what an error says.

import StreamJobsCLI
import Testing

/// Bytes given in pieces of the sizes asked for, the last size again and again.
final class Pieces: ByteSource {
    let name = "test.csv"
    let isReady = true
    private var rest: ArraySlice<UInt8>
    private var sizes: ArraySlice<Int>

    init(_ bytes: some Sequence<UInt8>, sizes: [Int] = [.max]) {
        rest = Array(bytes)[...]
        self.sizes = sizes[...]
    }

    convenience init(_ text: String, sizes: [Int] = [.max]) { self.init(text.utf8, sizes: sizes) }

    func read(into buffer: inout [UInt8]) -> Bool {
        let size = sizes.count > 1 ? sizes.removeFirst() : sizes.first ?? .max
        buffer += rest.prefix(size)
        defer { rest = rest.dropFirst(size) }
        return !rest.isEmpty
    }
}

/// The message of the `CommandError` that `body` throws; the test fails if it throws none.
func message(exitCode: Int32, _ body: () throws -> Void) -> String {
    do {
        try body()
        Issue.record("it throws nothing")
        return ""
    } catch let error as CommandError {
        #expect(error.exitCode == exitCode)
        return error.message
    } catch {
        Issue.record("it throws \(error)")
        return ""
    }
}
