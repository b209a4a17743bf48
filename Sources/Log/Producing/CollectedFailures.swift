// Several things that fail in one call, or between two of them, are told in one error, so that none is kept
// back and none is told twice.

struct CollectedFailures {
    private var failures: [any Error] = []

    mutating func add(_ failure: any Error) { failures.append(failure) }

    mutating func collect(_ body: () throws -> Void) {
        do { try body() } catch { failures.append(error) }
    }

    /// Throws the first, with what the others say.
    func throwIfAny() throws {
        guard let first = failures.first else { return }
        guard let error = first as? LogError else { throw first }
        var texts: [String] = []
        for failure in failures where !texts.contains("\(failure)") { texts.append("\(failure)") }
        var message = texts.prefix(Limits.failuresTold).joined(separator: "; also: ")
        if texts.count > Limits.failuresTold {
            message += "; and \(texts.count - Limits.failuresTold) more"
        }
        throw LogError(error.code, message)
    }
}
