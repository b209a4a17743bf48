// Scans over the keys that begin alike: texts and bytes by their beginnings, tuples by their first parts.

extension KeyValueStore {
    /// Hands the entries whose encoded keys begin with `prefix` to `body`, until it returns false.
    @usableFromInline
    package func scan(
        encodedPrefix prefix: [UInt8], order: ScanOrder, _ body: (Key, Value) throws -> Bool
    ) throws {
        try scan(
            encodedFrom: prefix, encodedTo: KeyBounds.end(ofPrefix: prefix), order: order, body)
    }
}

extension KeyValueStore where Key == String {
    /// Hands the entries whose keys begin with `prefix`, scalar for scalar, to `body`, until it returns
    /// false. As ``scan(from:to:order:_:)`` does.
    @inlinable
    public func scan(
        prefix: String, order: ScanOrder = .ascending, _ body: (String, Value) throws -> Bool
    ) throws {
        try scan(encodedPrefix: Array(prefix.utf8), order: order, body)
    }
}

extension KeyValueStore where Key == [UInt8] {
    /// Hands the entries whose keys begin with `prefix` to `body`, until it returns false. As
    /// ``scan(from:to:order:_:)`` does.
    @inlinable
    public func scan(
        prefix: [UInt8], order: ScanOrder = .ascending, _ body: ([UInt8], Value) throws -> Bool
    ) throws {
        try scan(encodedPrefix: prefix, order: order, body)
    }
}

extension KeyValueStore {
    /// Hands the entries of one first part to `body`, by their second parts, until it returns false. As
    /// ``scan(from:to:order:_:)`` does.
    @inlinable
    public func scan<First, Second>(
        prefix first: First, order: ScanOrder = .ascending,
        _ body: (KeyPair<First, Second>, Value) throws -> Bool
    ) throws where Key == KeyPair<First, Second> {
        try scan(encodedPrefix: KeyBounds.part(first), order: order, body)
    }

    /// Hands the entries of one first part to `body`, by their other parts, until it returns false. As
    /// ``scan(from:to:order:_:)`` does.
    @inlinable
    public func scan<First, Second, Third>(
        prefix first: First, order: ScanOrder = .ascending,
        _ body: (KeyTriple<First, Second, Third>, Value) throws -> Bool
    ) throws where Key == KeyTriple<First, Second, Third> {
        try scan(encodedPrefix: KeyBounds.part(first), order: order, body)
    }

    /// Hands the entries of one first and second part to `body`, by their third parts, until it returns
    /// false. As ``scan(from:to:order:_:)`` does.
    @inlinable
    public func scan<First, Second, Third>(
        prefix first: First, _ second: Second, order: ScanOrder = .ascending,
        _ body: (KeyTriple<First, Second, Third>, Value) throws -> Bool
    ) throws where Key == KeyTriple<First, Second, Third> {
        try scan(
            encodedPrefix: KeyBounds.part(KeyPair(first, second)), order: order, body)
    }
}
