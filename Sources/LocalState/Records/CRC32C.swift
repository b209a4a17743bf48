// The checksum of stored values: CRC-32C (Castagnoli), as of iSCSI and of Kafka's record batches.
// The one file of this module that imports ISA-L.

import CStreamJobsISAL

/// A CRC-32C over bytes given piece by piece.
struct CRC32C {
    private var state: UInt32 = 0xffff_ffff

    /// The checksum of the bytes so far.
    var value: UInt32 { ~state }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        // ISA-L takes a length of 32 bits with sign.
        precondition(bytes.count <= Int(Int32.max), "a checksum is over less than 2 GiB")
        guard let start = bytes.baseAddress else { return }
        // The parameter lacks a `const` in ISA-L 2.30; the bytes are only read.
        let pointer = UnsafeMutablePointer(mutating: start.assumingMemoryBound(to: UInt8.self))
        state = crc32_iscsi(pointer, Int32(bytes.count), state)
    }
}
