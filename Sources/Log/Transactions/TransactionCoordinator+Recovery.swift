// What the coordinator does when the log is opened. The states are the last records of their topic; the
// partitions know what is open in them. Between them:
//
//   Prepare*    markers are written where they are missing; the partitions are complete
//   Ongoing     stays open until its timeout: a client may come back for it. What has passed while nobody
//               had the log is told by the wall clock, the only one that went on
//   otherwise   what a partition has open of the current epoch is an Ongoing whose record was lost with
//               the power; of an earlier epoch, it was aborted and its marker lost: it is aborted again

import Synchronization

extension TransactionCoordinator {
    func recover() throws -> [String: Entry] {
        guard let topic = try TransactionTopic.existing(in: log) else { return [:] }
        let time = now()
        let states = try TransactionTopic.load(topic, in: log)
        // An older catalogue must not give out an id that has a holder who has written nothing yet.
        log.contents.withLock { contents in
            for metadata in states.values {
                contents.catalog.producerIDSeen(metadata.producer.id)
                contents.catalog.producerIDSeen(metadata.nextProducerID)
            }
        }
        let entries = states.mapValues { metadata in
            let isOngoing = metadata.state == .ongoing
            return Entry(metadata, deadline: isOngoing ? time + Self.timeLeft(of: metadata) : nil)
        }
        for entry in entries.values {
            // On a full disk the log opens all the same; markers are written later (`expire`).
            try entry.state.withLock { state in
                do {
                    try finish(&state)
                } catch let error as LogError where error.code == .noSpace {}
            }
        }
        try adoptOpen(entries)
        return entries
    }

    /// All of its timeout where the clock says that it begins in the future: the clock was set back.
    private static func timeLeft(of metadata: TransactionMetadata) -> Duration {
        let (now, start) = (Timestamp.now(), metadata.start)
        guard start.milliseconds >= 0, now > start else { return metadata.timeout }
        return max(.zero, metadata.timeout - .milliseconds(now.milliseconds - start.milliseconds))
    }

    private func adoptOpen(_ entries: [String: Entry]) throws {
        var owners: [Int64: Entry] = [:]
        for entry in entries.values {
            let metadata = entry.state.withLock { $0.metadata }
            owners[metadata.producer.id] = entry
            if metadata.previousProducerID >= 0 { owners[metadata.previousProducerID] = entry }
        }
        guard !owners.isEmpty else { return }
        for name in log.topics.flatMap(\.partitions) {
            let partition = try log.partition(name)
            for open in partition.openTransactions {
                guard let entry = owners[open.producer.id] else { continue }
                try entry.state.withLock { try adopt(open, in: partition, &$0) }
            }
        }
    }

    private func adopt(
        _ open: OpenTransaction, in partition: Partition, _ state: inout Entry.State
    ) throws {
        // Its marker is still to be written.
        if state.metadata.state.isPrepared { return }
        guard open.producer == state.metadata.producer else {
            return try partition.end(open.producer, with: .abort)
        }
        state.metadata.add([partition.name], at: .now())
        state.deadline = state.deadline ?? now() + state.metadata.timeout
    }
}
