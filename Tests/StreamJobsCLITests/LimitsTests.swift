import StreamJobsCLI
import StreamJobsLog
import TestSupport
import Testing

struct LimitsTests {
    @Test func `a row that could still be a record is read whole`() {
        // As JSON a row is no shorter but for its quotes and for NA, which becomes null.
        #expect(StreamJobsCLI.Limits.rowBytesMax > 2 * StreamJobsLog.Limits.batchBytesMax)
        #expect(StreamJobsCLI.Limits.recordBytesMax < StreamJobsLog.Limits.batchBytesMax)
    }

    @Test func `waiting grows, and ends before a stop that is overdue`() {
        #expect(StreamJobsCLI.Limits.followWaitMin <= StreamJobsCLI.Limits.followWaitMax)
        #expect(StreamJobsCLI.Limits.followWaitMax < StreamJobsCLI.Limits.consumerStopTimeout)
    }

    @Test func `the largest record is taken by the log`() throws {
        let directory = try TemporaryDirectory()
        let log = try CommitLog.open(directory.path, as: .owner)
        let topic = try log.createTopic("t", partitions: 1)
        let producer = Producer(log, acks: .written)
        let (key, value) = (
            [UInt8](repeating: 1, count: 100_000), StreamJobsCLI.Limits.recordBytesMax
        )
        try producer.send([], key: nil, to: topic, timestamp: .distantPast)
        try producer.send(
            [UInt8](repeating: 2, count: value - key.count), key: key, to: topic,
            timestamp: .distantFuture)
        try producer.flush()
        try log.close()
    }
}
