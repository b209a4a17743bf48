// Who gets which partition: pure functions of the partition counts and the members' subscriptions, the
// same result for the same arguments. Run by the group's leader, not by the coordinator.

/// How a group's partitions are shared out (Kafka: `partition.assignment.strategy`).
public enum Assignor: String, Sendable, CaseIterable {
    /// Neighbouring partitions of each topic: members that read co-partitioned topics get the same numbers.
    case range
    /// All partitions of all topics in turn.
    case roundRobin = "roundrobin"
    /// Even, with as few partitions moving as that allows; all stop while members rejoin.
    case sticky
    /// As `sticky`, but members go on reading what they keep: what moves is first given up, and given to
    /// its next member by a second rebalance (KIP-429).
    case cooperativeSticky = "cooperative-sticky"

    /// Whether members keep their partitions while they rejoin.
    package var isCooperative: Bool { self == .cooperativeSticky }

    /// - Parameters:
    ///   - partitionCounts: Of each topic that there is; a topic without one is given to nobody.
    ///   - subscriptions: By member.
    /// - Returns: An entry for each member, its partitions in order.
    package func assign(
        partitionCounts: [String: Int], subscriptions: [String: Subscription]
    ) -> [String: [TopicPartition]] {
        var assigned: [String: [TopicPartition]]
        switch self {
        case .range: assigned = Self.range(partitionCounts, subscriptions)
        case .roundRobin: assigned = Self.roundRobin(partitionCounts, subscriptions)
        case .sticky: assigned = StickyShares(partitionCounts, subscriptions).balanced()
        case .cooperativeSticky:
            assigned = StickyShares(partitionCounts, subscriptions).balanced()
            Self.withhold(&assigned, subscriptions)
        }
        return assigned.mapValues { $0.sorted(by: TopicPartition.isBefore) }
    }

    private static func range(
        _ partitionCounts: [String: Int], _ subscriptions: [String: Subscription]
    ) -> [String: [TopicPartition]] {
        var assigned = subscriptions.mapValues { _ in [TopicPartition]() }
        for (topic, count) in partitionCounts {
            let members = subscriptions.keys.sorted().filter {
                subscriptions[$0]?.topics.contains(topic) == true
            }
            guard !members.isEmpty else { continue }
            let (share, extra) = count.quotientAndRemainder(dividingBy: members.count)
            var next = 0
            for (number, member) in members.enumerated() {
                let end = next + share + (number < extra ? 1 : 0)
                assigned[member, default: []] += (next..<end).map {
                    TopicPartition(topic, PartitionID($0))
                }
                next = end
            }
        }
        return assigned
    }

    private static func roundRobin(
        _ partitionCounts: [String: Int], _ subscriptions: [String: Subscription]
    ) -> [String: [TopicPartition]] {
        var assigned = subscriptions.mapValues { _ in [TopicPartition]() }
        let members = subscriptions.keys.sorted()
        var turn = 0
        for partition in allPartitions(partitionCounts) {
            for _ in members {
                let member = members[turn]
                turn = (turn + 1) % members.count
                guard subscriptions[member]?.topics.contains(partition.topic) == true else {
                    continue
                }
                assigned[member, default: []].append(partition)
                break
            }
        }
        return assigned
    }

    /// Takes out what another member still holds: it gives it up in this generation and rejoins.
    private static func withhold(
        _ assigned: inout [String: [TopicPartition]], _ subscriptions: [String: Subscription]
    ) {
        var holders: [TopicPartition: Set<String>] = [:]
        for (member, subscription) in subscriptions {
            for partition in subscription.owned { holders[partition, default: []].insert(member) }
        }
        for member in assigned.keys {
            assigned[member]?.removeAll {
                !(holders[$0] ?? []).subtracting([member]).isEmpty
            }
        }
    }

    fileprivate static func allPartitions(_ partitionCounts: [String: Int]) -> [TopicPartition] {
        partitionCounts.sorted { $0.key < $1.key }.flatMap { topic, count in
            (0..<count).map { TopicPartition(topic, PartitionID($0)) }
        }
    }
}

