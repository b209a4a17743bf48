public import LocalState

/// A topic that a task reads, with the types of its keys and values.
public struct Input<Key, Value>: Sendable {
    public let topic: String
    public let key: Serde<Key>
    public let value: Serde<Value>
    @usableFromInline let description: InputDescription

    /// - Parameters:
    ///   - topic: The topic's name; it must be there when the job starts.
    ///   - disorder: How far behind the latest record of its partition a record may be, in event time,
    ///     before it is late; the job's allowance unless given.
    public init(
        _ topic: String, key: Serde<Key>, value: Serde<Value>, _ options: InputOptions = [],
        disorder: Duration? = nil
    ) {
        self.init(
            key: key, value: value,
            InputDescription(
                topic: topic, isInternal: false, options: options, disorder: disorder,
                keySerde: key.name, valueSerde: value.name))
    }

    init(key: Serde<Key>, value: Serde<Value>, _ description: InputDescription) {
        topic = description.topic
        self.key = key
        self.value = value
        self.description = description
    }
}

public struct InputOptions: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Read whole, up to what is there at the start, before any other input; and before others later.
    /// It takes no part in event time.
    public static let bootstrap = InputOptions(rawValue: 1)
    /// Every task reads all partitions, rather than its own only (Samza: broadcast).
    public static let everyPartition = InputOptions(rawValue: 2)
}

/// An input without its types, as the plan sees it.
public struct InputDescription: Sendable {
    public let topic: String
    /// A repartition topic of the job; its full name has the job's before it.
    public let isInternal: Bool
    public let options: InputOptions
    public let disorder: Duration?
    public let keySerde: String
    public let valueSerde: String
}
