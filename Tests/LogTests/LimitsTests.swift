import StreamJobsLog
import Testing

struct LimitsTests {
    @Test func `the limits fit each other`() {
        #expect(Limits.batchBytesTarget < Limits.batchBytesMax)
        #expect(Limits.batchBytesMax < Limits.segmentBytes)
        #expect(Limits.indexIntervalBytes < Limits.fetchBytes)
        #expect(
            (Limits.segmentBytesMin...Limits.segmentBytesMax).contains(Limits.segmentBytes),
            "the default is one of those that can be set")
        #expect(Limits.segmentBytesMax <= Int(Int32.max), "positions in a segment, as in Kafka")
        #expect(Limits.transactionTimeout <= Limits.transactionTimeoutMax)
        #expect(Limits.batchBytesMax < Limits.unitOfWorkBytesMax, "a largest record fits")
        let suffix = "-\(Limits.partitionsMax - 1)"
        #expect(Limits.topicNameCharactersMax + suffix.utf8.count <= 255, "a file's name")
    }
}
