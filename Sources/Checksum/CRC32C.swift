// CRC-32C (Castagnoli), as of iSCSI and of Kafka's record batches, from Intel's ISA-L, which picks the
// processor's fastest way at run time. The only file that imports the C module.

import CStreamJobsISAL

/// A CRC-32C over bytes given piece by piece.
package struct CRC32C {
    private var state: UInt32 = 0xffff_ffff

    package init() {}

    /// The checksum of the bytes so far.
    package var value: UInt32 { ~state }

    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        // ISA-L takes a length of 32 bits with sign.
        precondition(bytes.count <= Int(Int32.max), "a checksum is over less than 2 GiB")
        guard let start = bytes.baseAddress else { return }
        // The parameter lacks a `const` in ISA-L 2.30; the bytes are only read.
        let pointer = UnsafeMutablePointer(mutating: start.assumingMemoryBound(to: UInt8.self))
        state = crc32_iscsi(pointer, Int32(bytes.count), state)
    }

    package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var checksum = CRC32C()
        checksum.add(bytes)
        return checksum.value
    }
}
