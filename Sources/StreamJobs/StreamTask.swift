// What users write: a type whose values consume partitioned inputs, keep state and emit to outputs.
// The runner makes one value per partition and calls it from one thread.

/// A stream task. The runner makes one for each partition number (Samza's GroupByPartition): task k reads
/// partition k of every input. All calls of one task come from one thread and never overlap; what a
/// call stores and sends becomes durable and visible together with the position behind its record, in
/// the next commit, or not at all.
public protocol StreamTask: SendableMetatype {
    associatedtype Inputs: Route<Self>

    /// What the task reads, and the method that takes each: `On(flights) { try $0.departed($1, &$2) }`.
    /// Of records with equal timestamps those of the input named first come first.
    @RouteBuilder<Self> static var inputs: Inputs { get }

    /// What the task may send to.
    @OutletBuilder static var outputs: [Outlet] { get }

    /// Names the task's state on the disk, with the partition number behind it. Changing it makes
    /// another task that begins anew. The type's name unless given.
    static var name: String { get }

    /// Declares the stores. Does no I/O: `setup` may be a recording one, and stores are empty handles
    /// until the first record.
    init(_ setup: borrowing TaskSetup) throws

    /// Event time has reached a timer that this task has set. The timer is gone before the call.
    mutating func timerFired(_ timer: EventTimer, _ context: inout TaskContext) throws

    /// The task without its type, for the runner. Leave it as it is given: as a requirement it is compiled
    /// for each conforming type, in that type's module, and with it the loop over the records.
    static var taskKind: TaskKind { get }
}

extension StreamTask {
    public static var outputs: [Outlet] { [] }
    public static var name: String { "\(Self.self)" }
    public mutating func timerFired(_ timer: EventTimer, _ context: inout TaskContext) throws {}
    @inlinable
    public static var taskKind: TaskKind { TaskKind(Self.self) }
}

/// A task with one input: there are no routes to write.
public protocol SingleInputTask: StreamTask where Inputs == On<Self, Key, Value> {
    associatedtype Key
    associatedtype Value

    static var input: Input<Key, Value> { get }

    mutating func process(_ record: borrowing Record<Key, Value>, _ context: inout TaskContext)
        throws
}

extension SingleInputTask {
    @inlinable
    public static var inputs: On<Self, Key, Value> {
        On(input) { try $0.process($1, &$2) }
    }
}
