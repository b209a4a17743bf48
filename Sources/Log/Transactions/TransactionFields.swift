// Kafka's field encodings, as the records of transactions use them.

struct TransactionFieldWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.bigEndian) { bytes += $0 }
    }

    mutating func put(_ string: String) {
        let text = Array(string.utf8)
        precondition(text.count <= Int(Int16.max), "a string's length is 16 bits")
        put(Int16(text.count))
        bytes += text
    }

    mutating func putVarint(_ number: Int) {
        precondition(number >= 0)
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// A compact array of topics, each with a compact array of its partitions' numbers; in order, so
    /// that the same partitions give the same bytes.
    mutating func putPartitions(_ partitions: Set<TopicPartition>) {
        let topics = Dictionary(grouping: partitions, by: \.topic).sorted { $0.key < $1.key }
        putVarint(topics.count + 1)
        for (topic, partitions) in topics {
            let text = Array(topic.utf8)
            putVarint(text.count + 1)
            bytes += text
            putVarint(partitions.count + 1)
            for partition in partitions.map(\.partition.rawValue).sorted() { put(partition) }
            putVarint(0)
        }
    }
}

/// Reads forward through bytes that nobody has checked.
struct TransactionFieldReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    mutating func take(_ count: Int) throws(MalformedBatch) -> ArraySlice<UInt8> {
        guard count >= 0, count <= rest.count else { throw .cutShort }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func take<T: FixedWidthInteger>(_ type: T.Type) throws(MalformedBatch) -> T {
        try take(T.bitWidth / 8).reduce(0) { ($0 << 8) | T(truncatingIfNeeded: $1) }
    }

    mutating func takeVarint() throws(MalformedBatch) -> Int {
        var result = 0
        // Counts are 32 bits at most.
        for shift in stride(from: 0, to: 35, by: 7) {
            let byte = try take(UInt8.self)
            result |= Int(byte & 0x7f) << shift
            if byte < 0x80 { return result }
        }
        throw .field("a variable-length number has more than 5 bytes")
    }

    mutating func takeString() throws(MalformedBatch) -> String {
        try text(try take(Int(try take(Int16.self))))
    }

    /// Empty for null.
    mutating func takePartitions(isCompact: Bool) throws(MalformedBatch) -> Set<TopicPartition> {
        var partitions: Set<TopicPartition> = []
        // A claimed count allocates nothing: each element is taken from bytes that are there.
        for _ in 0..<(try takeCount(isCompact)) {
            let topic = isCompact ? try text(try take(try takeCount(true))) : try takeString()
            for _ in 0..<(try takeCount(isCompact)) {
                let number = try take(Int32.self)
                guard number >= 0 else { throw .field("a partition's number is \(number)") }
                partitions.insert(TopicPartition(topic, PartitionID(Int(number))))
            }
            guard isCompact else { continue }
            for _ in 0..<(try takeVarint()) {
                _ = try takeVarint()
                _ = try take(try takeVarint())
            }
        }
        return partitions
    }

    private mutating func takeCount(_ isCompact: Bool) throws(MalformedBatch) -> Int {
        max(0, isCompact ? try takeVarint() - 1 : Int(try take(Int32.self)))
    }

    private func text(_ bytes: ArraySlice<UInt8>) throws(MalformedBatch) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .field("a string is not UTF-8")
        }
        return text
    }
}
