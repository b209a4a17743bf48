// A job's memory, shared out over its tasks. A task that holds more than its share commits early: what is
// committed need not be held.

/// What a task may hold at most, about, before it commits.
struct TaskMemory {
    /// Of keys and values that it has sent.
    let outputBytesMax: Int
    /// Of what its stores hold in memory.
    let stateBytesMax: Int

    /// - Parameter bytes: Of the whole job. Tasks have at least as much as makes sense, however many they are.
    init(bytes: Int, tasks count: Int) {
        let share = max(Limits.taskMemoryBytesMin, bytes / max(1, count))
        outputBytesMax = share / Limits.outputPart
        stateBytesMax = share - outputBytesMax
    }
}
