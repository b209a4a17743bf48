// One task: its inputs, its state, what it sends, its event time. Everything here belongs to the worker
// thread that the task was given to.

import LocalState
import StreamJobsLog

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

    // Memory for what is sent, lent to the context of a call.
    private var keyBytes: [UInt8] = []
    private var valueBytes: [UInt8] = []
    /// What records for repartition topics carry, with the promise that it was made for.
    private var internalHeaders: (headers: [Header], promise: Timestamp)

    // What the next commit takes.
    var outputs: OutputBuffer
    var timers: EventTimers
    var eventTime: EventTime
    /// Whether stores of the task ask for `toldTime`.
    @usableFromInline let isTimeAsked: Bool
    /// Event time, and that of the record or timer which the task is called for, as its stores see them.
    @usableFromInline var toldTime: (watermark: Timestamp, record: Timestamp)
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
        isTimeAsked: Bool,
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
        internalHeaders = (InternalRecord.headers(task: number, promise: promise), promise)
        timers = EventTimers(restored.timers)
        eventTime = EventTime(restored.commit.watermark)
        toldTime = (restored.commit.watermark, restored.commit.watermark)
        self.isTimeAsked = isTimeAsked
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
                done += 1
                continue
            }
            switch try next() {
            case .input(let input, let timeMax):
                done += try take(from: input, upTo: timeMax, limit: limit - done)
            case .nothing:
                // Of a live run what upstream tasks have told counts without a record too.
                guard mode == .live, advanceEventTime() else { return done }
            case .ended:
                guard try finish() else { return done }
                done += 1
            }
        }
        return done
    }

    /// The task must commit before it goes on: so much is held back, or it has asked for it.
    @usableFromInline
    var mustCommit: Bool {
        !requests.isEmpty || sentTooMuch
            || environment.dirtyBytes > environment.dirtyBytesMax
    }

    /// What it has sent takes as much memory as it should.
    var sentTooMuch: Bool { outputs.byteCount > memory.outputBytesMax }

    /// What a task may ask of its runner.
    struct Requests: OptionSet {
        let rawValue: UInt8
        static let commit = Requests(rawValue: 1)
        static let shutdown = Requests(rawValue: 2)
    }

    func request(_ request: Requests) { requests.insert(request) }

    private enum Next {
        /// Its records up to that time come before those of the other inputs.
        case input(any TaskInput, timeMax: Timestamp)
        case nothing
        case ended
    }

    /// The input whose record comes next: bootstrap inputs first, then the lowest timestamp, of equal
    /// ones the input named first. A bounded run decides only when every input has shown its next.
    private func next() throws -> Next {
        var isWaiting = false
        if let first = try next(amongFirst: true, &isWaiting) { return first }
        let other = try next(amongFirst: false, &isWaiting)
        if isWaiting, mode != .live { return .nothing }
        return other ?? (isWaiting || mode == .live ? .nothing : .ended)
    }

    private func next(amongFirst: Bool, _ isWaiting: inout Bool) throws -> Next? {
        var best: (input: any TaskInput, timestamp: Timestamp)?
        var timeMax = Timestamp.distantFuture
        for input in inputs where input.isFirst == amongFirst {
            switch try input.state() {
            case .ready(let timestamp):
                if let earlier = best?.timestamp {
                    guard timestamp < earlier else {
                        timeMax = min(timeMax, timestamp)
                        continue
                    }
                    // All before were named before, and have none below `earlier`.
                    timeMax = Timestamp(milliseconds: earlier.milliseconds - 1)
                }
                best = (input, timestamp)
            case .waiting: isWaiting = true
            case .ended: break
            }
        }
        return best.map { .input($0.input, timeMax: timeMax) }
    }

    /// Takes records of `input` until something else comes before the next one; gives how many.
    private func take(from input: any TaskInput, upTo timeMax: Timestamp, limit: Int) throws -> Int
    {
        isDirty = true
        var othersWatermark = Timestamp.distantFuture
        for other in inputs where other !== input {
            if let watermark = other.watermark { othersWatermark = min(othersWatermark, watermark) }
        }
        var batch = input.open(upTo: timeMax, limit: limit, othersWatermark: othersWatermark)
        var context = TaskContext(self)
        do {
            try calls.deliver(&batch, input.route, &context)
        } catch {
            end(batch, of: input, &context)
            throw explained(error, at: batch.records, in: input)
        }
        end(batch, of: input, &context)
        precondition(batch.taken > 0, "the record that was chosen comes first")
        advanceEventTime()
        return batch.taken
    }

    private func end(
        _ batch: borrowing RecordBatch, of input: any TaskInput, _ context: inout TaskContext
    ) {
        take(back: &context)
        if input.isCounted { sourceRecordCount += batch.taken }
        progress.recordCount += Int64(batch.taken)
        if batch.taken > 0 { progress.timerCount = 0 }
        input.close(batch)
    }

    private func fire(_ timer: EventTimer) throws {
        isDirty = true
        progress.timerCount += 1
        promise = max(promise, timer.time.advanced(by: .milliseconds(-1)))
        var context = TaskContext(self)
        context.currentTimestamp = timer.time
        toldTime = (eventTime.watermark, timer.time)
        defer { take(back: &context) }
        do {
            try calls.timerFired(timer, &context)
        } catch let error where !(error is StateError) {
            throw JobError(
                .userCodeFailed,
                "the task \(name) failed in its timer '\(timer.key)' at \(timer.time): \(error)")
        }
    }

    // MARK: Lending to a context

    func lendKeyBytes() -> [UInt8] {
        defer { keyBytes = [] }
        return keyBytes
    }

    func lendValueBytes() -> [UInt8] {
        defer { valueBytes = [] }
        return valueBytes
    }

    private func take(back context: inout TaskContext) {
        eventTime.advance(to: context.eventTime)
        toldTime.watermark = eventTime.watermark
        promise = context.promise
        lateCount = context.lateCount
        swap(&keyBytes, &context.keyBytes)
        swap(&valueBytes, &context.valueBytes)
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
        toldTime = (logged.watermark, logged.watermark)
        promise = logged.promise
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

    /// What has gone wrong with the next of `records`, in words.
    private func explained(
        _ error: any Error, at records: BatchRecords, in input: any TaskInput
    ) -> any Error {
        if let damage = error as? MalformedBatch { return input.damagedRecord(damage) }
        if error is StateError { return error }
        var records = records
        var position = ""
        if records.left > 0, let record = try? records.read() {
            let key = record.withKey { bytes in
                bytes.map { "'" + String(decoding: $0.prefix(80), as: UTF8.self) + "'" } ?? "null"
            }
            position = " offset \(record.offset), key \(key)"
        }
        return JobError(
            .userCodeFailed,
            "the task \(name) failed at \(input.partition.name)\(position): \(error)")
    }

    // MARK: Sending

    func emit(
        toOutput number: Int, named topic: String, key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?, timestamp: Timestamp, promise: Timestamp, headers: [Header]
    ) throws {
        let slot = outputs.slot(ofOutput: number, named: topic)
        let count = outputs.partitionCount(slot)
        let isInternal = outputs.isInternal(slot)
        if isInternal, internalHeaders.promise != promise {
            internalHeaders = (
                InternalRecord.headers(task: self.number, promise: promise), promise
            )
        }
        let target = key.map { Int(Partitioner.partition(forKey: $0, of: count).rawValue) }
        try outputs.append(
            key: key, value: value, timestamp: timestamp,
            headers: isInternal ? internalHeaders.headers : headers, to: slot,
            target ?? partition % count)
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
