public import StreamJobsLog

/// A record as a task sees it: decoded, and where it came from. Valid during the call that it is given to.
public struct Record<Key, Value>: ~Copyable {
    public let key: Key
    public let value: Value
    @usableFromInline let view: RecordView
    // The input's, which outlives the call; a record is only lent, so that it does not.
    @usableFromInline unowned(unsafe) let source: RecordSource

    @inlinable @inline(__always)
    init(key: Key, value: Value, view: consuming RecordView, source: RecordSource) {
        self.key = key
        self.value = value
        self.view = view
        self.source = source
    }

    @inlinable public var timestamp: Timestamp { view.timestamp }
    /// The topic as the input names it.
    @inlinable public var topic: String { source.topic }
    @inlinable public var partition: PartitionID { source.partition }
    @inlinable public var offset: Offset { view.offset }

    /// Decoded anew each time. Throws `LogError` if their bytes are damaged.
    public var headers: [Header] { get throws { try view.headers() } }

    /// The key's bytes as they lie in the log, nil for null: nothing is copied. An input whose key is
    /// `.ignored` decodes none.
    @inlinable
    public func withKeyBytes<R>(_ body: (RawSpan?) throws -> R) rethrows -> R {
        try view.withKey { try body($0?.bytes) }
    }

    /// The value's bytes as they lie in the log, nil for null.
    @inlinable
    public func withValueBytes<R>(_ body: (RawSpan?) throws -> R) rethrows -> R {
        try view.withValue { try body($0?.bytes) }
    }
}
