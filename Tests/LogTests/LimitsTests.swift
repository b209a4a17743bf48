import StreamJobsLog
import Testing

struct LimitsTests {
    @Test func `the limits fit each other`() {
        #expect(Limits.batchBytesTarget < Limits.batchBytesMax)
        #expect(Limits.batchBytesMax < Limits.segmentBytes)
        #expect(Limits.indexIntervalBytes < Limits.fetchBytes)
        #expect(Limits.segmentBytes <= Int(UInt32.max), "positions in a segment are 32 bits")
        #expect(Limits.transactionTimeout <= Limits.transactionTimeoutMax)
        #expect(Limits.batchBytesMax < Limits.unitOfWorkBytesMax, "a largest record fits")
        let suffix = "-\(Limits.partitionsMax - 1)"
        #expect(Limits.topicNameCharactersMax + suffix.utf8.count <= 255, "a file's name")
    }
}
