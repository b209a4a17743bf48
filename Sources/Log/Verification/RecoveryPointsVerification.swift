// `recovery-points` byte by byte: a slot whose newer copy is lost is read from the older one, so that what
// was flushed, or where a partition begins, would silently be what it was before.

/// Looks at the file of one directory. Changes nothing.
struct RecoveryPointsVerification {
    let path: String
    let files: FileSystem
    /// The log was closed in order: nothing is torn, and nobody writes.
    let wasClean: Bool

    private struct Wrong: Hashable {
        let position: Int
        let message: String
        /// No copy is left.
        let isLost: Bool
    }

    /// Throws what reading throws, and `corrupted` or `newerFormat` for a file that is none.
    func findings() throws -> [LogFinding] {
        guard let bytes = try files.bytes(of: path) else {
            guard wasClean else { return [] }
            return [
                finding(
                    .damage, nil,
                    "it is missing although the log was closed; the next opening makes it anew, and does "
                        + "not know what was flushed")
            ]
        }
        var wrong = Self.wrong(bytes)
        // What an owner was writing is right when it is looked at again.
        if !wrong.isEmpty, !wasClean, let again = try files.bytes(of: path) {
            let still = Set(Self.wrong(again))
            wrong.removeAll { !still.contains($0) }
        }
        return wrong.map {
            finding(wasClean || $0.isLost ? .damage : .note, $0.position, $0.message)
        }
    }

    private func finding(_ kind: LogFinding.Kind, _ position: Int?, _ message: String) -> LogFinding
    {
        LogFinding(kind: kind, path: path, position: position, offset: nil, message: message)
    }

    private static func wrong(_ bytes: [UInt8]) -> [Wrong] {
        var wrong: [Wrong] = []
        func add(_ position: Int, _ message: String, isLost: Bool = false) {
            wrong.append(Wrong(position: position, message: message, isLost: isLost))
        }
        let header = bytes.prefix(RecoveryPoints.pageBytes)
        if let position = header.dropFirst(RecoveryPoints.headerBytes).firstIndex(where: { $0 != 0 }
        ) {
            add(position, "there is something where zeros were written")
        }
        if (bytes.count / RecoveryPoints.pageBytes).isMultiple(of: 2)
            || !bytes.count.isMultiple(of: RecoveryPoints.pageBytes)
        {
            add(bytes.count, "it is cut short in the midst of a pair of pages")
        }
        bytes.withUnsafeBytes { bytes in
            for index in 0..<RecoveryPoints.slotCount(in: bytes.count) {
                let positions = (0...1).map { RecoveryPoints.position(index, copy: $0) }
                let isRight = positions.map { RecoveryPoints.slot(bytes, at: $0) != nil }
                let isWritten = positions.map {
                    bytes.dropFirst($0).prefix(RecoveryPoints.slotBytes).contains { $0 != 0 }
                }
                for copy in 0...1 where isWritten[copy] && !isRight[copy] {
                    if isRight[1 - copy] {
                        add(
                            positions[copy],
                            "one of the two copies of a recovery point is not what was written; the next "
                                + "flush of its partition writes it anew")
                    } else {
                        add(
                            positions[copy],
                            "a recovery point is in neither of its copies; it is not known any more",
                            isLost: true)
                        break
                    }
                }
            }
        }
        return wrong
    }
}
