// `log verify`: says nothing of a good directory, and of a damaged one where it is damaged.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct VerificationTests {
    private let log: TestLog

    init() throws { log = try TestLog(segmentBytes: 700) }

    private func verify() throws -> (findings: [LogFinding], summary: VerificationSummary) {
        var findings: [LogFinding] = []
        var verifier = LogVerifier(log.directory.path)
        let summary = try verifier.verify { findings.append($0) }
        return (findings, summary)
    }

    private func damages() throws -> [LogFinding] {
        try verify().findings.filter { $0.kind == .damage }
    }

    /// Several segments, a transaction of each end, and one that is open.
    private func fill(_ partition: Partition) throws {
        for number in 0..<12 { try partition.append("value \(number)", "and another") }
        for (id, marker) in [(Int64(1), TransactionMarker.commit), (2, .abort), (3, .abort)] {
            let producer = ProducerStamp(id: id, epoch: 0)
            try partition.append("in a transaction", "of two", producer: producer)
            try partition.append("plain")
            try partition.end(producer, with: marker)
        }
        try partition.append("undecided", producer: ProducerStamp(id: 4, epoch: 0))
    }

    @Test func `a log that was closed is good`() throws {
        try log.withPartition { try fill($0) }
        let (findings, summary) = try verify()
        #expect(findings.map(\.description) == [])
        let segmentCount = try log.segments.count
        #expect(summary.partitionCount == 1 && summary.segmentCount == segmentCount)
        #expect(summary.recordCount == 37 && summary.batchCount == 22)
        let bytes = try log.segments.reduce(0) { try $0 + readFile($1).count }
        #expect(summary.byteCount == bytes && summary.segmentCount > 2)
    }

    @Test func `a log that was killed is good, before and after it is opened again`() throws {
        try log.withPartition(isClean: false) { partition in
            try fill(partition)
            try partition.checkpoint()
            try partition.append("flushed")
            try partition.flush()
            try partition.append("written")
        }
        #expect(try verify().findings.map(\.description) == [])
        try log.withPartition(isClean: false) { try $0.append("more") }
        #expect(try verify().findings.map(\.description) == [])
        try log.withPartition { try $0.append("more") }
        #expect(try verify().findings.map(\.description) == [])
    }

    @Test func `it works beside an owner`() throws {
        try log.withPartition { partition in
            for number in 0..<40 {
                try partition.append("value \(number)", "more")
                if number % 7 == 0 { try partition.checkpoint() }
                #expect(try verify().findings.map(\.description) == [])
            }
        }
    }

    @Test func `settings that were changed make no damage`() throws {
        try log.withOwner { owner, partition in
            try owner.alterTopic("t", [("index.interval.bytes", "100")])
            try fill(try partition())
            try partition().checkpoint()
            try owner.alterTopic("t", [("index.interval.bytes", "300")])
        }
        #expect(try verify().findings.map(\.description) == [])
    }

    @Test func `deleted records are not missed`() throws {
        try log.withOwner { owner, partition in
            try fill(try partition())
            try owner.deleteRecords(of: TestLog.name, before: Offset(26))
        }
        #expect(try verify().findings.map(\.description) == [])
        #expect(try verify().summary.recordCount < 37)
    }

    @Test func `transactions that began in what was deleted make no damage`() throws {
        try log.withOwner { owner, partition in
            let partition = try partition()
            let early = [1, 2].map { ProducerStamp(id: $0, epoch: 0) }
            for producer in early { try partition.append("early", producer: producer) }
            for number in 0..<12 { try partition.append("value \(number)", "and another") }
            let start = partition.logEndOffset
            let late = ProducerStamp(id: 3, epoch: 0)
            try partition.append("late", producer: late)
            // One of which nothing else is left, one that another holds up, which has records of both.
            try partition.end(early[0], with: .abort)
            try partition.end(late, with: .abort)
            try partition.append("on", producer: early[1])
            try partition.end(early[1], with: .abort)
            try owner.deleteRecords(of: TestLog.name, before: start)
        }
        #expect(try verify().findings.map(\.description) == [])
    }

    @Test func `every flipped byte of a segment is found where it is, and nothing else`() throws {
        try log.withPartition { try fill($0) }
        for path in try log.segments {
            let good = try readFile(path)
            var batchStart = 0
            for position in good.indices {
                if position == batchStart + batchByteCount(good, at: batchStart) {
                    batchStart = position
                }
                var bad = good
                bad[position] ^= 0x10
                try writeFile(path, bad)
                let found = try damages()
                #expect(found.first?.path == path, "byte \(position) of \(path)")
                #expect(found.first?.position == batchStart, "byte \(position) of \(path)")
                #expect(Set(found.map(\.path)) == [path], "byte \(position): \(found)")
            }
            try writeFile(path, good)
        }
        #expect(try damages().isEmpty)
    }

    /// Flips `bits` of one byte after the other, and puts the file back: the verification must name the file.
    /// - Parameter version: Where a version may stand, which is a claim of its own.
    private func expectFound(
        _ bits: UInt8, at positions: some Sequence<Int>, of path: String, version: Range<Int>
    ) throws {
        let good = try readFile(path)
        for position in positions {
            var bad = good
            bad[position] ^= bits
            try writeFile(path, bad)
            do {
                let found = try damages()
                #expect(found.first?.path == path, "byte \(position) of \(path): \(found)")
            } catch let error as LogError {
                let isNewer = error.code == .newerFormat && version.contains(position)
                #expect(isNewer, "byte \(position) of \(path): \(error)")
            }
        }
        try writeFile(path, good)
    }

    @Test func `every flipped byte of what is kept beside the segments is found`() throws {
        try log.withOwner { owner, partition in
            try owner.alterTopic("t", [("index.interval.bytes", "100")])
            try fill(try partition())
        }
        let suffixes = ["index", "snapshot", "segments", "/topics"]
        let names = try log.contents().keys.map { "/" + $0 }
            .filter { name in suffixes.contains { name.hasSuffix($0) } }
        #expect(names.contains { $0.hasSuffix(".txnindex") })
        for name in names {
            let path = log.directory.path + name
            let good = try readFile(path)
            try expectFound(0x01, at: good.indices, of: path, version: good.indices)
            guard name != "/topics" else { continue }
            try FileManager.default.removeItem(atPath: path)
            let isEmpty = good.isEmpty
            #expect(try damages().map(\.path) == (isEmpty ? [] : [path]), "without \(name)")
            _ = try log.directory.file(String(name.dropFirst()), good)
        }
        #expect(try damages().isEmpty)
    }

    @Test func `a missing segment and a missing partition are found`() throws {
        try log.withPartition { try fill($0) }
        let middle = try log.segments[1]
        let bytes = try readFile(middle)
        try FileManager.default.removeItem(atPath: middle)
        #expect(try damages().contains { $0.path == middle && $0.message.contains("missing") })
        #expect(throws: Never.self) { _ = try verify() }
        try Data(bytes).write(to: URL(fileURLWithPath: middle))
        #expect(try damages().isEmpty)
        try FileManager.default.removeItem(atPath: log.directory.path + "/t-0")
        #expect(try damages().map(\.path) == [log.directory.path + "/t-0"])
    }

    @Test func `a torn tail that was not flushed is noted, and damage below it is not`() throws {
        try log.withPartition(isClean: false) { partition in
            try partition.append("flushed")
            try partition.flush()
            try partition.append("torn")
        }
        let path = try log.segments[0]
        let good = try readFile(path)
        let first = batchByteCount(good, at: 0)
        try writeFile(path, Array(good.dropLast()))
        var found = try verify().findings
        #expect(found.map(\.kind) == [.note])
        #expect(found.first?.position == first && found.first?.offset == Offset(1))

        var bad = good
        bad[30] ^= 1
        try writeFile(path, bad)
        found = try verify().findings
        #expect(found.first?.kind == .damage && found.first?.position == 0)
    }

    @Test func `a record that cannot be true is found behind a right checksum`() throws {
        try log.withPartition { try $0.append("one", "two") }
        let path = try log.segments[0]
        var batch = try readFile(path)
        batch[61 + 3] = 0x7e
        mendChecksum(&batch)
        try writeFile(path, batch)
        #expect(try damages().first?.message.contains("offset delta") == true)
        #expect(try damages().first?.position == 0)
    }

    @Test func `a file of leader epochs that is missing or old is found`() throws {
        for _ in 0..<3 { try log.withPartition(isClean: false) { try $0.append("value") } }
        #expect(try damages().isEmpty)
        let path = log.directory.path + "/t-0/leader-epoch-checkpoint"
        let good = try readFile(path)
        try writeFile(path, Array("0\n1\n0 0\n".utf8))
        #expect(try damages().map(\.path) == [path])
        #expect(try damages().first?.message.contains("older state") == true)
        try FileManager.default.removeItem(atPath: path)
        #expect(try damages().map(\.path) == [path])
        _ = try log.directory.file("t-0/leader-epoch-checkpoint", good)
        #expect(try damages().isEmpty)
    }

    /// Opens the log so often, and each time flushes a value.
    private func flushValues(_ count: Int, isClean: Bool = true) throws {
        for _ in 0..<count {
            try log.withPartition(isClean: isClean) { partition in
                try partition.append("value")
                try partition.flush()
            }
        }
    }

    @Test func `a recovery point is missed when neither of its copies is right`() throws {
        try flushValues(3)
        let path = log.directory.path + "/recovery-points"
        var bytes = try readFile(path)
        bytes[4096 + 30] ^= 1
        try writeFile(path, bytes)
        #expect(try damages().first?.message.hasPrefix("one of the two copies") == true)
        bytes[8192 + 30] ^= 1
        try writeFile(path, bytes)
        let found = try damages()
        #expect(found.first?.path == path && found.first?.position == 4096)
        #expect(found.first?.message.hasPrefix("a recovery point is in neither") == true)
    }

    @Test func `every flipped byte of a recovery point and of the note of a clean stop is found`()
        throws
    {
        try flushValues(3)
        let page = 4096
        let slots = [page, 2 * page, 2 * page - 64, 3 * page - 64].flatMap { $0..<$0 + 64 }
        for (name, positions) in [
            ("/recovery-points", Array(0..<16) + [page - 1] + slots),
            ("/clean-shutdown", [0, 1]),
        ] {
            let path = log.directory.path + name
            let good = try readFile(path)
            try expectFound(0x04, at: positions, of: path, version: 8..<12)
            for count in [0, 1, good.count - 1] where name != "/clean-shutdown" || count < 2 {
                try writeFile(path, Array(good.prefix(count)))
                #expect(try damages().first?.path == path, "\(count) bytes of \(name)")
            }
            try writeFile(path, good)
            #expect(try damages().isEmpty)
        }
        try FileManager.default.removeItem(atPath: log.directory.path + "/recovery-points")
        #expect(try damages().first?.message.hasPrefix("it is missing") == true)
    }

    @Test func `a copy of a recovery point that a crash has torn is noted`() throws {
        try flushValues(2, isClean: false)
        let path = log.directory.path + "/recovery-points"
        var bytes = try readFile(path)
        bytes[4096 + 30] ^= 1
        try writeFile(path, bytes)
        let found = try verify().findings
        #expect(found.map(\.kind) == [.note] && found.first?.position == 4096)
    }

    @Test func `a finding names its file once`() throws {
        try log.withPartition { try fill($0) }
        let path = log.directory.path + "/topics"
        try writeFile(path, Array(try readFile(path).dropLast(3)))
        let found = try #require(try damages().first)
        #expect(found.description.hasPrefix("\(path): ") && !found.message.contains(path))
        #expect(!found.message.contains("damaged"), "\(found)")
    }

    @Test func `a recovery point torn while a topic was made is no damage after an opening`() throws
    {
        let directory = try MemoryDirectory()
        let recorder = DiskRecorder(directory.path)
        let owner = try openOwner(directory.path) { $0.files = FileSystem(observer: recorder) }
        try owner.createTopic("t", partitions: 1)
        let first = recorder.operationCount
        try owner.createTopic("u", partitions: 1)
        var disk = Disk()
        for (number, operation) in recorder.operations.enumerated() {
            if number >= first, case .write("recovery-points", _, _) = operation {
                disk.applyTorn(operation, byteCount: 16)
                break
            }
            disk.apply(operation)
        }
        let image = try MemoryDirectory(disk)
        try openOwner(image.path).close()
        var findings: [LogFinding] = []
        var verifier = LogVerifier(image.path)
        _ = try verifier.verify { findings.append($0) }
        #expect(findings.map(\.description) == [])
    }

    @Test func `a record of the log's own topics that says nothing is found`() throws {
        try log.withOwner { owner, _ in
            try owner.createTopic(TransactionTopic.name, partitions: 1, isInternal: true)
            let name = TopicPartition(TransactionTopic.name, PartitionID(0))
            let batch = BatchBuilder()
            // An id of nine characters of which there is none.
            try batch.append(key: [0, 0, 0, 9], value: [0], timestamp: Timestamp(milliseconds: 0))
            try withExtendedLifetime(batch) { _ = try owner.partition(name).append(batch.seal()) }
        }
        #expect(try damages().map(\.path) == [log.directory.path + "/__transaction_state"])
    }

    @Test func `a directory that is none is refused`() throws {
        var verifier = LogVerifier(log.directory.path + "/none")
        #expect {
            _ = try verifier.verify { _ in }
        } throws: {
            ($0 as? LogError)?.code == .noSuchDirectory
        }
    }

    @Test func `the largest offset delta is held against the count of records`() throws {
        try log.withPartition { try $0.append("one") }
        var batch = try readFile(try log.segments[0])
        batch.replaceSubrange(23..<27, with: [0x7f, 0xff, 0xff, 0xff])
        mendChecksum(&batch)
        try batch.withUnsafeBytes { bytes in
            let header = try BatchHeader(bytes)
            #expect(throws: MalformedBatch.self) {
                try BatchVerification().verify(bytes, header, mayHaveGaps: false)
            }
        }
    }

    @Test func `a file that is named after an offset that cannot be is no segment`() throws {
        try log.withPartition { try $0.append("one") }
        let path = log.directory.path + "/t-0/09223372036854775807"
        let files = FileManager.default
        try files.copyItem(atPath: try log.segments[0], toPath: path + ".log")
        let entry = Data([0, 0, 0, 1, 0, 0, 0, 0])
        #expect(files.createFile(atPath: path + ".index", contents: entry))
        #expect(try damages().isEmpty)
        let error = #expect(throws: LogError.self) { try LogFile(path + ".index").offsetEntries() }
        #expect(error?.code == .invalidArgument)
    }

    @Test func `a record of the log's own topics of a later version is not passed over`() throws {
        try log.withOwner { owner, _ in
            try owner.createTopic(TransactionTopic.name, partitions: 1, isInternal: true)
            let name = TopicPartition(TransactionTopic.name, PartitionID(0))
            let batch = BatchBuilder()
            try batch.append(
                key: TransactionRecords.key("a"), value: [0x7f, 0xff],
                timestamp: Timestamp(milliseconds: 0))
            try withExtendedLifetime(batch) { _ = try owner.partition(name).append(batch.seal()) }
        }
        let error = #expect(throws: LogError.self) { _ = try verify() }
        #expect(error?.code == .newerFormat)
    }

    /// Makes a file beside a segment when that is first read, as an owner might.
    private final class Neighbour: FileSystemObserver {
        private let isMade = Atomic<Bool>(false)

        func willPerform(_ operation: FileOperation) throws {
            guard case .read(let path, _) = operation, path.hasSuffix(".log"),
                !isMade.exchange(true, ordering: .sequentiallyConsistent)
            else { return }
            try Data().write(to: URL(filePath: path + ".note"))
        }
    }

    @Test func `a partition that changes is looked at again, though a file of them all is damaged`()
        throws
    {
        try log.withPartition { try fill($0) }
        let segment = try log.segments[1]
        for path in [segment, log.directory.path + "/recovery-points"] {
            var bytes = try readFile(path)
            bytes[3] ^= 0xff
            try writeFile(path, bytes)
        }
        var found: [LogFinding] = []
        var verifier = LogVerifier(
            log.directory.path, files: FileSystem(observer: Neighbour()))
        _ = try verifier.verify { if $0.kind == .damage { found.append($0) } }
        #expect(found.map(\.path).prefix(2) == [log.directory.path + "/recovery-points", segment])
    }
}