extension TopicPartition {
    /// The order in which partitions are listed: by topic, then by number.
    package static func isBefore(_ left: TopicPartition, _ right: TopicPartition) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }
}

/// Shares that begin with what members hold and are evened out one partition at a time. A move goes along
/// a path of members, each giving one partition to the next, from one that has at least two more than the
/// last: where no such path is left, no assignment is more even (optimal semi-matchings, Harvey et al.).
private struct StickyShares {
    private let members: [String]
    private let topics: [String: Set<String>]
    private var shares: [String: [TopicPartition]]
    private var unassigned: [TopicPartition]

    init(_ partitionCounts: [String: Int], _ subscriptions: [String: Subscription]) {
        members = subscriptions.keys.sorted()
        topics = subscriptions.mapValues { Set($0.topics) }
        let owners = Self.owners(partitionCounts, subscriptions)
        var shares = subscriptions.mapValues { _ in [TopicPartition]() }
        unassigned = []
        for partition in Assignor.allPartitions(partitionCounts) {
            if let owner = owners[partition] {
                shares[owner, default: []].append(partition)
            } else {
                unassigned.append(partition)
            }
        }
        self.shares = shares
    }

    /// The one member that may go on with a partition: of several that claim it, the one with the latest
    /// generation; nobody where two claim it from the same one.
    private static func owners(
        _ partitionCounts: [String: Int], _ subscriptions: [String: Subscription]
    ) -> [TopicPartition: String] {
        var claims: [TopicPartition: (generation: Int32, member: String?)] = [:]
        for (member, subscription) in subscriptions {
            for partition in Set(subscription.owned) {
                let count = partitionCounts[partition.topic] ?? 0
                guard subscription.topics.contains(partition.topic),
                    partition.partition.rawValue < count
                else { continue }
                let generation = subscription.generation
                if let other = claims[partition], other.generation >= generation {
                    if other.generation == generation { claims[partition]?.member = nil }
                } else {
                    claims[partition] = (generation, member)
                }
            }
        }
        return claims.compactMapValues(\.member)
    }

    consuming func balanced() -> [String: [TopicPartition]] {
        for partition in unassigned {
            let takers = members.filter { mayRead($0, partition.topic) }
            guard let member = takers.min(by: { load($0) < load($1) }) else { continue }
            shares[member, default: []].append(partition)
        }
        while let path = pathToEvenOut() { move(along: path) }
        return shares
    }

    private func mayRead(_ member: String, _ topic: String) -> Bool {
        topics[member]?.contains(topic) == true
    }

    private func load(_ member: String) -> Int { shares[member]?.count ?? 0 }

    /// The shortest from the most loaded member from which there is one.
    private func pathToEvenOut() -> [String]? {
        let least = members.map(load).min() ?? 0
        for giver in members.sorted(by: { load($0) > load($1) }) {
            guard load(giver) > least + 1 else { return nil }
            var previous: [String: String] = [:]
            var reached = [giver]
            var next = 0
            while next < reached.count {
                let member = reached[next]
                next += 1
                let held = Set((shares[member] ?? []).map(\.topic))
                let takers = members.filter { taker in
                    taker != giver && previous[taker] == nil
                        && held.contains { mayRead(taker, $0) }
                }
                for taker in takers.sorted(by: { load($0) < load($1) }) {
                    previous[taker] = member
                    reached.append(taker)
                    guard load(taker) + 1 < load(giver) else { continue }
                    var path = [taker]
                    while let before = previous[path[0]] { path.insert(before, at: 0) }
                    return path
                }
            }
        }
        return nil
    }

    private mutating func move(along path: [String]) {
        for (giver, taker) in zip(path, path.dropFirst()) {
            // The last that fits: the newest there, where one was given from the unassigned ones.
            guard
                let index = shares[giver]?.lastIndex(where: { mayRead(taker, $0.topic) }),
                let partition = shares[giver]?.remove(at: index)
            else { preconditionFailure("a path leads from \(giver) to \(taker)") }
            shares[taker, default: []].append(partition)
        }
    }
}
