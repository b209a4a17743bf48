// Which method of a task takes the records of which input. Routes are generic and nested, so that the
// loop over a batch's records, from their bytes to the task's method, is one specialised function.

public import LocalState
public import StreamJobsLog

/// One or more inputs of a task, each with the method that takes its records.
public protocol Route<Task>: SendableMetatype {
    associatedtype Task

    var inputs: [InputDescription] { get }
    static var inputCount: Int { get }

    /// Decodes the records of `batch` and calls the task with each, until the batch or its turn ends.
    /// `input` counts the inputs in their order, from 0. Where it throws, the batch is at the record
    /// concerned: a `MalformedBatch`, or what decoding or the task has thrown.
    func deliver(
        _ batch: inout RecordBatch, of input: Int, to task: inout Task,
        _ context: inout TaskContext) throws
}

/// Sends the records of an input to a method of the task.
public struct On<Task, Key, Value>: Route {
    @usableFromInline let input: Input<Key, Value>
    @usableFromInline
    let handler: (inout Task, borrowing Record<Key, Value>, inout TaskContext) throws -> Void

    @inlinable
    public init(
        _ input: Input<Key, Value>,
        _ handler:
            @escaping (inout Task, borrowing Record<Key, Value>, inout TaskContext) throws -> Void
    ) {
        self.input = input
        self.handler = handler
    }

    /// The other end of a repartition topic that another task of the job sends to.
    @inlinable
    public init(
        _ topic: Repartition<Key, Value>,
        _ handler:
            @escaping (inout Task, borrowing Record<Key, Value>, inout TaskContext) throws -> Void
    ) {
        self.init(topic.input, handler)
    }

    public var inputs: [InputDescription] { [input.description] }
    @inlinable public static var inputCount: Int { 1 }

    @inlinable
    public func deliver(
        _ batch: inout RecordBatch, of _: Int, to task: inout Task, _ context: inout TaskContext
    ) throws {
        while batch.left > 0 {
            var records = batch.records
            let view = try records.read()
            var told: Int64 = 0
            guard batch.admits(view, &told) else { break }
            context.begin(view.timestamp)
            let record = Record(
                key: try view.withKey { try self.input.key.decodeNullable($0, "key") },
                value: try view.withValue { try self.input.value.decodeNullable($0, "value") },
                view: view, source: batch.source)
            try handler(&task, record, &context)
            batch.take(records, told)
            if context.mustPause(after: batch) { break }
        }
    }
}

extension Serde {
    @inlinable
    func decodeNullable(_ bytes: UnsafeRawBufferPointer?, _ part: String) throws -> Value {
        guard let bytes else {
            guard let decodeNull else {
                throw SerdeError("the \(part) is null; read it with .optional(…) to allow that")
            }
            return decodeNull()
        }
        return try decode(bytes.bytes)
    }
}

/// Two routes of one task.
public struct RoutePair<First: Route, Second: Route>: Route where First.Task == Second.Task {
    public typealias Task = First.Task
    @usableFromInline let first: First
    @usableFromInline let second: Second

    @inlinable
    init(_ first: First, _ second: Second) {
        self.first = first
        self.second = second
    }

    public var inputs: [InputDescription] { first.inputs + second.inputs }
    @inlinable public static var inputCount: Int { First.inputCount + Second.inputCount }

    @inlinable
    public func deliver(
        _ batch: inout RecordBatch, of input: Int, to task: inout Task,
        _ context: inout TaskContext
    ) throws {
        if input < First.inputCount {
            try first.deliver(&batch, of: input, to: &task, &context)
        } else {
            try second.deliver(&batch, of: input - First.inputCount, to: &task, &context)
        }
    }
}

/// Gathers the routes of a task.
@resultBuilder
public enum RouteBuilder<Task> {
    @inlinable
    public static func buildExpression<Key, Value>(_ route: On<Task, Key, Value>)
        -> On<Task, Key, Value>
    { route }

    @inlinable
    public static func buildPartialBlock<R: Route<Task>>(first: R) -> R { first }

    @inlinable
    public static func buildPartialBlock<First: Route<Task>, Second: Route<Task>>(
        accumulated: First, next: Second
    ) -> RoutePair<First, Second> {
        RoutePair(accumulated, next)
    }
}
