// Producer states as a file, `<20 digits of the next offset>.snapshot` (Kafka: ProducerStateManager). All
// integers big-endian.
//
//  position  bytes  field
//         0      2  version                 1
//         2      4  CRC-32C                 of everything behind this field
//         6      4  count of entries
//        10         entries, each of 46 bytes:
//         0      8  producer id
//         8      2  epoch
//        10      4  last sequence           -1: none
//        14      8  last offset             of the last batch; -1: none in this epoch
//        22      4  offset delta            of the last batch: last offset - first offset
//        26      8  timestamp               of the last batch or marker, milliseconds
//        34      4  coordinator epoch       of the last marker; -1: none
//        38      8  current transaction's first offset  -1: none
//
// Entries are in order of producer id, so that the same states give the same bytes. Of a producer's last
// batches only the newest is kept: after a restart a retry of an older one is out of order, as in Kafka.
// The checksum leaves the version out, so that another one is taken for damage: the states are made from
// the batches then. (What a newer program has written is told by `segments`, before any of this is read.)

import StreamJobsChecksum

extension ProducerStates {
    private enum Position {
        static let version = 0
        static let crc = 2
        static let count = 6
        static let entries = 10
    }

    private enum EntryPosition {
        static let producerID = 0
        static let epoch = 8
        static let lastSequence = 10
        static let lastOffset = 14
        static let offsetDelta = 22
        static let timestamp = 26
        static let coordinatorEpoch = 34
        static let firstOpen = 38
        static let byteCount = 46
    }

    private static let snapshotVersion: Int16 = 1

    /// The states as a file's bytes.
    package func snapshot() -> [UInt8] {
        let byteCount = Position.entries + states.count * EntryPosition.byteCount
        var bytes = [UInt8](repeating: 0, count: byteCount)
        bytes.withUnsafeMutableBytes { bytes in
            // Every position below is under `byteCount`, computed from the same count of entries.
            guard let start = bytes.baseAddress else { return }
            start.storeBigEndian(Self.snapshotVersion, at: Position.version)
            start.storeBigEndian(Int32(states.count), at: Position.count)
            var entry = start + Position.entries
            for (id, state) in states.sorted(by: { $0.key < $1.key }) {
                Self.write(state, of: id, at: entry)
                entry += EntryPosition.byteCount
            }
            let covered = UnsafeRawBufferPointer(rebasing: bytes[Position.count...])
            start.storeBigEndian(CRC32C.checksum(covered), at: Position.crc)
        }
        return bytes
    }

    private static func write(
        _ state: ProducerState, of id: Int64, at entry: UnsafeMutableRawPointer
    ) {
        entry.storeBigEndian(id, at: EntryPosition.producerID)
        entry.storeBigEndian(state.epoch, at: EntryPosition.epoch)
        entry.storeBigEndian(state.lastSequence, at: EntryPosition.lastSequence)
        entry.storeBigEndian(state.lastBatch?.lastOffset ?? -1, at: EntryPosition.lastOffset)
        entry.storeBigEndian(state.lastBatch?.offsetDelta ?? 0, at: EntryPosition.offsetDelta)
        entry.storeBigEndian(state.lastTimestamp, at: EntryPosition.timestamp)
        entry.storeBigEndian(state.coordinatorEpoch, at: EntryPosition.coordinatorEpoch)
        entry.storeBigEndian(state.firstOpen?.rawValue ?? -1, at: EntryPosition.firstOpen)
    }

    /// Reads a file's bytes. Throws `corrupted`: the states can be made from the batches anew.
    package init(snapshot bytes: UnsafeRawBufferPointer) throws {
        guard bytes.count >= Position.entries else {
            throw Self.damaged("it has \(bytes.count) bytes")
        }
        let version = bytes.loadBigEndian(Int16.self, at: Position.version)
        guard version == Self.snapshotVersion else {
            throw Self.damaged("its version is \(version), not \(Self.snapshotVersion)")
        }
        let stored = bytes.loadBigEndian(UInt32.self, at: Position.crc)
        let computed = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[Position.count...]))
        guard stored == computed else { throw Self.damaged("its checksum is wrong") }
        let count = Int(bytes.loadBigEndian(Int32.self, at: Position.count))
        guard count >= 0, bytes.count == Position.entries + count * EntryPosition.byteCount else {
            throw Self.damaged("it says \(count) entries in \(bytes.count) bytes")
        }
        var restored: [Int64: ProducerState] = [:]
        restored.reserveCapacity(count)
        for index in 0..<count {
            let start = Position.entries + index * EntryPosition.byteCount
            let entry = UnsafeRawBufferPointer(
                rebasing: bytes[start..<start + EntryPosition.byteCount])
            let id = entry.loadBigEndian(Int64.self, at: EntryPosition.producerID)
            let state = try Self.read(entry, of: id)
            guard restored.updateValue(state, forKey: id) == nil else {
                throw Self.damaged("it has producer \(id) twice")
            }
        }
        guard let states = ProducerStates(restored: restored) else {
            throw Self.damaged("two transactions begin at the same offset")
        }
        self = states
    }

    private static func read(_ entry: UnsafeRawBufferPointer, of id: Int64) throws -> ProducerState
    {
        let lastOffset = entry.loadBigEndian(Int64.self, at: EntryPosition.lastOffset)
        let delta = entry.loadBigEndian(Int32.self, at: EntryPosition.offsetDelta)
        let firstOpen = entry.loadBigEndian(Int64.self, at: EntryPosition.firstOpen)
        let hasBatch = lastOffset >= 0
        guard id >= 0, !hasBatch || (delta >= 0 && Int64(delta) <= lastOffset) else {
            throw damaged("producer \(id) has the last offset \(lastOffset) and delta \(delta)")
        }
        let lastBatch = SequencedBatch(
            lastSequence: entry.loadBigEndian(Int32.self, at: EntryPosition.lastSequence),
            offsetDelta: delta, lastOffset: lastOffset)
        return ProducerState(
            epoch: entry.loadBigEndian(Int16.self, at: EntryPosition.epoch),
            coordinatorEpoch: entry.loadBigEndian(Int32.self, at: EntryPosition.coordinatorEpoch),
            lastTimestamp: entry.loadBigEndian(Int64.self, at: EntryPosition.timestamp),
            firstOpen: firstOpen < 0 ? nil : Offset(firstOpen),
            lastBatch: hasBatch ? lastBatch : nil)
    }

    private static func damaged(_ damage: String) -> LogError {
        LogError(.corrupted, "the producer snapshot is damaged: \(damage)")
    }
}
