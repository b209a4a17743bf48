/// A task without its type: closures over one value of it, to be called from its thread only.
@usableFromInline
struct TaskCalls {
    /// Records of the input with that number.
    @usableFromInline
    let deliver: (inout RecordBatch, Int, inout TaskContext) throws -> Void
    @usableFromInline
    let timerFired: (EventTimer, inout TaskContext) throws -> Void

    @usableFromInline
    init(
        deliver: @escaping (inout RecordBatch, Int, inout TaskContext) throws -> Void,
        timerFired: @escaping (EventTimer, inout TaskContext) throws -> Void
    ) {
        self.deliver = deliver
        self.timerFired = timerFired
    }
}
