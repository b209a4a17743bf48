// One partition of a topic. The owner of the data directory appends, flushes and cleans; an observer only
// follows the files. One lock guards the ends and the list of segments; reading bytes takes none.
//
//  Partition+Append   a batch to the end of the active segment
//  Partition+Flush    what was appended to the disk; checkpoints, so that opening reads little
//  Partition+Read     where the bytes for a fetch are; offsets by time
//  Cleaning/          what is removed again

import Synchronization

/// Any thread may call.
package final class Partition: Sendable {
    package let name: TopicPartition
    package let topicID: TopicID
    let directory: String
    let access: CommitLog.Access
    let environment: LogEnvironment
    let signals = AppendSignals()
    let state: Locked<State>
    /// The kernel reports a failed write-back once, so that of several flushes at a time one would hear
    /// that all is well: there is one at a time, and it is shared.
    let dataFlushes: SharedFlush
    /// Those of data and recovery point.
    let flushes: SharedFlush
    /// Held by what rewrites the files beside the segments: checkpoints, retention, compaction. Taken
    /// before `state`.
    let maintenance: Mutex<Maintenance>

    struct State {
        var settings: TopicSettings
        /// In order; the last one is active.
        var segments: [Segment]
        var ends: EndOffsets
        var producers = ProducerStates()
        var leaderEpochs = LeaderEpochs()
        /// Bytes appended since the last checkpoint.
        var bytesSinceCheckpoint = 0
        /// The directory has names that were not flushed.
        var hasNewNames = false
        /// Set by a failed flush or an undo that failed: what is on the disk is unknown from then on.
        var failure: LogError?
        /// An observer's: the manifest that it began with.
        var manifestSeen: FileIdentity?
        /// The log was closed.
        var isClosed = false
        /// The topic was deleted.
        var isDeleted = false

        var active: Segment { segments[segments.count - 1] }
    }

    struct Maintenance: Sendable {
        /// What the manifest on the disk says.
        var manifest: [SegmentSummary] = []
        /// Offset of the producer snapshot that goes with it.
        var checkpoint = Offset.zero
        /// The end when the background looked last.
        var endSeen = Offset.zero
        /// When idle producers were last forgotten.
        var expired = ContinuousClock.now
        /// What the background has told of failing, by what it was doing.
        var told: [String: String] = [:]
        /// When compaction has failed last, since this process began.
        var compactionFailure: ContinuousClock.Instant?
    }

    init(
        _ name: TopicPartition, topicID: TopicID, directory: String, access: CommitLog.Access,
        environment: LogEnvironment, recovered: consuming sending State,
        maintenance: Maintenance
    ) {
        self.name = name
        self.topicID = topicID
        self.directory = directory
        self.access = access
        self.environment = environment
        dataFlushes = SharedFlush(done: recovered.ends.flushed.rawValue)
        flushes = SharedFlush(done: recovered.ends.flushed.rawValue)
        state = Locked(recovered)
        self.maintenance = Mutex(maintenance)
        environment.files.room.add(self) { [weak self] in self?.giveRoomBack() ?? false }
    }

    deinit { environment.files.room.remove(self) }

    private func giveRoomBack() -> Bool {
        state.withLock { state in
            guard !state.segments.isEmpty, state.failure == nil else { return false }
            // Only a try: whoever has found no room is told so by what fails then.
            return (try? state.active.releaseRoom()) ?? false
        }
    }

    var files: FileSystem { environment.files }
    var recoveryKey: RecoveryPoints.Key {
        RecoveryPoints.Key(topicID: topicID, partition: name.partition)
    }

    // MARK: Ends

    package var logEndOffset: Offset { state.withLock { $0.ends.logEnd } }
    package var lastStableOffset: Offset { state.withLock { $0.ends.lastStable } }
    package var flushedOffset: Offset { state.withLock { $0.ends.flushed } }
    package var startOffset: Offset { state.withLock { $0.ends.start } }
    package var settings: TopicSettings { state.withLock { $0.settings } }
    /// Bytes of all segments.
    package var byteCount: Int { state.withLock { $0.segments.reduce(0) { $0 + $1.byteCount } } }
    package var segmentCount: Int { state.withLock { $0.segments.count } }

    func apply(_ settings: TopicSettings) { state.withLock { $0.settings = settings } }

    /// The leader epoch that the record at `offset` was written in.
    package func leaderEpoch(at offset: Offset) -> Int32 {
        state.withLock { $0.leaderEpochs.epoch(at: offset) }
    }

    package var openTransactions: [OpenTransaction] {
        state.withLock { $0.producers.openTransactions }
    }

    /// The highest epoch of a producer that has written here; nil if it never has.
    package func epoch(of producerID: Int64) -> Int16? {
        state.withLock { $0.producers.epoch(of: producerID) }
    }

    /// Nothing more is written: the log was closed or the topic deleted.
    var isClosed: Bool { state.withLock { $0.isClosed || $0.isDeleted } }

    /// The topic was deleted, for good unless that fails for want of room.
    var isDeleted: Bool { state.withLock { $0.isDeleted } }

    /// All writes are refused after a failure, until the log is opened again.
    var hasFailed: Bool { state.withLock { $0.failure != nil } }

    var highestProducerID: Int64? { state.withLock { $0.producers.highestID } }

    /// What `recovery-points` does not know of the partition yet; nil if it knows all.
    var changeOfRecoveryPoint: RecoveryPoints.Change? {
        let point = state.withLock {
            RecoveryPoints.Point(
                flushed: $0.ends.flushed, start: $0.ends.start, leaderEpoch: $0.leaderEpochs.noted
            )
        }
        guard environment.recoveryPoints?.point(of: recoveryKey) != point else { return nil }
        return RecoveryPoints.Change(
            key: recoveryKey, flushed: point.flushed, start: point.start,
            leaderEpoch: point.leaderEpoch)
    }

    /// The topic is being deleted: nothing more is written, and when it returns nothing is being
    /// rewritten in the directory either.
    func retire(_ isDeleted: Bool) {
        maintenance.withLock { _ in state.withLock { $0.isDeleted = isDeleted } }
    }

    /// Closes the files of a partition whose topic is deleted for good: whoever still holds it does not
    /// hold the room on the disk as well.
    func closeFiles() {
        let segments = state.withLock { state in
            precondition(state.isDeleted, "\(name) goes on")
            return state.segments
        }
        for segment in segments { segment.retire() }
    }

    // MARK: Waiting

    /// Notifies `signal` with each append from now on, until it is removed.
    package func addSignal(_ signal: AppendSignal) { signals.add(signal) }
    package func removeSignal(_ signal: AppendSignal) { signals.remove(signal) }

    // MARK: Refusals

    func requireWritable(_ state: borrowing State) throws {
        guard access == .owner else {
            throw LogError(.readOnly, "\(name) was opened for reading only")
        }
        if let failure = state.failure {
            throw LogError(
                failure.forGood.code,
                "\(name) takes no more writes after a failure (\(failure.message)); start again")
        }
    }

    func requireOpen(_ state: borrowing State) throws {
        guard !state.isClosed else {
            throw LogError(.readOnly, "\(name) takes no more writes: the log was closed")
        }
        try requireTopic(state)
    }

    func requireTopic(_ state: borrowing State) throws {
        guard !state.isDeleted else {
            throw LogError(.noSuchTopic, "\(name) takes no more writes: the topic was deleted")
        }
    }
}

/// What the partitions of a log share.
struct LogEnvironment: Sendable {
    let files: FileSystem
    let options: LogOptions
    /// An owner's.
    let recoveryPoints: RecoveryPoints?
    /// An observer's.
    let observed: CatalogFollower?
    /// Notified when there is something to do in the background before its next round.
    let background = AppendSignal()
}

/// How a log is opened, for tests and for those who watch it.
package struct LogOptions: Sendable {
    /// Bytes of a segment, in the place of what the topics say.
    package var segmentBytes: Int?
    package var files = FileSystem.live
    /// Flushes, checkpoints and cleans in the background; without it, when `maintain` is called.
    package var isMaintained = true
    /// Between two rounds in the background, unless it is asked for one; the first comes after it.
    package var maintenanceInterval = Limits.maintenanceInterval
    /// How long closing may do what is due in the background.
    package var closingWork = Limits.closingWork
    /// Told of what users should know: a tail that was cut, a background task that failed.
    package var notify: @Sendable (String) -> Void = { _ in }

    package init() {}
}
