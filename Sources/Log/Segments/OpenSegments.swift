// Which sealed segments have files open. A log may have more segments than a process may have descriptors,
// so that those read last stay open and the others are opened again when they are next read.

import Synchronization

/// Of one log. Any thread may call, but not within a segment's lock. Readers in flight keep the files that
/// they have got.
final class OpenSegments: Sendable {
    private struct Use {
        weak var segment: Segment?
        let number: Int
    }

    private struct State {
        var uses: [ObjectIdentifier: Use] = [:]
        /// Counts the uses.
        var number = 0
    }

    private let state = Mutex(State())

    /// Notes that `segment` has been read, and closes the one that was not for the longest time where too
    /// many are open.
    func used(_ segment: Segment) {
        let idle = state.withLock { state -> Segment? in
            state.number += 1
            state.uses[ObjectIdentifier(segment)] = Use(segment: segment, number: state.number)
            guard state.uses.count > Limits.openSegmentsMax,
                let oldest = state.uses.min(by: { $0.value.number < $1.value.number })
            else { return nil }
            state.uses[oldest.key] = nil
            return oldest.value.segment
        }
        idle?.closeFiles()
    }

    /// Its files are closed with it, or not before.
    func forget(_ segment: ObjectIdentifier) {
        state.withLock { _ = $0.uses.removeValue(forKey: segment) }
    }
}
