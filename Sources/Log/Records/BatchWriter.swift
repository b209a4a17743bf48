// Encodes records into a batch's memory: what a producer does for every record there is. Its fields lie
// behind one pointer, so that a record costs neither a reference count nor the check for overlapping
// access that a class's own properties take.
//
// A record: length, attributes (1 byte, unused), timestamp delta, offset delta, key, value, headers;
// all numbers variable-length (Kafka: DefaultRecord).

/// The part of a `BatchBuilder` that takes records; valid as long as the builder is.
package struct BatchWriter {
    private struct State {
        var memory: UnsafeMutableRawPointer
        /// Bytes of `memory`; never over `bytesMax`, so that what fits needs no second check.
        var capacity: Int
        let bytesMax: Int
        var byteCount = BatchHeader.byteCount
        var recordCount = 0
        var baseTimestamp: Int64 = 0
        var maxTimestamp: Int64 = 0
    }

    // The builder's: made in its init, freed in its deinit, used by its thread only.
    private let state: UnsafeMutablePointer<State>

    init(capacity: Int, bytesMax: Int) {
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                memory: .allocate(byteCount: capacity, alignment: 16), capacity: capacity,
                bytesMax: bytesMax))
    }

    func deallocate() {
        state.pointee.memory.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    package var byteCount: Int { state.pointee.byteCount }
    package var recordCount: Int { state.pointee.recordCount }
    var capacity: Int { state.pointee.capacity }
    var baseTimestamp: Int64 { state.pointee.baseTimestamp }
    var maxTimestamp: Int64 { state.pointee.maxTimestamp }
    /// Room for the header, and the records.
    var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: state.pointee.memory, count: byteCount)
    }

    func reset() {
        state.pointee.byteCount = BatchHeader.byteCount
        state.pointee.recordCount = 0
    }

    /// As `BatchBuilder.append`.
    @inline(__always)
    package func append(
        key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, timestamp: Timestamp,
        headers: [Header] = []
    ) throws {
        if headers.isEmpty {
            let pointer = try appendFields(key, value, timestamp, headerBytes: 1)
            pointer.storeBytes(of: 0, as: UInt8.self)
        } else {
            try appendWithHeaders(key, value, timestamp, headers)
        }
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
    @inline(__always)
    private func appendFields(
        _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?, _ timestamp: Timestamp,
        headerBytes: Int
    ) throws -> UnsafeMutableRawPointer {
        let state = state
        let recordCount = state.pointee.recordCount
        let base = recordCount == 0 ? timestamp.milliseconds : state.pointee.baseTimestamp
        let timestampDelta = timestamp.milliseconds &- base
        let keyCount = key.map { $0.count } ?? -1
        let valueCount = value.map { $0.count } ?? -1
        let bodyCount =
            1 + Varint.byteCount(timestampDelta) + Varint.byteCount(Int64(recordCount))
            + Varint.byteCount(Int64(keyCount)) + Swift.max(0, keyCount)
            + Varint.byteCount(Int64(valueCount)) + Swift.max(0, valueCount) + headerBytes
        let end = state.pointee.byteCount + Varint.byteCount(Int64(bodyCount)) + bodyCount
        if end > state.pointee.capacity { try grow(to: end) }
        var pointer = state.pointee.memory + state.pointee.byteCount
        Varint.write(Int64(bodyCount), to: &pointer)
        pointer.storeBytes(of: 0, as: UInt8.self)
        pointer += 1
        Varint.write(timestampDelta, to: &pointer)
        Varint.write(Int64(recordCount), to: &pointer)
        Varint.write(Int64(keyCount), to: &pointer)
        if let key { pointer.copyShort(key) }
        Varint.write(Int64(valueCount), to: &pointer)
        if let value { pointer.copy(value) }
        precondition(
            pointer + headerBytes == state.pointee.memory + end, "the size was computed wrongly")
        state.pointee.byteCount = end
        state.pointee.recordCount = recordCount + 1
        state.pointee.baseTimestamp = base
        if recordCount == 0 || timestamp.milliseconds > state.pointee.maxTimestamp {
            state.pointee.maxTimestamp = timestamp.milliseconds
        }
        return pointer
    }

    /// Makes room for a batch of `bytes`.
    @inline(never)
    private func grow(to bytes: Int) throws {
        let bytesMax = state.pointee.bytesMax
        guard bytes <= bytesMax else {
            throw LogError(
                .recordTooLarge,
                "a record of \(bytes - byteCount) bytes is over the limit of "
                    + "\(bytesMax - byteCount) bytes")
        }
        let capacity = Swift.min(Swift.max(state.pointee.capacity * 2, bytes), bytesMax)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: state.pointee.memory, byteCount: byteCount)
        state.pointee.memory.deallocate()
        state.pointee.memory = larger
        state.pointee.capacity = capacity
    }
}
