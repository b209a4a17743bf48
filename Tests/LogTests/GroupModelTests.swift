// Random members of one group on one thread, with a clock that the test moves, against what any group must
// keep: nothing is committed that nobody has processed, no commit goes back, and all is processed in the end.

import StreamJobsLog
import TestSupport
import Testing

private final class GroupModel {
    let log: GroupLog
    let assignors: [Assignor]
    var random: SeededGenerator
    var members: [GroupConsumer] = []
    /// Members that stand still; they may wake.
    var zombies: [GroupConsumer] = []
    var appended = 0
    /// Offsets that some call has returned for, by partition.
    var processed: [Int: Set<Int64>] = [:]
    var committed: [Int: Int64] = [:]
    static let partitions = 3

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        log = try GroupLog(partitions: Self.partitions)
        assignors = [Assignor.allCases.randomElement(using: &random) ?? .range]
    }

    func step() throws {
        switch Int.random(in: 0..<20, using: &random) {
        case 0 where members.count < 4: try start()
        case 1: members.randomElement(using: &random).map { zombies.append($0) }
        case 2: if !zombies.isEmpty { zombies.removeFirst() }
        case 3: log.clock.advance(by: .seconds(Int.random(in: 1...50, using: &random)))
        case 4: try close()
        case 5 where random.chance(20): try restart()
        case 6, 7:
            try log.fill(2, from: appended)
            appended += 2
        case 8, 9, 10:
            if let member = members.randomElement(using: &random) { try commit(member) }
        default:
            if let member = members.randomElement(using: &random) { try poll(member) }
        }
        try check()
    }

    private func start() throws {
        let isAutomatic = random.chance(50)
        members.append(
            try log.member {
                $0.assignors = assignors
                $0.autoCommitInterval = isAutomatic ? .seconds(5) : nil
                $0.maxPollRecords = 3
            })
    }

    private func close() throws {
        guard let index = members.indices.randomElement(using: &random) else { return }
        let member = members.remove(at: index)
        zombies.removeAll { $0 === member }
        // Nobody else polls meanwhile: waiting would be in vain.
        try member.close(timeout: .zero)
    }

    /// The process ends with all of its members, and starts again.
    private func restart() throws {
        try log.reopen()
        members = []
        zombies = []
    }

    private func isAwake(_ member: GroupConsumer) -> Bool { !zombies.contains { $0 === member } }

    func poll(_ member: GroupConsumer) throws {
        guard isAwake(member) else { return }
        _ = try member.poll(timeout: .zero) { partition, record in
            processed[Int(partition.partition.rawValue), default: []].insert(
                record.offset.rawValue)
        }
    }

    func commit(_ member: GroupConsumer) throws {
        // Also by those that stand still: the worst that a zombie can do.
        do {
            try member.commit()
        } catch let error as LogError {
            let refusals: [LogError.Code] = [
                .unknownMember, .illegalGeneration, .rebalanceInProgress,
            ]
            #expect(refusals.contains(error.code), "\(error)")
        }
    }

    private func check() throws {
        let now = try log.committed()
        for (partition, offset) in now {
            #expect(
                offset >= committed[partition] ?? 0, "a commit of partition \(partition) went back")
            let missing = (0..<offset).filter { processed[partition]?.contains($0) != true }
            #expect(missing.isEmpty, "committed but never processed in \(partition): \(missing)")
        }
        for partition in committed.keys { #expect(now[partition] != nil) }
        committed = now
    }

    /// Everybody wakes; the group settles and reads what is left.
    func finish() throws {
        zombies = []
        if members.isEmpty { try start() }
        var rounds = 0
        while rounds < 200, committed.values.reduce(0, +) < Int64(appended * Self.partitions) {
            for member in members {
                try poll(member)
                try commit(member)
            }
            try check()
            rounds += 1
        }
        #expect(committed.values.reduce(0, +) == Int64(appended * Self.partitions))
    }
}

struct GroupModelTests {
    @Test(arguments: seeds(40))
    func `nothing is skipped, no commit goes back, and all is read in the end`(seed: UInt64) throws
    {
        let model = try GroupModel(seed: seed)
        for _ in 0..<150 { try model.step() }
        try model.finish()
    }
}
