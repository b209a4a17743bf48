// The records that a task has sent since its last commit, as batches in memory: nothing of them is in
// the log before the commit begins.

import LocalState
import StreamJobsLog

/// What a transaction has appended to one partition.
struct AppendedRange {
    let partition: any JobLogPartition
    let first: Offset
    let last: Offset
}

struct OutputBuffer {
    private struct Target {
        let partition: any JobLogPartition
        /// The last one is still open.
        var batches: [BatchBuilder] = []
        /// The topic's, when the last batch was begun.
        var settings = TopicSettings()

        /// A batch with room for a record of `bytes` in key and value; a new one goes by what the topic's
        /// settings are now.
        mutating func batch(forBytes bytes: Int, _ headers: [Header]) -> BatchBuilder {
            if let open = batches.last, open.hasRoom(for: bytes, headers: headers) { return open }
            settings = partition.settings
            let batch = BatchBuilder(bytesMax: settings.builderBytesMax)
            batches.append(batch)
            return batch
        }
    }

    /// One output's partitions.
    private struct Destination {
        let outlet: Outlet
        var targets: [Target]
        /// Of keys and values.
        var byteCount = 0
    }

    /// Which outputs are written.
    enum Selection {
        case all
        /// Those to other tasks of the job.
        case repartitions
        /// Those that others read.
        case outputs

        fileprivate func contains(_ outlet: Outlet) -> Bool {
            switch self {
            case .all: true
            case .repartitions: outlet.isInternal
            case .outputs: !outlet.isInternal
            }
        }
    }

    private var destinations: [Destination]
    /// From an output's number in the process to its place here.
    private var slots: [Int?]
    private(set) var byteCount = 0

    init(_ outputs: [(outlet: Outlet, partitions: [any JobLogPartition])]) {
        destinations = outputs.map { output in
            Destination(
                outlet: output.outlet, targets: output.partitions.map { Target(partition: $0) })
        }
        slots = []
        for (slot, output) in outputs.enumerated() {
            let number = output.outlet.number
            while slots.count <= number { slots.append(nil) }
            slots[number] = slot
        }
    }

    var partitions: [any JobLogPartition] { destinations.flatMap { $0.targets.map(\.partition) } }
    var hasInternal: Bool { destinations.contains { $0.outlet.isInternal } }

    /// The place of an output that the task has declared.
    func slot(ofOutput number: Int, named topic: String) -> Int {
        if number < slots.count, let slot = slots[number] { return slot }
        // An output made anew at each use (`static var … { Output(…) }`) has another number each time.
        guard let slot = destinations.firstIndex(where: { $0.outlet.topic == topic }) else {
            preconditionFailure(
                "a task sends to '\(topic)', which is not among its `static var outputs`")
        }
        return slot
    }

    func isInternal(_ slot: Int) -> Bool { destinations[slot].outlet.isInternal }
    func partitionCount(_ slot: Int) -> Int { destinations[slot].targets.count }

    /// Throws `recordTooLarge` and `invalidRecord`, which name the topic; nothing is added then.
    mutating func append(
        key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, timestamp: Timestamp,
        headers: [Header], to slot: Int, _ partition: Int
    ) throws {
        let size = (key?.count ?? 0) + (value?.count ?? 0)
        let batch = destinations[slot].targets[partition].batch(forBytes: size, headers)
        do {
            if key == nil, destinations[slot].targets[partition].settings.requiresKeys {
                throw LogError.keyMissing(in: destinations[slot].outlet.topic)
            }
            try batch.append(key: key, value: value, timestamp: timestamp, headers: headers)
        } catch {
            if batch.isEmpty { destinations[slot].targets[partition].batches.removeLast() }
            guard let refusal = error as? LogError else { throw error }
            throw BatchBuilder.refusal(of: refusal, by: destinations[slot].outlet.topic)
        }
        destinations[slot].byteCount += size
        byteCount += size
    }

    /// To every partition of every repartition topic.
    mutating func appendMarks(_ headers: [Header], timestamp: Timestamp) throws {
        for slot in destinations.indices where destinations[slot].outlet.isInternal {
            for partition in destinations[slot].targets.indices {
                try append(
                    key: nil, value: nil, timestamp: timestamp, headers: headers, to: slot,
                    partition)
            }
        }
    }

    /// Drops what is held back.
    mutating func discard() {
        for slot in destinations.indices {
            for index in destinations[slot].targets.indices {
                destinations[slot].targets[index].batches.removeAll(keepingCapacity: true)
            }
            destinations[slot].byteCount = 0
        }
        byteCount = 0
    }

    /// Appends the batches of what is selected, which then is empty: as parts of `producer`'s transaction,
    /// or without one.
    mutating func write(_ selection: Selection, as producer: ProducerStamp?) throws
        -> [AppendedRange]
    {
        var ranges: [AppendedRange] = []
        for slot in destinations.indices where selection.contains(destinations[slot].outlet) {
            for index in destinations[slot].targets.indices {
                let target = destinations[slot].targets[index]
                let settings = target.partition.settings
                var first: Offset?
                var last = Offset.zero
                for batch in target.batches {
                    let count = batch.recordCount
                    let offset = try target.partition.append(
                        batch.seal(
                            for: settings, producer: producer, isTransactional: producer != nil))
                    first = first ?? offset
                    last = offset + (count - 1)
                }
                if let first {
                    ranges.append(
                        AppendedRange(partition: target.partition, first: first, last: last))
                }
                destinations[slot].targets[index].batches.removeAll(keepingCapacity: true)
            }
            byteCount -= destinations[slot].byteCount
            destinations[slot].byteCount = 0
        }
        return ranges
    }
}
