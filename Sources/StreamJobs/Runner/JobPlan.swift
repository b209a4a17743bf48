// What a job becomes on a certain log: its topics with their partitions, its tasks and what each reads and
// writes. Everything that can be wrong with a declaration is found here, before anything is made.

import StreamJobsLog

/// One task type on this log.
struct PlannedKind {
    let kind: TaskKind
    let taskCount: Int
    let inputs: [PlannedInput]
    let outputs: [PlannedOutput]

    func taskName(_ partition: Int) -> String { "\(kind.name)-\(partition)" }
}

struct PlannedInput {
    let description: InputDescription
    let topic: String
    let partitionCount: Int
    /// The tasks that write a repartition topic, in their order; none for a source.
    let upstreamTasks: [String]
}

struct PlannedOutput {
    let outlet: Outlet
    let topic: String
    let partitionCount: Int
}

struct JobPlan {
    let job: Job
    let kinds: [PlannedKind]

    /// Throws `noSuchTopic` or `refused`, naming the job, the task and what to do.
    init(_ job: Job, on log: any JobLog) throws {
        self.job = job
        try Self.requireTopicName(job.name, "the job's name")
        guard !job.kinds.isEmpty else {
            throw JobError(.refused, "the job '\(job.name)' has no tasks")
        }
        var kinds: [PlannedKind] = []
        for kind in job.kinds {
            kinds.append(try Self.plan(kind, of: job, after: kinds, on: log))
        }
        self.kinds = kinds
        try requireDistinctNames()
    }

    /// Makes the topics that are not there yet.
    func createTopics(on log: any JobLog) throws {
        for output in kinds.flatMap(\.outputs) where try log.existingTopic(output.topic) == nil {
            _ = try log.createTopic(
                output.topic, partitions: output.partitionCount,
                isInternal: output.outlet.isInternal, settings: TopicSettings())
        }
    }

    static func repartitionTopic(_ name: String, of job: Job) -> String {
        "\(job.name)-\(name)-repartition"
    }

    private static func plan(
        _ kind: TaskKind, of job: Job, after kinds: [PlannedKind], on log: any JobLog
    ) throws -> PlannedKind {
        let inputs = try kind.inputs.map { input in
            input.isInternal
                ? try repartition(input, of: kind, job, after: kinds)
                : try source(input, of: kind, job, on: log)
        }
        for (index, input) in inputs.enumerated()
        where inputs[..<index].contains(where: { $0.topic == input.topic }) {
            // Positions are kept by partition: two readers of one would share a position.
            throw JobError(
                .refused,
                "the task \(kind.name) of the job '\(job.name)' reads the topic '\(input.topic)' "
                    + "twice; read it once and do both in that method")
        }
        let own = inputs.filter { !$0.description.options.contains(.everyPartition) }
        let counts = Set(own.map(\.partitionCount))
        guard counts.count <= 1 else {
            let list = own.map { "\($0.topic) has \($0.partitionCount)" }.joined(separator: ", ")
            throw JobError(
                .refused,
                "the inputs of \(kind.name) must have equal partition counts, since its task k reads "
                    + "partition k of each: \(list)")
        }
        guard !inputs.isEmpty else {
            throw JobError(.refused, "the task \(kind.name) of the job '\(job.name)' has no input")
        }
        try requireTopicName(kind.name, "the task's name")
        let taskCount = counts.first ?? 1
        let outputs = try kind.outputs.map { outlet in
            let topic =
                outlet.isInternal ? repartitionTopic(outlet.topic, of: job) : outlet.topic
            let planned = kinds.lazy.flatMap(\.outputs).first { $0.topic == topic }
            let existing = try log.existingTopic(topic)?.partitionCount
            return PlannedOutput(
                outlet: outlet, topic: topic,
                partitionCount: existing ?? planned?.partitionCount ?? taskCount)
        }
        return PlannedKind(kind: kind, taskCount: taskCount, inputs: inputs, outputs: outputs)
    }

    /// Names become parts of topics' and directories' names.
    private static func requireTopicName(_ name: String, _ what: String) throws {
        do {
            try Topic.validate(name)
        } catch {
            throw JobError(.refused, "\(what) becomes part of a topic's name, and \(error)")
        }
    }

    private static func source(
        _ input: InputDescription, of kind: TaskKind, _ job: Job, on log: any JobLog
    ) throws -> PlannedInput {
        guard let topic = try log.existingTopic(input.topic) else {
            throw JobError(
                .noSuchTopic,
                "the job '\(job.name)' reads the topic '\(input.topic)', which is not there; make it "
                    + "with 'topics create \(input.topic) --partitions N'")
        }
        return PlannedInput(
            description: input, topic: topic.name, partitionCount: topic.partitionCount,
            upstreamTasks: [])
    }

    private static func repartition(
        _ input: InputDescription, of kind: TaskKind, _ job: Job, after kinds: [PlannedKind]
    ) throws -> PlannedInput {
        let topic = repartitionTopic(input.topic, of: job)
        let writers = kinds.filter { $0.outputs.contains { $0.topic == topic } }
        guard let output = writers.first?.outputs.first(where: { $0.topic == topic }) else {
            throw JobError(
                .refused,
                "the task \(kind.name) reads the repartition topic '\(input.topic)', which no task "
                    + "named before it in the job '\(job.name)' sends to")
        }
        return PlannedInput(
            description: input, topic: topic, partitionCount: output.partitionCount,
            upstreamTasks: writers.flatMap { writer in
                (0..<writer.taskCount).map(writer.taskName)
            })
    }

    private func requireDistinctNames() throws {
        var numbers: [UInt32: String] = [:]
        for kind in kinds {
            for partition in 0..<kind.taskCount {
                let name = kind.taskName(partition)
                let other = numbers.updateValue(name, forKey: InternalRecord.taskNumber(name))
                guard other == nil else {
                    throw JobError(
                        .refused,
                        "the job '\(job.name)' has two tasks that cannot be told apart, \(name) and "
                            + "\(other ?? ""); give one another `static var name`")
                }
            }
        }
    }
}
