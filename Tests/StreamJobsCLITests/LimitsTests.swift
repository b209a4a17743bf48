import StreamJobsCLI
import StreamJobsLog
import Testing

struct LimitsTests {
    @Test func `a row that could still be a record is read whole`() {
        // As JSON a row is no shorter but for its quotes and for NA, which becomes null.
        #expect(StreamJobsCLI.Limits.rowBytesMax > 2 * StreamJobsLog.Limits.batchBytesMax)
    }

    @Test func `waiting grows, and ends before a stop that is overdue`() {
        #expect(StreamJobsCLI.Limits.followWaitMin <= StreamJobsCLI.Limits.followWaitMax)
        #expect(StreamJobsCLI.Limits.followWaitMax < StreamJobsCLI.Limits.consumerStopTimeout)
    }
}
