// Encodes records into a batch's memory: what a producer does for every record there is. Its fields lie
// behind one pointer, so that a record costs neither a reference count nor the check for overlapping
// access that a class's own properties take.
//
// A record: length, attributes (1 byte, unused), timestamp delta, offset delta, key, value, headers;
// all numbers variable-length (Kafka: DefaultRecord).

/// The part of a `BatchBuilder` that takes records; valid as long as the builder is.
@usableFromInline
package struct BatchWriter {
    @usableFromInline
    struct State {
        var form = RecordForm()
        var memory: UnsafeMutableRawPointer
        /// Bytes of `memory`; never over `bytesMax`, so that what fits needs no second check.
        var capacity: Int
        let bytesMax: Int
        /// Where `appendShort` hands over: the batch is full, or the memory has to grow.
        var shortEnd = 0
        /// Bytes at which the batch counts as full for `appendShort`.
        let bytesTarget: Int
        var byteCount = BatchHeader.byteCount
        var recordCount = 0
        var baseTimestamp: Int64 = 0
        var maxTimestamp: Int64 = 0
    }

    // The builder's: made in its init, freed in its deinit, used by its thread only.
    @usableFromInline let state: UnsafeMutablePointer<State>

    init(capacity: Int, bytesMax: Int, bytesTarget: Int) {
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                memory: .allocate(byteCount: capacity, alignment: 16), capacity: capacity,
                bytesMax: bytesMax, bytesTarget: bytesTarget))
        setShortEnd()
    }

    private func setShortEnd() {
        state.pointee.shortEnd = Swift.min(
            state.pointee.capacity - Self.spillBytes, state.pointee.bytesTarget)
    }

    /// Bytes that `appendShort` may write behind the record, within the memory.
    private static var spillBytes: Int { MemoryLayout<UInt64>.size }

    func deallocate() {
        state.pointee.memory.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    package var byteCount: Int { state.pointee.byteCount }
    package var recordCount: Int { state.pointee.recordCount }
    var capacity: Int { state.pointee.capacity }
    var bytesMax: Int { state.pointee.bytesMax }
    var baseTimestamp: Int64 { state.pointee.baseTimestamp }
    var maxTimestamp: Int64 { state.pointee.maxTimestamp }
    /// Room for the header, and the records.
    var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: state.pointee.memory, count: byteCount)
    }

    func reset() {
        state.pointee.byteCount = BatchHeader.byteCount
        state.pointee.recordCount = 0
        state.pointee.form = RecordForm()
    }

    /// As `BatchBuilder.append`.
    package func append(
        key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, timestamp: Timestamp,
        headers: [Header] = []
    ) throws {
        if headers.isEmpty {
            if appendShort(key: key, value: value, timestamp: timestamp) { return }
            let pointer = try appendFields(key, value, timestamp, headerBytes: 1)
            pointer.storeBytes(of: 0, as: UInt8.self)
        } else {
            try appendWithHeaders(key, value, timestamp, headers)
        }
    }

    /// Adds a record as most are: not the first of its batch, without headers, its numbers of one or two
    /// bytes, in a batch that has room and is not over its target with it. Where it is not like that, gives
    /// false and has done nothing.
    @inlinable @inline(__always)
    package func appendShort(
        key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, timestamp: Timestamp
    ) -> Bool {
        // An empty buffer may have no address; no byte of it is read.
        appendShort(
            key?.baseAddress, key.map { $0.count } ?? -1, value?.baseAddress,
            value.map { $0.count } ?? -1, timestamp.milliseconds)
    }

    /// A function of its own, so that it has all registers to itself, and its arguments lie in them.
    @usableFromInline @inline(never)
    func appendShort(
        _ key: UnsafeRawPointer?, _ keyCount: Int, _ value: UnsafeRawPointer?, _ valueCount: Int,
        _ timestamp: Int64
    ) -> Bool {
        let state = state
        let recordCount = state.pointee.recordCount
        if !state.pointee.form.fits(keyCount, valueCount, timestamp, recordCount) {
            guard
                let form = RecordForm(
                    keyCount, valueCount, timestamp, state.pointee.baseTimestamp, recordCount)
            else { return false }
            state.pointee.form = form
        }
        let form = state.pointee.form
        let end = state.pointee.byteCount &+ form.byteCount
        guard end <= state.pointee.shortEnd else { return false }
        var pointer = state.pointee.memory + state.pointee.byteCount
        pointer.storeBytes(of: form.prefix(recordCount).littleEndian, as: UInt64.self)
        pointer += form.prefixBytes
        if let key { pointer.copyShort(UnsafeRawBufferPointer(start: key, count: form.keyBytes)) }
        pointer.storeBytes(of: form.valueField.littleEndian, as: UInt16.self)
        pointer += form.valueFieldBytes
        if let value { pointer.copyMemory(from: value, byteCount: form.valueBytes) }
        pointer += form.valueBytes
        // No headers.
        pointer.storeBytes(of: 0, as: UInt8.self)
        precondition(pointer + 1 == state.pointee.memory + end, "the size was computed wrongly")
        state.pointee.byteCount = end
        state.pointee.recordCount = recordCount &+ 1
        if timestamp > state.pointee.maxTimestamp { state.pointee.maxTimestamp = timestamp }
        return true
    }

    @inline(never)
    private func appendWithHeaders(
        _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?, _ timestamp: Timestamp,
        _ headers: [Header]
    ) throws {
        var headerBytes = Varint.byteCount(Int64(headers.count))
        for header in headers { headerBytes += header.byteCount }
        var pointer = try appendFields(key, value, timestamp, headerBytes: headerBytes)
        Varint.write(Int64(headers.count), to: &pointer)
        for header in headers { header.write(to: &pointer) }
        precondition(
            pointer == state.pointee.memory + byteCount, "the size was computed wrongly")
    }

    /// Writes all of a record but its headers, for which it leaves room, and counts it as added. Gives
    /// where the headers belong.
    private func appendFields(
        _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?, _ timestamp: Timestamp,
        headerBytes: Int
    ) throws -> UnsafeMutableRawPointer {
        let recordCount = recordCount
        let base = recordCount == 0 ? timestamp.milliseconds : baseTimestamp
        let timestampDelta = timestamp.milliseconds &- base
        let keyCount = key.map { $0.count } ?? -1
        let valueCount = value.map { $0.count } ?? -1
        let bodyCount =
            Varint.byteCount(timestampDelta) + Varint.byteCount(Int64(recordCount))
            + Self.contentByteCount(keyCount, valueCount, headerBytes: headerBytes)
        let end = byteCount + Varint.byteCount(Int64(bodyCount)) + bodyCount
        if end > capacity { try grow(to: end) }
        var pointer = state.pointee.memory + byteCount
        Varint.write(Int64(bodyCount), to: &pointer)
        pointer.storeBytes(of: 0, as: UInt8.self)
        pointer += 1
        Varint.write(timestampDelta, to: &pointer)
        Varint.write(Int64(recordCount), to: &pointer)
        Varint.write(Int64(keyCount), to: &pointer)
        if let key { pointer.copy(key) }
        Varint.write(Int64(valueCount), to: &pointer)
        if let value { pointer.copy(value) }
        precondition(
            pointer + headerBytes == state.pointee.memory + end, "the size was computed wrongly")
        state.pointee.byteCount = end
        state.pointee.recordCount = recordCount + 1
        state.pointee.baseTimestamp = base
        state.pointee.maxTimestamp =
            recordCount == 0
            ? timestamp.milliseconds : Swift.max(maxTimestamp, timestamp.milliseconds)
        return pointer
    }

    /// Bytes of a record's attributes, key, value and headers. A count is -1 for null.
    @inline(__always)
    private static func contentByteCount(_ keyCount: Int, _ valueCount: Int, headerBytes: Int)
        -> Int
    {
        1 + Varint.byteCount(Int64(keyCount)) + Swift.max(0, keyCount)
            + Varint.byteCount(Int64(valueCount)) + Swift.max(0, valueCount) + headerBytes
    }

    /// Bytes of a record that is alone in its batch: both deltas are 0 and take a byte each.
    static func loneByteCount(_ keyCount: Int, _ valueCount: Int, _ headers: [Header]) -> Int {
        let headerBytes = headers.reduce(Varint.byteCount(Int64(headers.count))) {
            $0 + $1.byteCount
        }
        let bodyCount = 2 + contentByteCount(keyCount, valueCount, headerBytes: headerBytes)
        return Varint.byteCount(Int64(bodyCount)) + bodyCount
    }

    /// Makes room for a batch of `bytes`.
    @inline(never)
    private func grow(to bytes: Int) throws {
        let bytesMax = state.pointee.bytesMax
        guard bytes <= bytesMax else {
            throw Self.tooLarge(bytes - byteCount, limit: bytesMax - byteCount)
        }
        let capacity = Swift.min(Swift.max(state.pointee.capacity * 2, bytes), bytesMax)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: state.pointee.memory, byteCount: byteCount)
        state.pointee.memory.deallocate()
        state.pointee.memory = larger
        state.pointee.capacity = capacity
        setShortEnd()
    }

    static func tooLarge(_ bytes: Int, limit: Int) -> LogError {
        LogError(
            .recordTooLarge, "a record of \(bytes) bytes is over the limit of \(limit) bytes")
    }
}
