// One task: its inputs, its state, what it sends, its event time. Everything here belongs to the worker
// thread that the task was given to.

import LocalState
public import StreamJobsLog

/// A task and all that is its own.
@usableFromInline
final class TaskCore {
    let name: String
    let partition: Int
    let number: UInt32
    let environment: StateEnvironment
    let newProducerID: () throws -> Int64
    /// As they were when the task was opened.
    let restoredPositions: [PositionKey: StoredPosition]
    let stores: [any EnvironmentStore]
    private let calls: TaskCalls
    private var inputs: [any TaskInput] = []
    private(set) var mode = RunMode.live

    // What a call needs.
    @usableFromInline var keyBytes: [UInt8] = []
    @usableFromInline var valueBytes: [UInt8] = []
    private var internalHeaders: [Header]
    private(set) var currentTimestamp = Timestamp.distantPast
    private(set) var currentPartition = PartitionID(0)

    // What the next commit takes.
    var outputs: OutputBuffer
    var timers: EventTimers
    var eventTime: EventTime
    /// What all that goes to repartition topics from now on is ordered at or behind. It follows from the
    /// records and timers alone, not from when commits fall.
    private(set) var promise: Timestamp
    var lateCount: Int64
    var commit: CommitState
    private(set) var isDirty = false
    /// How many steps it has done, in all runs.
    private(set) var progress: TaskProgress
    /// What the task has asked for since its last commit.
    private(set) var requests: Requests = []
    private let memory: TaskMemory
    private(set) var hasFinished = false
    /// In a live run: none of its inputs takes part in event time now.
    private(set) var isIdle = false

    /// Records taken from sources since the task was opened; read by its own thread.
    private(set) var sourceRecordCount = 0

    init(
        name: String, partition: Int, calls: TaskCalls, environment: StateEnvironment,
        stores: [any EnvironmentStore], outputs: OutputBuffer, memory: TaskMemory,
        restored: RestoredTask, newProducerID: @escaping () throws -> Int64
    ) {
        self.name = name
        self.newProducerID = newProducerID
        restoredPositions = restored.positions
        self.partition = partition
        self.calls = calls
        self.environment = environment
        self.stores = stores
        self.outputs = outputs
        self.memory = memory
        number = InternalRecord.taskNumber(name)
        promise = restored.commit.promise
        internalHeaders = InternalRecord.headers(task: number, promise: promise)
        timers = EventTimers(restored.timers)
        eventTime = EventTime(restored.commit.watermark)
        lateCount = restored.commit.lateCount
        progress = restored.commit.progress
        commit = CommitState(restored.commit, positions: restored.positions)
    }

    /// Begins to read. A task that has finished this bounded run already does nothing.
    func begin(_ inputs: [any TaskInput], mode: RunMode, hasFinished: Bool) {
        self.inputs = inputs
        self.mode = mode
        self.hasFinished = hasFinished
    }

    var sources: [SourceInput] { inputs.compactMap { $0 as? SourceInput } }
    var inputPartitions: [any JobLogPartition] { inputs.map(\.partition) }

    // MARK: Running

    /// Takes up to `limit` records and fires the timers that are due; gives how much was done, zero if
    /// there is nothing to do now. Commits nothing.
    func run(limit: Int) throws -> Int {
        guard !hasFinished else { return 0 }
        var done = 0
        while done < limit, !mustCommit {
            if let timer = timers.take(upTo: eventTime.watermark) {
                try fire(timer)
            } else {
                switch try next() {
                case .input(let input): try take(from: input)
                case .nothing:
                    // Of a live run what upstream tasks have told counts without a record too.
                    guard mode == .live, advanceEventTime() else { return done }
                    continue
                case .ended:
                    guard try finish() else { return done }
                }
            }
            done += 1
        }
        return done
    }

    /// The task must commit before it goes on: so much is held back, or it has asked for it.
    var mustCommit: Bool {
        !requests.isEmpty || outputs.byteCount > memory.outputBytesMax
            || environment.dirtyCount * Limits.storeEntryBytes > memory.stateBytesMax
    }

    /// What a task may ask of its runner.
    struct Requests: OptionSet {
        let rawValue: UInt8
        static let commit = Requests(rawValue: 1)
        static let shutdown = Requests(rawValue: 2)
    }

    func request(_ request: Requests) { requests.insert(request) }

    private enum Next {
        case input(any TaskInput)
        case nothing
        case ended
    }

    /// The input whose record comes next: bootstrap inputs first, then the lowest timestamp, of equal
    /// ones the input named first. A bounded run decides only when every input has shown its next.
    private func next() throws -> Next {
        var best: (input: any TaskInput, timestamp: Timestamp)?
        var isWaiting = false
        for isFirst in [true, false] {
            for input in inputs where input.isFirst == isFirst {
                switch try input.state() {
                case .ready(let timestamp):
                    if timestamp < best?.timestamp ?? .distantFuture || best == nil {
                        best = (input, timestamp)
                    }
                case .waiting: isWaiting = true
                case .ended: break
                }
            }
            if isFirst, let best { return .input(best.input) }
        }
        if isWaiting, mode != .live { return .nothing }
        if let best { return .input(best.input) }
        return isWaiting || mode == .live ? .nothing : .ended
    }

