// Bytes that nobody has checked: whatever they are, the log answers with records or an error, never
// with a trap, a hang or a record that was not there.

import StreamJobsLog
import TestSupport
import Testing

struct BatchFuzzTests {
    /// Good batches of all kinds, to be spoilt.
    private func goodBatches() throws -> [[UInt8]] {
        let log = try TestLog()
        let producer = ProducerStamp(id: 1, epoch: 0)
        try log.withPartition { partition in
            try partition.append("a", "b", "c")
            try partition.append("d", producer: producer)
            try partition.end(producer, with: .abort)
        }
        let bytes = try readFile(try log.segments[0])
        var batches = [KafkaPythonBatches.plain, KafkaPythonBatches.transactional]
        var position = 0
        while position < bytes.count {
            let end = position + batchByteCount(bytes, at: position)
            batches.append(Array(bytes[position..<end]))
            position = end
        }
        return batches
    }

    /// Several batches one behind the other, spoilt here and there; often with checksums, lengths and
    /// offsets mended afterwards, so that what lies deeper is reached.
    private func spoilt(_ batches: [[UInt8]], _ random: inout SeededGenerator) -> [UInt8] {
        var file: [UInt8] = []
        var nextOffset: Int64 = 0
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            guard var batch = batches.randomElement(using: &random) else { break }
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let position = Int.random(in: 0..<batch.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: batch[position] = .random(in: 0...255, using: &random)
                case 1: batch[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: batch.removeSubrange(position...)
                default: batch.insert(contentsOf: random.bytes(3), at: position)
                }
                if batch.isEmpty { batch = [0] }
            }
            if batch.count >= 61, Int.random(in: 0..<4, using: &random) > 0 {
                mend(&batch, at: nextOffset)
                nextOffset +=
                    Int64(batch[23..<27].reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff) + 1
            }
            file += batch
        }
        return file
    }

    private func mend(_ batch: inout [UInt8], at offset: Int64) {
        func store<T: FixedWidthInteger>(_ value: T, at position: Int) {
            withUnsafeBytes(of: value.bigEndian) {
                batch.replaceSubrange(position..<position + $0.count, with: $0)
            }
        }
        store(offset, at: 0)
        store(Int32(batch.count - 12), at: 8)
        store(Int32(0), at: 12)
        batch[16] = 2
        mendChecksum(&batch)
    }

    @Test(arguments: seeds(4))
    func `an observer survives any file`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let batches = try goodBatches()
        let log = try TestLog()
        let path = try log.segments[0]
        var opened = 0
        for _ in 0..<1000 {
            let isNoise = Int.random(in: 0..<10, using: &random) == 0
            let count = Int.random(in: 0...300, using: &random)
            try writeFile(path, isNoise ? random.bytes(count) : spoilt(batches, &random))
            do {
                let partition = try log.observer()
                for isolation in [Isolation.readCommitted, .readUncommitted] {
                    let offsets = try partition.entries(isolation).map(\.offset)
                    #expect(zip(offsets, offsets.dropFirst()).allSatisfy(<), "in order, none twice")
                    #expect(offsets.allSatisfy { $0 < partition.logEndOffset.rawValue })
                }
                opened += 1
            } catch let error as LogError {
                #expect([.corrupted, .newerFormat].contains(error.code), "\(error)")
            }
        }
        #expect(opened > 100, "most files are to be read in part")
    }

    @Test(arguments: seeds(2))
    func `an owner survives any file, and opens again what it has opened`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let batches = try goodBatches()
        let log = try TestLog()
        try log.withPartition(isClean: false) { _ in }
        let path = try log.segments[0]
        for _ in 0..<150 {
            try writeFile(path, spoilt(batches, &random))
            do {
                let once = try log.withPartition(isClean: false) { $0.logEndOffset }
                let again = try log.withPartition(isClean: false) { $0.logEndOffset }
                #expect(once == again)
            } catch let error as LogError {
                #expect(error.code == .corrupted, "\(error)")
            }
        }
    }

    @Test(arguments: seeds(4))
    func `records of any bytes are read or refused`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let batches = try goodBatches()
        for _ in 0..<5000 {
            let bytes = spoilt(batches, &random)
            bytes.withUnsafeBytes { bytes in
                do {
                    let header = try BatchHeader(bytes)
                    #expect(header.baseOffset >= 0 && header.nextOffset > header.baseOffset)
                    var records = BatchRecords(bytes, header)
                    while let record = try records.next() {
                        #expect(record.offset.rawValue < header.nextOffset)
                        _ = try record.headers()
                    }
                } catch is MalformedBatch {
                } catch {
                    #expect((error as? LogError)?.code == .corrupted, "\(error)")
                }
            }
        }
    }
}
