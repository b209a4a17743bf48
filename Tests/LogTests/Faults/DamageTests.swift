// Bits that flip, and files beside the segments that are gone, empty, cut short or of an older state: never
// a wrong record, never one lost in silence; what can be made again is, byte for byte.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

extension FaultTests {
    @Suite struct DamageTests {
        private static let name = TopicPartition("a", PartitionID(0))

        /// A log with several segments, transactions, retention and a leader epoch above 0.
        private func workload(isClean: Bool) throws -> CrashWorkload {
            let workload = try CrashWorkload()
            let name = Self.name
            try workload.run([
                .create("a", partitions: 2), .append(name, count: 4, .plain),
                .append(name, count: 3, .transaction(1)), .end(name, producer: 1, .abort),
                .append(name, count: 6, .idempotent), .flush(name), .reopen(isClean: false),
                .append(name, count: 5, .transaction(2)), .append(name, count: 6, .plain),
                .end(name, producer: 2, .commit), .append(name, count: 5, .idempotent),
                .append(name, count: 4, .transaction(1)), .checkpoint(name),
                .append(name, count: 4, .plain), .end(name, producer: 1, .abort),
                .deleteRecords(name, before: 2), .append(name, count: 3, .plain), .flush(name),
            ])
            if isClean { try workload.openLog().close() }
            workload.abandon()
            return workload
        }

        /// Either `directory` is refused by name, or it opens and everything that can be read is right.
        /// - Returns: The refusal's message.
        @discardableResult
        private func refusedOrRight(
            _ directory: MemoryDirectory, _ model: LogModel, _ what: String,
            mayRestore: Bool = false
        ) throws -> String? {
            do {
                let log = try CrashWorkload.open(directory.path)
                for (topic, partitions) in model.topics {
                    for number in partitions.indices {
                        let name = TopicPartition(topic, PartitionID(number))
                        let partition = try log.partition(name)
                        let model = model[name]
                        let start = Int(partition.startOffset.rawValue)
                        if partition.logEndOffset.rawValue != model.contents.count {
                            Issue.record("\(what): \(name) ends at \(partition.logEndOffset)")
                            continue
                        }
                        if start != model.start, !mayRestore || start > model.start {
                            Issue.record(
                                "\(what): \(name) begins at \(start), not at \(model.start)")
                        }
                        for isolation in [Isolation.readUncommitted, .readCommitted] {
                            let expected = model.read(
                                from: start, to: model.contents.count, isolation)
                            let seen = try partition.entries(from: Int64(start), isolation).map {
                                "\($0.offset) \(String(decoding: $0.value ?? [], as: UTF8.self))"
                            }
                            if seen != expected {
                                Issue.record(
                                    "\(what): \(name) \(isolation): \(seen), not \(expected)")
                            }
                        }
                    }
                }
                try log.close()
                return nil
            } catch let error as LogError {
                if error.code != .corrupted && error.code != .newerFormat {
                    Issue.record("\(what): \(error.code) \(error)")
                }
                return error.message
            }
        }

        private func copy(_ path: String) throws -> MemoryDirectory {
            let copy = try MemoryDirectory()
            try FileManager.default.removeItem(atPath: copy.path)
            try FileManager.default.copyItem(atPath: path, toPath: copy.path)
            return copy
        }

        private func files(_ path: String) throws -> [String] {
            try FileManager.default.subpathsOfDirectory(atPath: path).sorted().filter { name in
                var isDirectory: ObjCBool = false
                _ = FileManager.default.fileExists(
                    atPath: path + "/" + name, isDirectory: &isDirectory)
                return !isDirectory.boolValue && name != ".lock" && name != "clean-shutdown"
            }
        }

        // MARK: D6

