public import LocalState
private import Synchronization

/// A topic that a task sends to, with the types of its keys and values. It is made when the job starts
/// if it is not there, with as many partitions as the task has.
public struct Output<Key, Value>: Sendable {
    public let topic: String
    public let key: Serde<Key>
    public let value: Serde<Value>
    /// A small number of its own for every output of the process, so that `send` looks nothing up.
    @usableFromInline let number: Int
    let isInternal: Bool

    public init(_ topic: String, key: Serde<Key>, value: Serde<Value>) {
        self.init(topic, key: key, value: value, isInternal: false)
    }

    init(_ topic: String, key: Serde<Key>, value: Serde<Value>, isInternal: Bool) {
        self.topic = topic
        self.key = key
        self.value = value
        self.isInternal = isInternal
        number = nextOutputNumber.add(1, ordering: .relaxed).oldValue
    }
}

private let nextOutputNumber = Atomic<Int>(0)

/// An output without its types, as the plan sees it.
public struct Outlet: Sendable {
    public let topic: String
    /// A repartition topic of the job; its full name has the job's before it.
    public let isInternal: Bool
    public let keySerde: String
    public let valueSerde: String
    let number: Int
}

/// A topic of the job's own between two of its tasks: the first sends records under another key, the
/// second reads them grouped by it. Watermarks and ends travel on it too.
public struct Repartition<Key, Value>: Sendable {
    public let output: Output<Key, Value>
    public let input: Input<Key, Value>

    /// A record is to be sent with a timestamp that its task's event time has not passed (that of a record
    /// which is not late, or of a timer less a millisecond): otherwise it is late at the other end, and
    /// its place among others may differ from run to run.
    /// - Parameter name: Unique within the job. The topic is `<job>-<name>-repartition`.
    public init(_ name: String, key: Serde<Key>, value: Serde<Value>) {
        output = Output(name, key: key, value: value, isInternal: true)
        input = Input(
            key: key, value: value,
            InputDescription(
                topic: name, isInternal: true, options: [], disorder: nil, keySerde: key.name,
                valueSerde: value.name))
    }
}

/// Gathers the outputs of a task.
@resultBuilder
public enum OutletBuilder {
    public static func buildExpression<Key, Value>(_ output: Output<Key, Value>) -> [Outlet] {
        [
            Outlet(
                topic: output.topic, isInternal: output.isInternal, keySerde: output.key.name,
                valueSerde: output.value.name, number: output.number)
        ]
    }
    public static func buildExpression<Key, Value>(_ topic: Repartition<Key, Value>) -> [Outlet] {
        buildExpression(topic.output)
    }
    public static func buildBlock(_ outlets: [Outlet]...) -> [Outlet] { outlets.flatMap(\.self) }
}
