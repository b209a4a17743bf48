// What the process ends with, and how an error becomes one sentence on standard error.
//
//    0  done                               74  I/O error or disk full
//   64  wrong usage                        75  data directory in use
//   65  bad input data                     77  no permission
//   66  no such topic, job or file        130  Ctrl-C
//   69  user code failed
//
// (The numbers of BSD's sysexits.h, where it has one.)

import ArgumentParser
import LocalState
import StreamJobs
import StreamJobsLog

/// Something that is wrong with what the user gave, or where the data are.
struct CommandError: Error, CustomStringConvertible {
    let exitCode: Int32
    let message: String

    var description: String { message }

    static func badInput(_ message: String) -> CommandError {
        .init(exitCode: 65, message: message)
    }
    static func notFound(_ message: String) -> CommandError {
        .init(exitCode: 66, message: message)
    }
    static func io(_ message: String) -> CommandError { .init(exitCode: 74, message: message) }
    static func noPermission(_ message: String) -> CommandError {
        .init(exitCode: 77, message: message)
    }
}

enum ExitCodes {
    static let usage: Int32 = 64
    static let interrupted: Int32 = 130

    static func code(of error: any Error) -> Int32 {
        switch error {
        case let error as CommandError: error.exitCode
        case let error as LogError: code(of: error.code)
        case let error as StateError: code(of: error.code)
        case let error as JobError: code(of: error.code)
        default: 70
        }
    }

    private static func code(of code: LogError.Code) -> Int32 {
        switch code {
        case .noSuchTopic, .noSuchDirectory: 66
        case .topicExists, .invalidTopicName, .invalidArgument: 64
        case .directoryInUse: 75
        case .permissionDenied, .readOnly: 77
        case .recordTooLarge, .corrupted, .newerFormat, .offsetOutOfRange: 65
        case .noSpace, .io, .producerFenced: 74
        }
    }

    private static func code(of code: StateError.Code) -> Int32 {
        switch code {
        case .io, .noSpace, .outcomeUnknown: 74
        case .permissionDenied: 77
        case .alreadyOpen: 75
        case .corrupted, .incompatible, .newerFormat, .tooLarge: 65
        }
    }

    private static func code(of code: JobError.Code) -> Int32 {
        switch code {
        case .userCodeFailed: 69
        case .refused: 65
        case .noSuchTopic: 66
        }
    }
}
