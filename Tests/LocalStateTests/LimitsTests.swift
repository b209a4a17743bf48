// Relations between the limits, which the formats lean on.

import LocalState
import Testing

struct LimitsTests {
    @Test func `a cut key is as long as LMDB allows, and longer than every whole key`() {
        #expect(Limits.keyLeadBytes + Limits.keyHashBytes == Limits.lmdbKeyBytesMax)
        #expect(Limits.wholeKeyBytesMax < Limits.lmdbKeyBytesMax)
        #expect(Limits.keyLeadBytes <= Limits.wholeKeyBytesMax)
        #expect(Limits.keyPrefixBytes < Limits.keyLeadBytes)
    }

    @Test func `lengths in a bucket fit 32 bits and ISA-L's lengths fit its sign`() {
        #expect(2 * Limits.recordBytesMax <= Int(UInt32.max))
        #expect(Limits.recordBytesMax + Limits.lmdbKeyBytesMax <= Int(Int32.max))
    }

    @Test func `a map grows by doubling from the smallest to the largest`() {
        #expect(Limits.mapBytesMin <= Limits.mapBytes)
        #expect(Limits.mapBytes < Limits.mapBytesMax)
        #expect(Limits.mapGrowthFactor > 1)
        #expect(Limits.mapBytesMin.isMultiple(of: Limits.pageBytesMax))
    }
}
