// Every error of every module has its exit code.

import Glibc
import LocalState
import StreamJobs
import StreamJobsCLI
import StreamJobsLog
import Testing

struct ExitCodesTests {
    @Test(
        arguments: [
            (.noSuchTopic, 66), (.topicExists, 64), (.invalidTopicName, 64), (.invalidArgument, 64),
            (.noSuchDirectory, 66), (.directoryInUse, 75), (.permissionDenied, 77), (.noSpace, 74),
            (.io, 74), (.corrupted, 74), (.newerFormat, 65), (.recordTooLarge, 65), (.readOnly, 77),
            (.producerFenced, 74), (.offsetOutOfRange, 65), (.outOfOrderSequence, 74),
            (.invalidTransactionState, 65), (.noSuchTransaction, 66), (.outcomeUnknown, 74),
            (.noSuchGroup, 66), (.groupNotEmpty, 65), (.noCommittedOffset, 65),
            (.inconsistentProtocol, 65), (.unknownMember, 74), (.illegalGeneration, 74),
            (.rebalanceInProgress, 74), (.memberIDRequired, 74), (.fencedInstance, 74),
        ] as [(LogError.Code, Int32)])
    func `of the log`(code: LogError.Code, exitCode: Int32) {
        #expect(ExitCodes.code(of: LogError(code, "")) == exitCode)
    }

    @Test(
        arguments: [
            (.io(errno: 5), 74), (.noSpace, 74), (.permissionDenied, 77), (.corrupted, 74),
            (.incompatible, 65), (.newerFormat, 65), (.alreadyOpen, 75), (.outcomeUnknown, 74),
            (.tooLarge, 69),
        ] as [(StateError.Code, Int32)])
    func `of the state`(code: StateError.Code, exitCode: Int32) {
        #expect(ExitCodes.code(of: StateError(code, "")) == exitCode)
    }

    @Test(
        arguments: [(.userCodeFailed, 69), (.refused, 65), (.noSuchTopic, 66)]
            as [(JobError.Code, Int32)])
    func `of a job`(code: JobError.Code, exitCode: Int32) {
        #expect(ExitCodes.code(of: JobError(code, "")) == exitCode)
    }

    @Test func `an error of a type that is not ours comes from user code`() {
        struct Theirs: Error {}
        #expect(ExitCodes.code(of: Theirs()) == 69)
    }

    @Test(
        arguments: [(EACCES, 77), (EPERM, 77), (ENOSPC, 74), (EDQUOT, 74), (EIO, 74), (EFBIG, 74)]
            as [(Int32, Int32)])
    func `of the operating system`(number: Int32, exitCode: Int32) {
        let error = CommandError.system("read x", number)
        #expect(error.exitCode == exitCode)
        #expect(error.message.contains("read x"))
    }
}
