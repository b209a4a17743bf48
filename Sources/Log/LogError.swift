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
        /// No producer has, or has open, what the call names.
        case noSuchTransaction
        /// Whether it is on the disk will be known when the log is opened again.
        case outcomeUnknown
        case offsetOutOfRange
        /// The group has no such member: it left, or was not heard of for its session timeout.
        case unknownMember
        /// The member speaks for another generation of its group than the current one.
        case illegalGeneration
        /// The group is rebalancing: its members have to join again.
        case rebalanceInProgress
        /// The member has to come again with the id that the message is (KIP-394).
        case memberIDRequired
        /// Another member runs with the same `group.instance.id`.
        case fencedInstance
        /// The members of a group have no assignor in common.
        case inconsistentProtocol
        case noSuchGroup
        /// The group has members: what was asked for needs one without.
        case groupNotEmpty
        /// A group has no position for a partition, and none was chosen for that case.
        case noCommittedOffset
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

    /// The same failure of something that is not done again, however much room there will be.
    var forGood: LogError { isRetriable ? LogError(.io, message) : self }

    /// Whether the log will take the same batch at no time: then to send it again is in the way of others.
    var isRefusal: Bool {
        switch code {
        case .recordTooLarge, .invalidRecord, .producerFenced, .outOfOrderSequence: true
        default: false
        }
    }
}
