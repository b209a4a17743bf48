// Which method of a task takes the records of which input. Routes are generic and nested, so that the
// way from a record's bytes to the task's method is one specialised function.

public import LocalState
public import StreamJobsLog

/// One or more inputs of a task, each with the method that takes its records.
public protocol Route<Task>: SendableMetatype {
    associatedtype Task

    var inputs: [InputDescription] { get }

    /// Decodes the record and calls the task. `input` counts the inputs in their order, from 0.
    func deliver(
        _ record: borrowing RecordView, of input: Int, to task: inout Task,
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

    @inlinable
    public func deliver(
        _ record: borrowing RecordView, of input: Int, to task: inout Task,
        _ context: inout TaskContext
    ) throws {
        let decoded = Record(
            key: try record.withKey { try self.input.key.decodeNullable($0, "key") },
            value: try record.withValue { try self.input.value.decodeNullable($0, "value") },
            timestamp: record.timestamp, topic: self.input.topic,
            partition: context.recordPartition, offset: record.offset,
            headers: record.hasHeaders ? try record.headers() : [])
        try handler(&task, decoded, &context)
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
    @usableFromInline let firstCount: Int

    @inlinable
    init(_ first: First, _ second: Second) {
        self.first = first
        self.second = second
        firstCount = first.inputs.count
    }

    public var inputs: [InputDescription] { first.inputs + second.inputs }

    @inlinable
    public func deliver(
        _ record: borrowing RecordView, of input: Int, to task: inout Task,
        _ context: inout TaskContext
    ) throws {
        if input < firstCount {
            try first.deliver(record, of: input, to: &task, &context)
        } else {
            try second.deliver(record, of: input - firstCount, to: &task, &context)
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
