// The inputs that a task reads in a run, at the positions that it has committed.

import StreamJobsLog

struct TaskInputs {
    let plan: JobPlan
    let log: any JobLog

    func partitions(of topic: String, _ count: Int) throws -> [any JobLogPartition] {
        try (0..<count).map { try log.logPartition(TopicPartition(topic, PartitionID($0))) }
    }

    /// - Parameters:
    ///   - ends: Where a bounded run ends, by source partition; of a live run that is done again, too.
    ///   - replayed: The commit up to which a live run is done again; nil in an ordinary run.
    func make(
        of kind: PlannedKind, for task: TaskCore, ends: [PositionKey: Offset], mode: RunMode,
        replaying replayed: LoggedCommit? = nil
    ) throws -> [any TaskInput] {
        var inputs: [any TaskInput] = []
        for (route, input) in kind.inputs.enumerated() {
            let everyPartition = input.description.options.contains(.everyPartition)
            let numbers = everyPartition ? Array(0..<input.partitionCount) : [task.partition]
            for number in numbers {
                let partition = try log.logPartition(
                    TopicPartition(input.topic, PartitionID(number)))
                inputs.append(
                    input.description.isInternal
                        ? try internalInput(partition, route, input, task, mode, replayed)
                        : try sourceInput(
                            partition, route, input, task, ends,
                            replayed == nil ? mode : .bounded(run: 0)))
            }
        }
        try requireSameTopics(inputs, task)
        try StateOwner.requireOwn(task.restoredPositions, of: task.name, reading: inputs)
        return inputs
    }

    private func sourceInput(
        _ partition: any JobLogPartition, _ route: Int, _ input: PlannedInput, _ task: TaskCore,
        _ ends: [PositionKey: Offset], _ mode: RunMode
    ) throws -> SourceInput {
        let key = PositionKey(
            topicID: partition.topicID, partition: partition.name.partition, upstream: 0)
        return SourceInput(
            partition, route: route,
            isBootstrap: input.description.options.contains(.bootstrap),
            isCounted: !input.description.options.contains(.everyPartition)
                || task.partition == 0,
            disorder: input.description.disorder ?? plan.job.disorder,
            from: try position(key, partition, task), end: ends[key] ?? partition.startOffset,
            mode: mode)
    }

    private func internalInput(
        _ partition: any JobLogPartition, _ route: Int, _ input: PlannedInput, _ task: TaskCore,
        _ mode: RunMode, _ replayed: LoggedCommit?
    ) throws -> InternalInput {
        let upstreams = try input.upstreamTasks.map { name in
            let number = InternalRecord.taskNumber(name)
            let key = PositionKey(
                topicID: partition.topicID, partition: partition.name.partition, upstream: number)
            return (task: number, position: try position(key, partition, task))
        }
        // A live run takes records as they lie: it has taken all below the highest position.
        let taken = replayed?.positions.filter {
            $0.key.topicID == partition.topicID && $0.key.partition == partition.name.partition
        }
        return InternalInput(
            partition, route: route, upstreams: upstreams, mode: mode,
            end: taken?.map(\.position.offset).max() ?? Offset(.max))
    }

    /// The committed position, checked against the log; the start for a partition not read before.
    private func position(
        _ key: PositionKey, _ partition: any JobLogPartition, _ task: TaskCore
    ) throws -> InputPosition {
        guard let position = task.commit.positions[key] else {
            return InputPosition(offset: partition.startOffset)
        }
        // A position that has moved since was taken from this very log.
        if let stored = task.restoredPositions[key], stored.position == position {
            try CommitRecovery.requireSameLog(stored, in: partition, task: task.name)
        }
        return position
    }

    /// Throws `refused` where a topic has the name of one that was read, but is another.
    private func requireSameTopics(_ inputs: [any TaskInput], _ task: TaskCore) throws {
        for (key, stored) in task.restoredPositions {
            let sameName = inputs.first { $0.partition.name.topic == stored.topic }
            guard let sameName, sameName.partition.topicID != key.topicID else { continue }
            throw JobError(
                .refused,
                "the topic '\(stored.topic)' was deleted and made again since the task \(task.name) "
                    + "has read it; \(Remedy.copyOrAnew)")
        }
    }
}
