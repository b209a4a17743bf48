// The memory that codecs write into. It grows as output comes and never by what the input claims.

/// Bytes written so far and room behind them, up to a cap. Owned by one codec object; what is read from it
/// is valid until the next `start`.
struct OutputBuffer: ~Copyable {
    // Allocated here, freed in deinit or when replaced. Only `bytes` and `room` hand it out, both cut to
    // what is theirs.
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// Bytes written.
    private(set) var count = 0
    /// Bytes that will never be exceeded.
    private var cap = 0

    deinit { memory.deallocate() }

    /// Drops what was written. There is room for `expected` bytes, or for `cap` if that is less.
    mutating func start(expecting expected: Int, cap: Int) {
        precondition(expected >= 0 && cap > 0, "an output of \(expected) bytes, at most \(cap)")
        release()
        self.cap = cap
        reserve(min(expected, cap))
    }

    /// Drops what was written, and memory that is more than is kept for the next output.
    mutating func release() {
        count = 0
        if memory.count > CompressionLimits.keptBytesMax { replace(byteCount: 0) }
    }

    var heldBytes: Int { memory.count }

    /// What may be written next; never more than the cap allows.
    var room: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[count..<min(memory.count, cap)])
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    /// The first `byteCount` bytes of the room have been written.
    mutating func advance(_ byteCount: Int) {
        precondition(
            byteCount >= 0 && byteCount <= room.count,
            "\(byteCount) bytes were written into a room of \(room.count)")
        count += byteCount
    }

    /// Makes more room: doubles. False when the cap is reached.
    mutating func grow() -> Bool {
        guard memory.count < cap else { return false }
        let doubled = max(memory.count, CompressionLimits.outputBytesStart / 2) * 2
        replace(byteCount: min(doubled, cap))
        return true
    }

    /// Makes the room at least `byteCount` bytes, which the cap must allow.
    mutating func reserve(_ byteCount: Int) {
        precondition(byteCount <= cap - count, "\(byteCount) bytes more than the cap allows")
        guard memory.count - count < byteCount else { return }
        replace(byteCount: max(count + byteCount, min(memory.count * 2, cap)))
    }

    private mutating func replace(byteCount: Int) {
        let old = memory
        memory = .allocate(byteCount: byteCount, alignment: 16)
        memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: old[..<count]))
        old.deallocate()
    }
}
