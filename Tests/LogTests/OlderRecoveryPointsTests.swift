// `recovery-points` deleted, of an older state, or with slots of topics that are gone.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct OlderRecoveryPointsTests {
    private let log: TestLog
    private var points: String { log.directory.path + "/recovery-points" }

    init() throws { log = try TestLog() }

    private func append(_ values: String...) throws {
        try log.withPartition(isClean: false) { partition in
            for value in values { try partition.append(value) }
            try partition.flush()
        }
    }

    private func delete(before offset: Int64) throws {
        try log.withOwner(isClean: false) { log, _ in
            try log.deleteRecords(of: TestLog.name, before: Offset(offset))
        }
    }

    @Test func `without it deleted records stay deleted`() throws {
        try append("a", "b", "c")
        try delete(before: 2)
        try log.directory.remove("recovery-points")
        try log.withPartition { partition throws in
            #expect(partition.startOffset == Offset(2))
            #expect(try partition.values(from: 2) == ["c"])
        }
    }

    @Test func `an older one that would bring deleted records back is refused, with both offsets`()
        throws
    {
        try append("a", "b", "c")
        try delete(before: 1)
        let older = try readFile(points)
        try delete(before: 2)
        try writeFile(points, older)
        let refusal = log.refusal()
        #expect(refusal?.code == .corrupted)
        for words in ["recovery-points", "begins at offset 1", "log-start-offset-checkpoint has 2"]
        {
            #expect(refusal?.message.contains(words) == true, "\(refusal?.message ?? "")")
        }
        // One of the ways out that it names.
        try log.directory.remove("recovery-points")
        try log.withPartition { #expect($0.startOffset == Offset(2)) }
    }

    @Test func `an older one is refused where a checkpoint proves it`() throws {
        try append("a")
        let older = try readFile(points)
        try append("b", "c")
        try log.withPartition(isClean: false) { try $0.checkpoint() }
        try writeFile(points, older)
        let refusal = log.refusal()
        #expect(refusal?.code == .corrupted)
        for words in ["recovery-points", "to offset 1", "lies at 3"] {
            #expect(refusal?.message.contains(words) == true, "\(refusal?.message ?? "")")
        }
        try log.directory.remove("recovery-points")
        #expect(try log.withPartition { try $0.values() } == ["a", "b", "c"])
    }

    /// A crash between the two notes of a start, and then the loss of the first of them.
    @Test func `what only the slot knows of a beginning is in Kafka's file after the next opening`()
        throws
    {
        let files = FailingFiles(.io) {
            if case .rename(_, let path) = $0 { path.hasSuffix("-checkpoint") } else { false }
        }
        try append("a", "b", "c")
        do {
            let owner = try log.open(FileSystem(observer: files))
            files.turn(on: true)
            try owner.deleteRecords(of: TestLog.name, before: Offset(2))
        }
        try log.withPartition { #expect($0.startOffset == Offset(2)) }
        try log.directory.remove("recovery-points")
        try log.withPartition { #expect($0.startOffset == Offset(2)) }
    }

    /// The slots in use, from the layout alone: two copies of 64 in pages of 4096.
    private func slotsInUse() throws -> Int {
        let bytes = try readFile(points)
        var count = 0
        for slot in 0..<64 {
            let copies: [Int] = [4096 + slot * 64, 2 * 4096 + slot * 64]
            let isUsed = copies.contains { position in
                bytes[position..<position + 16].contains { $0 != 0 }
            }
            if isUsed { count += 1 }
        }
        return count
    }

    @Test func `a slot that a deleted topic has left is freed`() throws {
        try append("a")
        let one = try slotsInUse()
        // The topic goes, and nothing is flushed any more before the crash.
        try log.withOwner(isClean: false) { log, _ in
            try log.createTopic("gone", partitions: 3)
            try log.deleteTopic("gone")
        }
        #expect(try slotsInUse() == one + 3)
        try append("b")
        #expect(try slotsInUse() == one)
        #expect(try log.withPartition { try $0.values() } == ["a", "b"])
    }
}
