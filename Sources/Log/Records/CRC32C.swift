// CRC-32C (Castagnoli) from Intel's ISA-L, which picks the fastest way of the processor at run time.
// The only file that imports the C module.

private import CStreamJobsISAL

package enum CRC32C {
    package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let base = bytes.baseAddress else { return 0 }
        // The C function takes a mutable pointer but only reads. It neither inverts the seed nor the
        // result (it is made for chaining), hence the two complements.
        let start = UnsafeMutableRawPointer(mutating: base).assumingMemoryBound(to: UInt8.self)
        return ~crc32_iscsi(start, Int32(bytes.count), ~0)
    }
}
