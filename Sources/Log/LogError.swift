/// What went wrong in the log. The message is one sentence that names the object, its position and the
/// remedy; the code is for callers that must choose.
public struct LogError: Error, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        case noSuchTopic
        case topicExists
        case invalidTopicName
        case invalidArgument
        case noSuchDirectory
        /// Another living process owns the data directory; the message has its pid.
        case directoryInUse
        case permissionDenied
        case noSpace
        case io
        /// Bytes below the end of what was written are not what was written.
        case corrupted
        case newerFormat
        case recordTooLarge
        /// A record that its topic does not take (Kafka: INVALID_RECORD).
        case invalidRecord
        case readOnly
        /// The producer's epoch is behind the one the partition knows (Kafka: INVALID_PRODUCER_EPOCH).
        case producerFenced
        /// A producer's batch does not follow its last one (Kafka: OUT_OF_ORDER_SEQUENCE_NUMBER).
        case outOfOrderSequence
        /// The call does not fit the state of the producer's transaction (Kafka: INVALID_TXN_STATE).
        case invalidTransactionState
        case offsetOutOfRange
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }

    /// Whether the same call may succeed later without anything being mended by hand.
    public var isRetriable: Bool { code == .noSpace }
}
