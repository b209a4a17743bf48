/// What went wrong with a job. The message is one sentence that names the task or topic, the position and
/// the remedy.
public struct JobError: Error, CustomStringConvertible {
    public enum Code: Sendable {
        /// The task's own code threw, or a record could not be decoded for it.
        case userCodeFailed
        /// The job cannot run as it is declared, or not on this state and log.
        case refused
        case noSuchTopic
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
