// Room on the disk that segments have asked for ahead of their writes. On a full disk it is missing
// elsewhere, so that whoever finds no room lets all of it be given back and tries once more.

import Synchronization

/// Who holds such room in one log. Any thread may call, but for a partition within its own lock.
final class RoomAhead: Sendable {
    private struct State {
        /// True where something was given back.
        var holders: [ObjectIdentifier: @Sendable () -> Bool] = [:]
        var pausedUntil: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// - Parameter giveBack: Must not hold `holder`, which ends with `remove`.
    func add(_ holder: AnyObject, giveBack: @escaping @Sendable () -> Bool) {
        let id = ObjectIdentifier(holder)
        state.withLock { $0.holders[id] = giveBack }
    }

    func remove(_ holder: AnyObject) {
        let id = ObjectIdentifier(holder)
        state.withLock { _ = $0.holders.removeValue(forKey: id) }
    }

    /// Nobody asks for room for a while after a full disk: the last of it is for those who write.
    var isPaused: Bool { state.withLock { $0.pausedUntil.map { $0 > .now } ?? false } }

    /// True where there was something to give back.
    func giveBack() -> Bool {
        let holders = state.withLock { state in
            state.pausedUntil = .now + Limits.preallocationPause
            return Array(state.holders.values)
        }
        var hasGiven = false
        for holder in holders where holder() { hasGiven = true }
        return hasGiven
    }

    /// Calls `body`, and once more where it has found no room and some was given back: what it did the
    /// first time must be undone then, or done again without harm.
    func retrying<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let failure as LogError where failure.code == .noSpace {
            guard giveBack() else { throw failure }
            return try body()
        }
    }
}