        @Test(arguments: [true, false])
        func `a bit that flips in any byte of a segment never gives a wrong record`(isClean: Bool)
            throws
        {
            let workload = try workload(isClean: isClean)
            let model = workload.model[Self.name]
            let all = model.read(from: model.start, to: model.contents.count, .readUncommitted)
            let segments = try files(workload.directory.path).filter { $0.hasSuffix(".log") }
            var refused = 0
            for segment in segments where segment.hasPrefix("a-0") {
                let whole = try readFile(workload.directory.path + "/" + segment)
                for position in whole.indices
                where position % (isClean ? 13 : 29) == 0 || position < 61 {
                    var bad = whole
                    bad[position] ^= 1 << (position % 8)
                    let directory = try copy(workload.directory.path)
                    try writeFile(directory.path + "/" + segment, bad)
                    let what = "\(segment) byte \(position)"
                    do {
                        let log = try CrashWorkload.open(directory.path)
                        let partition = try log.partition(Self.name)
                        // Also where reading begins in the midst.
                        for start in stride(
                            from: model.start, to: model.contents.count, by: isClean ? 4 : 11)
                        {
                            let seen = try seen(partition, from: start)
                            let expected = all.filter {
                                Int($0.split(separator: " ")[0]) ?? 0 >= start
                            }
                            #expect(
                                seen.values == Array(expected.prefix(seen.values.count)), "\(what)")
                            #expect(
                                seen.values.count == expected.count
                                    || seen.error?.code == .corrupted,
                                "\(what) from \(start): \(String(describing: seen.error))")
                            refused += seen.error == nil ? 0 : 1
                        }
                    } catch let error as LogError {
                        #expect(error.code == .corrupted, "\(what): \(error)")
                        #expect(error.message.contains(segment), "\(what): \(error)")
                        refused += 1
                    }
                }
            }
            #expect(refused > 100)
        }

        private func seen(_ partition: Partition, from start: Int) throws -> (
            values: [String], error: LogError?
        ) {
            let cursor = PartitionCursor(
                partition, from: Offset(Int64(start)), isolation: .readUncommitted)
            var values: [String] = []
            do {
                while try cursor.hasRecord() {
                    try cursor.withRecord { record in
                        let entry = try Entry(record)
                        let value = String(decoding: entry.value ?? [], as: UTF8.self)
                        values.append("\(entry.offset) \(value)")
                    }
                    cursor.take()
                }
            } catch let error as LogError { return (values, error) }
            return (values, nil)
        }

        // MARK: D7, D10

        @Test(arguments: [true, false])
        func `files beside the segments that are gone, empty or cut are made again or refused`(
            isClean: Bool
        ) throws {
            let workload = try workload(isClean: isClean)
            let path = workload.directory.path
            var refusals: Set<String> = []
            for file in try files(path) where !file.hasSuffix(".log") {
                let whole = try readFile(path + "/" + file)
                for damage in ["gone", "empty", "half", "longer"] {
                    let directory = try copy(path)
                    let target = directory.path + "/" + file
                    switch damage {
                    case "gone": try FileManager.default.removeItem(atPath: target)
                    case "empty": try writeFile(target, [])
                    case "half": try writeFile(target, Array(whole.prefix(whole.count / 2)))
                    default: try writeFile(target, whole + [0x37])
                    }
                    // Where the point of what was deleted is gone, deleted records may be back.
                    let refusal = try refusedOrRight(
                        directory, workload.model, "\(file) \(damage)",
                        mayRestore: file.hasSuffix("offset-checkpoint") || file == "recovery-points"
                    )
                    if let refusal {
                        let name = file.split(separator: "/").last ?? ""
                        let isNamed = refusal.contains(name)
                        #expect(isNamed, "\(file) \(damage): \(refusal)")
                        refusals.insert(String(name))
                    } else if isDerived(file) {
                        try checkMadeAgain(directory.path, path, file, damage)
                    }
                }
            }
            // What is not derived.
            let expected: Set<String> = ["topics", "recovery-points", "leader-epoch-checkpoint"]
            #expect(refusals.isSubset(of: expected.union(["log-start-offset-checkpoint"])))
            #expect(refusals.isSuperset(of: ["topics", "leader-epoch-checkpoint"]), "\(refusals)")
        }

        private func isDerived(_ file: String) -> Bool {
            [".index", ".timeindex", ".txnindex"].contains { file.hasSuffix($0) }
        }

        /// The file is as it is in an undamaged copy after the same opening and closing.
        private func checkMadeAgain(
            _ path: String, _ original: String, _ file: String, _ damage: String
        ) throws {
            let undamaged = try copy(original)
            for directory in [undamaged.path, path] {
                let log = try CrashWorkload.open(directory)
                // A sealed segment's index is looked at when it is needed.
                for topic in log.topics {
                    for name in topic.partitions {
                        let partition = try log.partition(name)
                        for offset in partition.startOffset
                            .rawValue..<partition.logEndOffset.rawValue
                        {
                            _ = try partition.entries(from: offset)
                        }
                        _ = try partition.offset(atOrAfter: Timestamp(milliseconds: 0))
                    }
                }
                try log.close()
            }
            let expected = try readFile(undamaged.path + "/" + file)
            let made = FileManager.default.contents(atPath: path + "/" + file).map { [UInt8]($0) }
            // Without entries it need not be there.
            #expect(made ?? [] == expected, "\(file) \(damage)")
        }

        @Test(arguments: [true, false])
        func `a bit that flips in a file beside the segments is noticed or changes nothing`(
            isClean: Bool
        ) throws {
            let workload = try workload(isClean: isClean)
            let path = workload.directory.path
            for file in try files(path) where !file.hasSuffix(".log") {
                // A flag in Kafka's format without a checksum: found out where batches are read, only.
                guard !file.hasSuffix("leader-epoch-checkpoint") else { continue }
                let whole = try readFile(path + "/" + file)
                let positions =
                    file == "recovery-points"
                    ? whole.indices.filter { whole[$0] != 0 } : Array(whole.indices)
                for position in positions where position % (isClean ? 3 : 11) == 0 {
                    var bad = whole
                    bad[position] ^= 1 << (position * 5 % 8)
                    let directory = try copy(path)
                    try writeFile(directory.path + "/" + file, bad)
                    try refusedOrRight(
                        directory, workload.model, "\(file) byte \(position)",
                        mayRestore: file == "recovery-points")
                }
            }
        }

        @Test func `a file of an older state beside newer ones is never believed wrongly`() throws {
            let workload = try CrashWorkload()
            let path = workload.directory.path
            var older: [MemoryDirectory] = []
            for (number, step) in CrashStep.everything.enumerated() {
                try workload.run(step)
                if number % 12 == 5 { older.append(try copy(path)) }
            }
            for name in [Self.name, TopicPartition("b", PartitionID(0))] {
                try workload.run(.checkpoint(name))
            }
            workload.abandon()
            var refusals = 0
            for old in older {
                let now = Set(try files(path))
                for file in try files(old.path) where !file.hasSuffix(".log") {
                    // One that is no more is put back as well.
                    let folder = file.contains("/") ? file.prefix { $0 != "/" } + "/" : ""
                    guard now.contains(where: { $0.hasPrefix(folder) }) else { continue }
                    let bytes = try readFile(old.path + "/" + file)
                    let directory = try copy(path)
                    let target = directory.path + "/" + file
                    _ = FileManager.default.createFile(atPath: target, contents: Data(bytes))
                    let refusal = try refusedOrRight(
                        directory, workload.model, "old \(file)", mayRestore: true)
                    if refusal != nil { refusals += 1 }
                }
            }
            print("stale files: \(refusals) refused")
        }

        @Test func `segments of an older state below newer notes are refused`() throws {
            let workload = try CrashWorkload()
            let name = Self.name
            try workload.run([
                .create("a", partitions: 1), .append(name, count: 1, .plain), .checkpoint(name),
            ])
            let older = try copy(workload.directory.path)
            try workload.run([.append(name, count: 1, .plain), .flush(name)])
            workload.abandon()
            #expect(try files(workload.directory.path).filter { $0.hasSuffix(".log") }.count == 1)
            for old in [[], ["a-0/segments"]] {
                let directory = try copy(workload.directory.path)
                // Of `segments` and `recovery-points` these are as old.
                for file in ["a-0/00000000000000000000.log"] + old {
                    try writeFile(
                        directory.path + "/" + file, try readFile(older.path + "/" + file))
                }
                let what = "an old segment, old \(old)"
                let error = #expect(throws: LogError.self, "\(what)") {
                    _ = try CrashWorkload.open(directory.path)
                }
                #expect(error?.code == .corrupted && error?.message.contains("a-0") == true)
            }
        }

        @Test func `an old topics file gives no producer id twice`() throws {
            let workload = try CrashWorkload()
            let name = Self.name
            try workload.run([.create("a", partitions: 1)])
            let path = workload.directory.path + "/topics"
            let old = try readFile(path)
            let id = try workload.openLog().takeProducerIDs(8) + 7
            let partition = try workload.openLog().partition(name)
            try partition.append(["x"], producer: ProducerStamp(id: id, epoch: 0), sequence: 0)
            workload.abandon()
            try writeFile(path, old)
            #expect(try workload.openLog().takeProducerIDs(1) > id)
        }

        @Test func `an old file of leader epochs is refused by name, a missing one is made again`()
            throws
        {
            let workload = try CrashWorkload()
            let name = Self.name
            try workload.run([
                .create("a", partitions: 1), .append(name, count: 2, .plain),
                .reopen(isClean: false),
            ])
            let path = workload.directory.path + "/a-0/leader-epoch-checkpoint"
            let old = try readFile(path)
            try workload.run([
                .append(name, count: 2, .plain), .reopen(isClean: false),
                .append(name, count: 2, .plain), .reopen(isClean: true),
            ])
            let whole = try readFile(path)
            for isClean in [true, false] {
                if isClean { try workload.openLog().close() }
                workload.abandon()
                try writeFile(path, old)
                let error = #expect(throws: LogError.self) { try workload.openLog() }
                #expect(error?.message.contains("leader-epoch-checkpoint") == true)
                try FileManager.default.removeItem(atPath: path)
                let partition = try workload.openLog().partition(name)
                #expect(
                    (0..<6).map { partition.leaderEpoch(at: Offset($0)) } == [0, 0, 1, 1, 2, 2])
                if isClean { #expect(try readFile(path) == whole) }
            }
        }
    }
}
