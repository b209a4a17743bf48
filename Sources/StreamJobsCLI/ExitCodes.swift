// What the process ends with: one number for each kind of end, so that a script can tell them apart.
// The numbers are those of BSD's sysexits.h, where it has one; 128 and the signal's number after a stop.
//
//    0  done; SIGTERM ended what has no end of its own; the reader of the output went away
//   64  wrong usage             an option, a name or a number that can never be right
//   65  bad input data          a CSV row, a line, a record that is too large; an offset that is not there;
//                               a group that has members; a job that does not fit its state and topics;
//                               data of a newer version
//   66  no such topic, job or file, or no data directory
//   69  user code failed        a task threw, or could not decode its input
//   74  I/O error or disk full  also: stored bytes are not what was written
//   75  data directory in use
//   77  no permission
//  130  Ctrl-C
//  143  SIGTERM ended `produce` of a file or in one transaction, `consume` with --until-end, --max-messages
//       or --timeout-ms, `log dump` or `log verify` before the end

import Glibc
import LocalState
import StreamJobs
import StreamJobsLog

/// What is wrong with what the user gave. The message is one sentence that names the object, the position
/// and the remedy.
package struct CommandError: Error, CustomStringConvertible {
    package let exitCode: Int32
    package let message: String

    package init(exitCode: Int32, _ message: String) {
        self.exitCode = exitCode
        self.message = message
    }

    package var description: String { message }

    static func usage(_ message: String) -> CommandError {
        CommandError(exitCode: ExitCodes.usage, message)
    }

    static func badInput(_ message: String) -> CommandError {
        CommandError(exitCode: ExitCodes.badInput, message)
    }

    static func notFound(_ message: String) -> CommandError {
        CommandError(exitCode: ExitCodes.notFound, message)
    }

    /// After a call of the operating system: the code that fits `errno`.
    /// - Parameter action: What was tried, such as "read flights.csv".
    package static func system(_ action: String, _ number: Int32) -> CommandError {
        let reason = String(cString: strerror(number))
        return switch number {
        case EACCES, EPERM:
            CommandError(exitCode: ExitCodes.noPermission, "no permission to \(action)")
        case ENOSPC, EDQUOT:
            CommandError(exitCode: ExitCodes.io, "the disk is full: could not \(action)")
        default:
            CommandError(exitCode: ExitCodes.io, "could not \(action): \(reason)")
        }
    }
}

package enum ExitCodes {
    package static let usage: Int32 = 64
    package static let badInput: Int32 = 65
    package static let notFound: Int32 = 66
    package static let userCodeFailed: Int32 = 69
    package static let io: Int32 = 74
    package static let directoryInUse: Int32 = 75
    package static let noPermission: Int32 = 77
    package static let interrupted: Int32 = 130
    package static let terminated: Int32 = 143

    /// The code for an error that a command threw. One of a type that is not ours comes from a job.
    package static func code(of error: any Error) -> Int32 {
        switch error {
        case let error as CommandError: error.exitCode
        case let error as LogError: code(of: error.code)
        case let error as StateError: code(of: error.code)
        case let error as JobError: code(of: error.code)
        default: userCodeFailed
        }
    }

    private static func code(of code: LogError.Code) -> Int32 {
        switch code {
        case .invalidTopicName, .invalidArgument, .topicExists: usage
        case .recordTooLarge, .invalidRecord, .newerFormat, .offsetOutOfRange,
            .invalidTransactionState:
            badInput
        case .noSuchTopic, .noSuchDirectory, .noSuchTransaction: notFound
        case .noSpace, .io, .corrupted, .producerFenced, .outOfOrderSequence, .outcomeUnknown: io
        case .directoryInUse: directoryInUse
        case .permissionDenied, .readOnly: noPermission
        // Consumer groups.
        case .noSuchGroup: notFound
        case .groupNotEmpty, .noCommittedOffset, .inconsistentProtocol: badInput
        case .unknownMember, .illegalGeneration, .rebalanceInProgress, .memberIDRequired,
            .fencedInstance:
            io
        }
    }

    private static func code(of code: StateError.Code) -> Int32 {
        switch code {
        case .incompatible, .newerFormat: badInput
        case .tooLarge: userCodeFailed
        case .io, .noSpace, .outcomeUnknown, .corrupted, .mayBeDamaged: io
        case .alreadyOpen: directoryInUse
        case .permissionDenied: noPermission
        }
    }

    private static func code(of code: JobError.Code) -> Int32 {
        switch code {
        case .refused: badInput
        case .noSuchTopic: notFound
        case .userCodeFailed: userCodeFailed
        }
    }
}
