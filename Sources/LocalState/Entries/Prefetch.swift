// Asking memory for what will be needed soon.

import CStreamJobsLinux

enum Prefetch {
    /// Begins to bring what lies at an address into the processor's cache; any address will do.
    @inline(__always)
    static func read(_ address: UnsafeRawPointer) { streamjobs_prefetch(address) }
}
