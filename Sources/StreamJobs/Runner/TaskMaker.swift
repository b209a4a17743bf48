// Makes a task on a state: what an ordinary start and a rebuild have in common.

import LocalState
import StreamJobsLog

/// A task whose state is open, and nothing done yet.
struct MadeTask {
    let task: TaskCore
    let restored: RestoredTask
    /// All partitions that it may send to.
    let outputs: [any JobLogPartition]
}

struct TaskMaker {
    let inputs: TaskInputs
    /// Each task's share.
    let memory: TaskMemory

    init(_ plan: JobPlan, on log: any JobLog, memoryBytes: Int) {
        inputs = TaskInputs(plan: plan, log: log)
        memory = TaskMemory(
            bytes: memoryBytes, tasks: plan.kinds.reduce(0) { $0 + $1.taskCount })
    }

    /// Opens the state in `directory` and makes the task on it. The caller closes the environment.
    func make(
        _ kind: PlannedKind, _ partition: Int, directory: String, durability: StateDurability
    ) throws -> MadeTask {
        let name = kind.taskName(partition)
        let declarations = TaskSetup.Declarations()
        let calls = try kind.kind.make(TaskSetup(partition: partition, declarations))
        let environment = StateEnvironment(
            directory: directory,
            settings: StateSettings(
                durability: durability, memoryBytesMax: memory.stateBytesMax))
        for store in declarations.stores { environment.register(store) }
        try environment.open()
        let newProducerID: () throws -> Int64 = { [log = inputs.log] in
            try log.takeProducerIDs(1)
        }
        let restored = try RestoredTask(environment, of: name, newProducerID: newProducerID)
        let outputs = try kind.outputs.map { output in
            (
                outlet: output.outlet,
                partitions: try inputs.partitions(of: output.topic, output.partitionCount)
            )
        }
        let task = TaskCore(
            name: name, partition: partition, calls: calls, environment: environment,
            stores: declarations.stores, outputs: OutputBuffer(outputs), memory: memory,
            isTimeAsked: declarations.isTimeAsked,
            restored: restored, newProducerID: newProducerID)
        declarations.clock.readWatermark = { [unowned task] in
            task.toldTime.watermark.milliseconds
        }
        declarations.clock.readTimestamp = { [unowned task] in task.toldTime.record.milliseconds }
        return MadeTask(task: task, restored: restored, outputs: outputs.flatMap(\.partitions))
    }
}
