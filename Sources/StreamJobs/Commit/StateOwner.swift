// Whether a state is that of the task that opens it. Where the directories of two tasks were exchanged, or one was
// put back under another's name, the commits may count the same, and only the positions show it.

import StreamJobsLog

enum StateOwner {
    /// Throws `refused` where a position is of a partition that the task does not read, of a topic that it does:
    /// to read its own partition from the beginning would send again what was sent.
    static func requireOwn(
        _ positions: [PositionKey: StoredPosition], of task: String, reading inputs: [any TaskInput]
    ) throws {
        for (key, stored) in positions {
            let partitions = inputs.map(\.partition).filter { $0.topicID == key.topicID }
            guard let own = partitions.first,
                !partitions.contains(where: { $0.name.partition == key.partition })
            else { continue }
            throw JobError(
                .refused,
                "the state of the task \(task) is another task's: it has read partition "
                    + "\(key.partition) of \(stored.topic), and this task reads \(own.name); "
                    + Remedy.copyOrAnew)
        }
    }
}