    private func take(from input: any TaskInput) throws {
        isDirty = true
        progress.recordCount += 1
        progress.timerCount = 0
        raisePromise(to: eventTime.watermark)
        if let source = input as? SourceInput, source.isCounted { sourceRecordCount += 1 }
        try input.take { record in
            currentTimestamp = record.timestamp
            currentPartition = input.partition.name.partition
            var context = TaskContext(self)
            do {
                try calls.deliver(record, input.route, &context)
            } catch let error where !(error is StateError) {
                throw failure(error, in: input.partition.name, record)
            }
        }
        advanceEventTime()
    }

    private func fire(_ timer: EventTimer) throws {
        isDirty = true
        progress.timerCount += 1
        raisePromise(to: timer.time.advanced(by: .milliseconds(-1)))
        currentTimestamp = timer.time
        currentPartition = PartitionID(partition)
        var context = TaskContext(self)
        do {
            try calls.timerFired(timer, &context)
        } catch let error where !(error is StateError) {
            throw JobError(
                .userCodeFailed,
                "the task \(name) failed in its timer '\(timer.key)' at \(timer.time): \(error)")
        }
    }

    private func raisePromise(to time: Timestamp) {
        guard time > promise else { return }
        promise = time
        internalHeaders = InternalRecord.headers(task: number, promise: promise)
    }

    /// Whether a timer is due then.
    @discardableResult
    private func advanceEventTime() -> Bool {
        var lowest: Timestamp?
        for input in inputs {
            guard let watermark = input.watermark else { continue }
            lowest = min(lowest ?? watermark, watermark)
        }
        isIdle = mode == .live && lowest == nil
        guard let lowest else { return false }
        eventTime.advance(to: lowest)
        return timers.next.map { $0.time <= eventTime.watermark } ?? false
    }

    // MARK: Doing it again

    /// Fires timers up to `time` until so many have fired since the last record.
    func fireTimers(upTo time: Timestamp, count: Int64) throws {
        while progress.timerCount < count, let timer = timers.take(upTo: time) {
            eventTime.advance(to: timer.time)
            try fire(timer)
        }
    }

    /// Is where it was at that commit.
    func stand(at logged: LoggedCommit) {
        eventTime = EventTime(logged.watermark)
        promise = logged.promise
        internalHeaders = InternalRecord.headers(task: number, promise: promise)
        lateCount = logged.lateCount
        progress = logged.progress
        for (key, position) in logged.positions { commit.positions[key] = position }
        forgetRequests()
    }

    func forgetRequests() { requests = [] }

    /// At the end of all inputs event time goes on to the last timer, one timer at a time. False when
    /// there was nothing left to do.
    private func finish() throws -> Bool {
        advanceEventTime()
        if let timer = timers.next {
            eventTime.advance(to: timer.time)
            return true
        }
        hasFinished = true
        isDirty = true
        return false
    }

    /// What tasks behind this one may be told: a timer that is due and has not fired yet may still send
    /// records from just before its time.
    var outputWatermark: Timestamp {
        guard let due = timers.next, due.time <= eventTime.watermark else {
            return max(promise, eventTime.watermark)
        }
        return max(promise, due.time.advanced(by: .milliseconds(-1)))
    }

    private func failure(
        _ error: any Error, in partition: TopicPartition, _ record: borrowing RecordView
    ) -> JobError {
        let key = record.withKey { bytes in
            bytes.map { "'" + String(decoding: $0.prefix(80), as: UTF8.self) + "'" } ?? "null"
        }
        return JobError(
            .userCodeFailed,
            "the task \(name) failed at \(partition) offset \(record.offset), key \(key): \(error)")
    }

    // MARK: Sending

    /// Sends what lies in `keyBytes` and `valueBytes`.
    @usableFromInline
    func emit(
        toOutput number: Int, named topic: String, isKeyNull: Bool, isValueNull: Bool,
        timestamp: Timestamp, headers: [Header]
    ) throws {
        let slot = outputs.slot(ofOutput: number, named: topic)
        let count = outputs.partitionCount(slot)
        let headers = outputs.isInternal(slot) ? internalHeaders : headers
        try keyBytes.withUnsafeBytes { key in
            try valueBytes.withUnsafeBytes { value in
                let target =
                    isKeyNull
                    ? partition % count
                    : Int(Partitioner.partition(forKey: key, of: count).rawValue)
                try outputs.append(
                    key: isKeyNull ? nil : key, value: isValueNull ? nil : value,
                    timestamp: timestamp, headers: headers, to: slot, target)
            }
        }
    }

    // MARK: Positions

    /// Where all inputs are.
    var positions: [(PositionKey, InputPosition)] { inputs.flatMap(\.positions) }

    /// The positions that differ from the committed ones.
    var changedPositions: [(PositionKey, InputPosition, topic: String)] {
        inputs.flatMap { input in
            input.positions.compactMap { key, position in
                commit.positions[key] == position
                    ? nil : (key, position, input.partition.name.topic)
            }
        }
    }

    var needsCommit: Bool {
        isDirty || !changedPositions.isEmpty || outputs.hasInternal && isIdle != commit.sentIdle
    }

    /// Records left out as late in this run, restarts included.
    var lateInRun: Int { Int(lateCount - (commit.run?.lateBefore ?? 0)) }

    func committed() {
        isDirty = false
        requests.remove(.commit)
    }
}
