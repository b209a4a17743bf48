// The names of things in the log, each a type of its own so that an offset is never passed for a
// partition. All are plain values; none knows where the thing is kept.

/// The position of a record in its partition: 0 for the first, rising by one; never reused.
@frozen
public struct Offset: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    @inlinable
    public init(_ rawValue: Int64) {
        precondition(rawValue >= 0, "an offset is never negative")
        self.rawValue = rawValue
    }

    public static let zero = Offset(0)

    @inlinable
    public static func < (left: Offset, right: Offset) -> Bool { left.rawValue < right.rawValue }
    @inlinable
    public static func + (offset: Offset, distance: Int) -> Offset {
        Offset(offset.rawValue + Int64(distance))
    }
    public var description: String { String(rawValue) }
}

/// The number of a partition within its topic, from 0.
@frozen
public struct PartitionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    @inlinable
    public init(_ rawValue: Int) {
        precondition(rawValue >= 0, "a partition number is never negative")
        self.rawValue = Int32(rawValue)
    }

    public static func < (left: PartitionID, right: PartitionID) -> Bool {
        left.rawValue < right.rawValue
    }
    public var description: String { String(rawValue) }
}

/// One partition of one topic, by name. Its text is the name of its directory.
public struct TopicPartition: Hashable, Sendable, CustomStringConvertible {
    public let topic: String
    public let partition: PartitionID

    public init(_ topic: String, _ partition: PartitionID) {
        self.topic = topic
        self.partition = partition
    }

    public var description: String { "\(topic)-\(partition)" }
}

/// Sixteen random bytes that name a topic for ever: a topic deleted and made again is another topic.
public struct TopicID: Hashable, Sendable, CustomStringConvertible {
    @usableFromInline package let high: UInt64
    @usableFromInline package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static func random() -> TopicID {
        TopicID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    }

    /// 32 hexadecimal digits, as `description` writes them.
    package init?(hexadecimal text: Substring) {
        guard text.utf8.count == 32,
            let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    public var description: String { hexadecimal(high) + hexadecimal(low) }

    private func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

/// Who wrote a batch: a producer id and its epoch. The epoch rises with each transaction (KIP-890), so
/// that a late write can never land in the next one.
@frozen
public struct ProducerStamp: Hashable, Sendable, CustomStringConvertible {
    public let id: Int64
    public let epoch: Int16

    public init(id: Int64, epoch: Int16) {
        self.id = id
        self.epoch = epoch
    }

    /// The same producer after its transaction has ended. The last epoch has none above it; producers
    /// take another id long before.
    package var next: ProducerStamp {
        ProducerStamp(id: id, epoch: epoch == .max ? epoch : epoch + 1)
    }

    public var description: String { "producer \(id) epoch \(epoch)" }
}

/// Milliseconds since 1970-01-01T00:00:00Z. Any value is stored as it is; -1 means "none", as in Kafka.
@frozen
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let milliseconds: Int64

    @inlinable
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Before every real timestamp: where event time begins.
    public static let distantPast = Timestamp(milliseconds: .min)
    /// After every real timestamp.
    public static let distantFuture = Timestamp(milliseconds: .max)

    @inlinable
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// The wall clock's time.
    public static func now() -> Timestamp { Timestamp(milliseconds: wallClockMilliseconds()) }

    /// This time and `duration` more, held within what a timestamp can say.
    public func advanced(by duration: Duration) -> Timestamp {
        let distance = duration.milliseconds
        let (sum, overflow) = milliseconds.addingReportingOverflow(distance)
        if overflow { return distance < 0 ? .distantPast : .distantFuture }
        return Timestamp(milliseconds: sum)
    }

    public var description: String { String(milliseconds) }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero, held within what the number can say.
    package var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, isOver) = seconds.multipliedReportingOverflow(by: 1000)
        let (sum, isSumOver) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        guard !isOver, !isSumOver else { return seconds < 0 ? .min : .max }
        return sum
    }
}
