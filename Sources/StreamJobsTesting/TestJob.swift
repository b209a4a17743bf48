// A user's job with nothing to start: feed records, read outputs and stores. Topics are in memory, the
// state is as it always is, in a temporary directory and without waiting for the disk.

import FoundationEssentials
import LocalState
public import StreamJobs
import StreamJobsLog

/// A record read from an output.
public struct TestRecord<Key, Value> {
    public let key: Key
    public let value: Value
    public let timestamp: Timestamp
    public let partition: Int
}

extension TestRecord: Equatable where Key: Equatable, Value: Equatable {}
extension TestRecord: Sendable where Key: Sendable, Value: Sendable {}

/// Runs a job on the calling thread, with topics in memory and its state in a temporary directory. Reading an output or a store first works through all
/// that was sent, and commits.
///
/// ```swift
/// let job = try TestJob(PageViewCounter.self)
/// try job.send(PageView("home"), key: "anna", to: PageViewCounter.input)
/// #expect(try job.records(in: PageViewCounter.totals).map(\.value) == [1])
/// ```
public final class TestJob {
    private var job: Job
    private let log = MemoryLog()
    private let directory: String
    private var stepper: JobStepper

    /// - Parameter partitions: Of every source topic, and so the number of tasks.
    public init(_ job: Job, partitions: Int = 2) throws {
        self.job = job
        for input in job.kinds.flatMap(\.inputs) where !input.isInternal {
            if try log.existingTopic(input.topic) == nil {
                _ = try log.createTopic(
                    input.topic, partitions: partitions, isInternal: false,
                    settings: TopicSettings())
            }
        }
        directory =
            FileManager.default.temporaryDirectory
            .appending(path: "streamjobs-test-\(UUID().uuidString)").path
        stepper = try JobStepper(job, on: log, state: .scratch(directory))
    }

    deinit {
        stepper.abandon()
        do {
            try FileManager.default.removeItem(atPath: directory)
        } catch { print("left behind: \(directory): \(error)") }
    }

    /// A job of one task type.
    public convenience init<T: StreamTask>(
        _ task: T.Type, partitions: Int = 1, disorder: Duration = .zero
    ) throws {
        try self.init(Job("test", disorder: disorder, task), partitions: partitions)
    }

    /// Appends a record to a source topic, in the partition of its key.
    /// - Parameter timestamp: 0 unless given, so that a test does not depend on the clock.
    public func send<Key, Value>(
        _ value: Value, key: Key, to input: Input<Key, Value>,
        timestamp: Timestamp = Timestamp(milliseconds: 0)
    ) throws {
        let keyBytes = try input.key.nullableBytes(of: key)
        let valueBytes = try input.value.nullableBytes(of: value)
        guard let topic = try log.existingTopic(input.topic) else {
            throw JobError(.noSuchTopic, "the job does not read '\(input.topic)'")
        }
        let partition = keyBytes.map { bytes in
            bytes.withUnsafeBytes { Partitioner.partition(forKey: $0, of: topic.partitionCount) }
        }
        let batch = BatchBuilder()
        try batch.append(keyBytes, valueBytes, timestamp)
        let name = TopicPartition(input.topic, partition ?? PartitionID(0))
        // The bytes belong to the builder, which may go after its last use.
        try withExtendedLifetime(batch) { _ = try log.logPartition(name).append(batch.seal()) }
    }

    /// What was sent to an output and committed, partition by partition, each in its order.
    public func records<Key, Value>(in output: Output<Key, Value>) throws -> [TestRecord<
        Key, Value
    >] {
        try stepper.runUntilDry()
        guard let topic = try log.existingTopic(output.topic) else { return [] }
        var records: [TestRecord<Key, Value>] = []
        for partition in topic.partitions {
            let cursor = try log.logPartition(partition).makeCursor(from: .zero)
            while try cursor.hasRecord() {
                try cursor.withRecord { record in
                    let key = try record.withKey { try output.key.decodeNullable($0) }
                    let value = try record.withValue { try output.value.decodeNullable($0) }
                    records.append(
                        TestRecord(
                            key: key, value: value, timestamp: record.timestamp,
                            partition: Int(partition.partition.rawValue)))
                }
                cursor.take()
            }
        }
        return records
    }

    /// The entries of a store, over all tasks of a type.
    public func entries<T: StreamTask, Key: StoreKey, Value>(
        of store: String, in task: T.Type, key: Key.Type = Key.self, value: Value.Type = Value.self
    ) throws -> [Key: Value] {
        try stepper.runUntilDry()
        let stores = stepper.stores(store, ofTask: T.name)
        guard !stores.isEmpty else {
            throw JobError(.refused, "the task \(T.name) has no store '\(store)'")
        }
        var entries: [Key: Value] = [:]
        for store in stores {
            guard let typed = store as? KeyValueStore<Key, Value> else {
                throw JobError(
                    .refused,
                    "the store '\(store.description.name)' of \(T.name) has other types than "
                        + "\(Key.self) and \(Value.self)")
            }
            try typed.forEach { entries[$0] = $1 }
        }
        return entries
    }

    /// Ends the input: what was sent is worked through as a bounded run, at whose end all timers fire and
    /// all windows close. More may be sent afterwards; for closed windows it is late.
    public func finish() throws { try stepper.finish() }

    /// How many records tasks have left out as late since the job was made or crashed.
    public var lateCount: Int { stepper.lateCount }

    /// Kills the job, dropping what it has not committed, and starts it again from its state.
    public func crash() throws { try restart(as: job) }

    /// Kills the job, and starts another version of it from the same state and topics. Throws what refuses
    /// it; another version may be tried then.
    public func restart(as job: Job) throws {
        stepper.abandon()
        stepper = try JobStepper(job, on: log, state: .scratch(directory))
        self.job = job
    }

    /// The stores called `name` in the tasks of a type, one for each partition, in the types that the task
    /// has for them: to be read until the job is crashed or gone.
    public func stores<T: StreamTask, Store: AnyObject>(
        _ name: String, in task: T.Type, as type: Store.Type = Store.self
    ) throws -> [Store] {
        try stepper.runUntilDry()
        return try stepper.stores(name, ofTask: T.name).map { store in
            guard let typed = (store.owner ?? store) as? Store else {
                throw JobError(.refused, "the store '\(name)' of \(T.name) is no \(type)")
            }
            return typed
        }
    }
}

extension Serde {
    fileprivate func nullableBytes(of value: Value) throws -> [UInt8]? {
        if isNull(value) { return nil }
        var bytes: [UInt8] = []
        try encode(value, &bytes)
        return bytes
    }

    fileprivate func decodeNullable(_ bytes: UnsafeRawBufferPointer?) throws -> Value {
        if let bytes { return try decode(bytes.bytes) }
        guard let decodeNull else { throw SerdeError("null is no \(name)") }
        return decodeNull()
    }
}

extension BatchBuilder {
    fileprivate func append(_ key: [UInt8]?, _ value: [UInt8]?, _ timestamp: Timestamp) throws {
        try (key ?? []).withUnsafeBytes { keyBytes in
            try (value ?? []).withUnsafeBytes { valueBytes in
                try append(
                    key: key == nil ? nil : keyBytes, value: value == nil ? nil : valueBytes,
                    timestamp: timestamp)
            }
        }
    }
}
