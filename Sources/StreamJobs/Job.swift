// A job: its name and its kinds of tasks. A value without I/O; `JobRun` runs it.

/// One or more kinds of tasks that run together. Tasks of different kinds talk through `Repartition`
/// topics; a kind stands behind those that it reads from.
public struct Job: Sendable {
    public let name: String
    /// One line for `jobs`.
    public let summary: String
    /// How far behind the latest record of its partition a record may be, in event time, before it is
    /// late.
    public var disorder: Duration
    /// How often an input record's effect is seen in the outputs, crashes included; a run may say otherwise.
    public var guarantee = Guarantee.exactlyOnce
    package let kinds: [TaskKind]

    @inlinable
    public init<each T: StreamTask>(
        _ name: String, summary: String = "", disorder: Duration = .zero,
        _ kinds: repeat (each T).Type
    ) {
        var erased: [TaskKind] = []
        // Through the type's own witness: what is generic over a pack is not specialised.
        repeat erased.append((each kinds).taskKind)
        self.init(name, summary: summary, disorder: disorder, kinds: erased)
    }

    @usableFromInline
    init(_ name: String, summary: String, disorder: Duration, kinds: [TaskKind]) {
        self.name = name
        self.summary = summary
        self.disorder = disorder
        self.kinds = kinds
    }
}

/// A task type without its type: what it declares, and how one is made.
public struct TaskKind: Sendable {
    package let name: String
    package let inputs: [InputDescription]
    package let outputs: [Outlet]
    let make: @Sendable (borrowing TaskSetup) throws -> TaskCalls

    /// The closures are formed here, where the type is known, so that all behind them specialises.
    @inlinable
    init<T: StreamTask>(_ type: T.Type) {
        self.init(name: T.name, inputs: T.inputs.inputs, outputs: T.outputs) { setup in
            var task = try T(setup)
            return TaskCalls(
                deliver: { batch, input, context in
                    // Made here, once a batch: the compiler sees which methods the routes call.
                    try T.inputs.deliver(&batch, of: input, to: &task, &context)
                },
                timerFired: { timer, context in try task.timerFired(timer, &context) })
        }
    }

    @usableFromInline
    init(
        name: String, inputs: [InputDescription], outputs: [Outlet],
        make: @escaping @Sendable (borrowing TaskSetup) throws -> TaskCalls
    ) {
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.make = make
    }
}
