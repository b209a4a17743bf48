// What a partition holds, as numbers for those who look at it from outside.

import Synchronization

/// A partition at one moment.
package struct PartitionDescription: Sendable {
    package let name: TopicPartition
    package let start: Offset
    package let lastStable: Offset
    /// Everything below survives a power loss.
    package let flushed: Offset
    package let end: Offset
    /// Bytes of the `.log` files.
    package let byteCount: Int
    package let segmentCount: Int
    package let leaderEpoch: Int32
    /// Transactions that have records and no marker yet.
    package let openTransactionCount: Int
}

extension CommitLog {
    /// The partitions of a topic, in order. An observer reads the flushed points from the owner's file.
    package func describe(_ topic: Topic) throws -> [PartitionDescription] {
        var points: [RecoveryPoints.Key: Offset] = [:]
        if access == .observer {
            let path = directory + RecoveryPoints.fileName
            for slot in try RecoveryPoints.slots(inFile: path, files) {
                if let key = slot.key { points[key] = slot.point.flushed }
            }
        }
        return try topic.partitions.map { name in
            let partition = try partition(name)
            try partition.refresh()
            return partition.describe(flushed: points[partition.recoveryKey])
        }
    }
}

extension Partition {
    /// - Parameter flushed: Up to where the owner's file says that it is flushed.
    fileprivate func describe(flushed: Offset?) -> PartitionDescription {
        state.withLock { state in
            let ends = state.ends
            return PartitionDescription(
                name: name, start: ends.start, lastStable: ends.lastStable,
                // The file may be from after the look at the segments.
                flushed: min(max(flushed ?? .zero, ends.flushed), ends.logEnd),
                end: ends.logEnd, byteCount: state.segments.reduce(0) { $0 + $1.byteCount },
                segmentCount: state.segments.count, leaderEpoch: state.leaderEpochs.current,
                openTransactionCount: state.producers.openTransactions.count)
        }
    }
}
