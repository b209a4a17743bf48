// Random members against the state machine: they join, sync, keep still, leave, come back late, speak for
// old generations; the invariants hold after every event, and once they behave the group settles.

import StreamJobsLog
import TestSupport
import Testing

/// Members as a client library would drive them, and what they may believe.
private struct Crowd {
    struct Client {
        var id = ""
        var instance: String?
        var generation: Int32 = -1
        var join: GroupRequestID?
        var sync: GroupRequestID?
        var isLeader = false
        var members: [String] = []
        /// Held since the last share that was answered.
        var share: [UInt8] = []
        var isInside = false
    }

    var group = GroupUnderTest()
    var clients: [Client]
    var random: SeededGenerator
    private var lastID = 0
    /// Shares by generation: whose each partition is.
    private var owners: [Int32: [UInt8: String]] = [:]
    private var highestGeneration: Int32 = 0
    static let partitions: UInt8 = 7

    init(seed: UInt64, clients count: Int) {
        random = SeededGenerator(seed: seed)
        clients = (0..<count).map { Client(instance: $0 % 3 == 2 ? "i\($0)" : nil) }
        group.storesAtOnce = random.chance(50)
    }

    /// One step of the `number`-th client as it should behave.
    mutating func behave(_ number: Int) {
        readAnswers(number)
        let client = clients[number]
        if client.join != nil || client.sync != nil { return }
        guard client.isInside else { return join(number) }
        let identity = MemberIdentity(
            memberID: client.id, generation: client.generation, instanceID: client.instance)
        do {
            try group.state.heartbeat(identity, at: group.now)
        } catch { refused(number, error) }
    }

    private mutating func join(_ number: Int) {
        lastID += 1
        let client = clients[number]
        clients[number].isInside = false
        let metadata: [UInt8] = random.chance(80) ? [] : [.random(in: 0...3, using: &random)]
        clients[number].join = group.join(
            client.id, proposed: "m\(lastID)", instance: client.instance, metadata: metadata,
            session: .seconds(10), rebalance: .seconds(20))
    }

    private mutating func refused(_ number: Int, _ error: LogError) {
        clients[number].isInside = false
        clients[number].join = nil
        clients[number].sync = nil
        if error.code != .rebalanceInProgress {
            clients[number].id = ""
            clients[number].share = []
            clients[number].generation = -1
        }
    }

    private mutating func readAnswers(_ number: Int) {
        if let request = clients[number].join, let result = group.joins[request] {
            clients[number].join = nil
            switch result {
            case .failure(let error): refused(number, error)
            case .success(let answer): joined(number, answer)
            }
        }
        if let request = clients[number].sync, let result = group.syncs[request] {
            clients[number].sync = nil
            switch result {
            case .failure(let error): refused(number, error)
            case .success(let share):
                clients[number].share = share
                clients[number].isInside = true
                noteShare(share, of: clients[number].id, in: clients[number].generation)
            }
        }
    }

    private mutating func joined(_ number: Int, _ answer: JoinAnswer) {
        clients[number].id = answer.memberID
        clients[number].generation = answer.generation
        var assignments: [String: [UInt8]] = [:]
        if answer.isLeader, !answer.skipAssignment, !answer.members.isEmpty {
            for partition in 0..<Self.partitions {
                let member = answer.members[Int(partition) % answer.members.count].id
                assignments[member, default: []].append(partition)
            }
        }
        clients[number].sync = group.sync(
            answer.memberID, answer.generation, instance: clients[number].instance,
            shares: assignments)
    }

    /// A static member's successor has the share of what it was, under another id.
    private mutating func noteShare(_ share: [UInt8], of member: String, in generation: Int32) {
        let instance = group.state.members[member]?.instanceID ?? member
        for partition in share {
            let owner = owners[generation, default: [:]].updateValue(instance, forKey: partition)
            #expect(owner == nil || owner == instance, "partition \(partition) is given twice")
        }
    }

    /// Anything that may happen.
    mutating func disturb() {
        let number = Int.random(in: clients.indices, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0: group.pass(.seconds(Int.random(in: 1...25, using: &random)))
        case 1:
            group.handle(
                .memberLeft(memberID: clients[number].id, instanceID: clients[number].instance))
            clients[number] = Client(instance: clients[number].instance)
        case 2:
            // Killed and started again: it forgets everything.
            clients[number] = Client(instance: clients[number].instance)
        case 3: join(number)
        case 4:
            let id = clients.randomElement(using: &random)?.id ?? ""
            _ = group.sync(id, .random(in: 0...9, using: &random), shares: ["x": [1]])
        case 5: store()
        default: behave(number)
        }
    }

    /// Records that were asked for reach the log, late and out of order, or not at all.
    mutating func store(always: Bool = false) {
        guard !group.storesAtOnce else { return }
        let generation = group.state.generation
        if always || random.chance(70) {
            group.handle(.groupStored(generation: generation))
        } else if random.chance(50) {
            group.handle(.storingFailed(generation: generation, LogError(.noSpace, "full")))
        } else {
            group.handle(.groupStored(generation: generation - 1))
        }
    }

    /// What holds at any time.
    mutating func check() {
        let state = group.state
        #expect(state.generation >= highestGeneration)
        highestGeneration = state.generation
        switch state.phase {
        case .empty: #expect(state.members.isEmpty)
        case .stable, .completingRebalance:
            #expect(!state.members.isEmpty && state.protocolName != nil)
        case .preparingRebalance: #expect(!state.members.isEmpty || state.nextDeadline != nil)
        case .dead: Issue.record("nobody has deleted the group")
        }
        for client in clients where !client.id.isEmpty {
            checkCommit(client.id, client.generation)
            checkCommit(client.id, client.generation - 1)
            checkCommit(client.id, client.generation + 1)
        }
    }

    private mutating func checkCommit(_ id: String, _ generation: Int32) {
        let state = group.state
        let mayCommit =
            state.members[id] != nil && state.generation == generation
            && state.phase != .completingRebalance
        // A copy: asking is a sign of life as well.
        var copy = state
        let identity = MemberIdentity(memberID: id, generation: generation)
        let refusal: LogError?
        do {
            try copy.requireCommit(identity, at: group.now)
            refusal = nil
        } catch { refusal = error }
        #expect((refusal == nil) == mayCommit)
    }

    /// Whether everybody has its share of the current generation, and the shares are everything.
    var hasSettled: Bool {
        group.state.phase == .stable
            && clients.allSatisfy { $0.isInside && $0.generation == group.state.generation }
            && clients.flatMap(\.share).sorted() == Array(0..<Self.partitions)
    }
}

struct GroupPropertyTests {
    @Test(arguments: seeds(100))
    func `whatever members do, the invariants hold, and the group settles when they behave`(
        seed: UInt64
    ) {
        var crowd = Crowd(seed: seed, clients: Int(seed % 5) + 1)
        for _ in 0..<300 {
            crowd.disturb()
            crowd.check()
        }
        // From here on all of them behave; what was left behind by others ends with its session.
        var rounds = 0
        while !crowd.hasSettled, rounds < 100 {
            for number in crowd.clients.indices { crowd.behave(number) }
            crowd.store(always: true)
            crowd.group.pass(.seconds(1))
            crowd.check()
            rounds += 1
        }
        #expect(crowd.hasSettled, "not after \(rounds) rounds: \(crowd.group.state.phase)")
    }
}
