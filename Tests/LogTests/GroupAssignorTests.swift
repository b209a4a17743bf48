// Assignments over small spaces, exhaustively: complete, disjoint, even, and with the fewest moves.

import StreamJobsLog
import TestSupport
import Testing

private func partitions(_ topic: String, _ numbers: Int...) -> [TopicPartition] {
    numbers.map { TopicPartition(topic, PartitionID($0)) }
}

/// All ways to choose one of `choices` for each of `count` things.
private func ways(_ choices: Int, for count: Int) -> [[Int]] {
    guard count > 0 else { return [[]] }
    return ways(choices, for: count - 1).flatMap { way in (0..<choices).map { way + [$0] } }
}

struct GroupAssignorTests {
    private let names = ["m0", "m1", "m2"]

    /// Every one of up to 3 members subscribes to a subset of two topics, with 0 to 3 partitions each.
    private func forEachSpace(
        _ body: ([String: Int], [String: Subscription]) throws -> Void
    ) rethrows {
        for counts in ways(4, for: 2) {
            for memberCount in 1...3 {
                for choice in ways(4, for: memberCount) {
                    var subscriptions: [String: Subscription] = [:]
                    for (member, topics) in choice.enumerated() {
                        subscriptions[names[member]] = Subscription(
                            topics: [["a"], ["b"], ["a", "b"], []][topics])
                    }
                    try body(["a": counts[0], "b": counts[1]], subscriptions)
                }
            }
        }
    }

    /// Checks that each partition that somebody wants has exactly one member, who wants it.
    private func requireSound(
        _ assigned: [String: [TopicPartition]], _ counts: [String: Int],
        _ subscriptions: [String: Subscription]
    ) {
        #expect(Set(assigned.keys) == Set(subscriptions.keys))
        var wanted: Set<TopicPartition> = []
        for (topic, count) in counts
        where subscriptions.values.contains(where: { $0.topics.contains(topic) }) {
            for number in 0..<count { wanted.insert(TopicPartition(topic, PartitionID(number))) }
        }
        let given = assigned.values.flatMap { $0 }
        #expect(given.count == wanted.count && Set(given) == wanted)
        for (member, partitions) in assigned {
            for partition in partitions {
                #expect(subscriptions[member]?.topics.contains(partition.topic) == true)
            }
        }
    }

    @Test(arguments: Assignor.allCases)
    func `every partition has one member, who wants it`(assignor: Assignor) {
        forEachSpace { counts, subscriptions in
            let assigned = assignor.assign(
                partitionCounts: counts, subscriptions: subscriptions)
            requireSound(assigned, counts, subscriptions)
            #expect(
                assignor.assign(partitionCounts: counts, subscriptions: subscriptions) == assigned)
        }
    }

    @Test func `range gives neighbours, the first members one more`() {
        let subscriptions = [
            "m0": Subscription(topics: ["a", "b"]), "m1": Subscription(topics: ["a", "b"]),
        ]
        let assigned = Assignor.range.assign(
            partitionCounts: ["a": 3, "b": 3], subscriptions: subscriptions)
        #expect(assigned["m0"] == partitions("a", 0, 1) + partitions("b", 0, 1))
        #expect(assigned["m1"] == partitions("a", 2) + partitions("b", 2))
    }

    /// The example of Kafka's documentation of its round-robin assignor.
    @Test func `round robin passes over members that do not want a topic`() {
        let subscriptions = [
            "C0": Subscription(topics: ["t0"]), "C1": Subscription(topics: ["t0", "t1"]),
            "C2": Subscription(topics: ["t0", "t1", "t2"]),
        ]
        let assigned = Assignor.roundRobin.assign(
            partitionCounts: ["t0": 1, "t1": 2, "t2": 3], subscriptions: subscriptions)
        #expect(assigned["C0"] == partitions("t0", 0))
        #expect(assigned["C1"] == partitions("t1", 0))
        #expect(assigned["C2"] == partitions("t1", 1) + partitions("t2", 0, 1, 2))
    }

    /// Compares with all assignments there are.
    @Test func `sticky is as even as can be, whoever wants what`() {
        forEachSpace { counts, subscriptions in
            let all = counts.sorted { $0.key < $1.key }.flatMap { topic, count in
                (0..<count).map { TopicPartition(topic, PartitionID($0)) }
            }
            let members = subscriptions.keys.sorted()
            let takers = all.map { partition in
                members.indices.filter {
                    subscriptions[members[$0]]?.topics.contains(partition.topic) == true
                }
            }.filter { !$0.isEmpty }
            var least = Int.max
            for way in ways(members.count, for: takers.count)
            where zip(way, takers).allSatisfy({ $1.contains($0) }) {
                let loads = members.indices.map { member in way.count { $0 == member } }
                least = min(least, loads.reduce(0) { $0 + $1 * $1 })
            }
            let assigned = Assignor.sticky.assign(
                partitionCounts: counts, subscriptions: subscriptions)
            #expect(assigned.values.reduce(0) { $0 + $1.count * $1.count } == least)
        }
    }

    /// Every way in which 3 members, or nobody, may have held 5 partitions.
    @Test func `sticky moves no more than it must to be even`() {
        for way in ways(4, for: 5) {
            var subscriptions: [String: Subscription] = [:]
            for (number, member) in names.enumerated() {
                subscriptions[member] = Subscription(
                    topics: ["a"],
                    owned: way.indices.filter { way[$0] == number }.map {
                        TopicPartition("a", PartitionID($0))
                    }, generation: 1)
            }
            let assigned = Assignor.sticky.assign(
                partitionCounts: ["a": 5], subscriptions: subscriptions)
            requireSound(assigned, ["a": 5], subscriptions)
            #expect(assigned.values.map(\.count).sorted() == [1, 2, 2])
            let kept = names.reduce(0) { sum, member in
                let owned = Set(subscriptions[member]?.owned ?? [])
                return sum + owned.intersection(assigned[member] ?? []).count
            }
            // Two members may keep two and one keeps one: the best is those with the most.
            let held = names.indices.map { member in way.count { $0 == member } }.sorted()
            let best = min(held[0], 1) + min(held[1], 2) + min(held[2], 2)
            #expect(kept == best, "\(way)")
        }
    }

    @Test func `a claim of an earlier generation is void, one of two equals is nobody's`() {
        let subscriptions = [
            "m0": Subscription(topics: ["a"], owned: partitions("a", 0, 1, 2), generation: 1),
            "m1": Subscription(topics: ["a"], owned: partitions("a", 0, 1), generation: 2),
            "m2": Subscription(topics: ["a"], owned: partitions("a", 1), generation: 2),
        ]
        let assigned = Assignor.sticky.assign(
            partitionCounts: ["a": 3], subscriptions: subscriptions)
        #expect(assigned["m0"] == partitions("a", 2))
        #expect(assigned["m1"] == partitions("a", 0))
        #expect(assigned["m2"] == partitions("a", 1))
    }

    @Test func `partitions of deleted topics and unwanted ones are given up`() {
        let owned = partitions("gone", 0) + partitions("a", 9) + partitions("b", 0)
        let subscriptions = ["m0": Subscription(topics: ["a"], owned: owned, generation: 1)]
        let assigned = Assignor.sticky.assign(
            partitionCounts: ["a": 1, "b": 1], subscriptions: subscriptions)
        #expect(assigned["m0"] == partitions("a", 0))
    }

    /// From any holding, members come and go: nobody is given what another one still holds, and the second
    /// generation has settled.
    @Test func `cooperative members never hold a partition twice and settle in two generations`() {
        for way in ways(4, for: 5) {
            for memberCount in 1...3 {
                var owned: [String: [TopicPartition]] = [:]
                for (number, member) in names.prefix(memberCount).enumerated() {
                    owned[member] = way.indices.filter { way[$0] == number }.map {
                        TopicPartition("a", PartitionID($0))
                    }
                }
                var moved = 0
                for generation in Int32(1)...3 {
                    let subscriptions = owned.mapValues {
                        Subscription(topics: ["a"], owned: $0, generation: generation)
                    }
                    let assigned = Assignor.cooperativeSticky.assign(
                        partitionCounts: ["a": 5], subscriptions: subscriptions)
                    for (member, share) in assigned {
                        for (other, held) in owned where other != member {
                            #expect(Set(share).isDisjoint(with: held))
                        }
                    }
                    moved = assigned == owned.mapValues { $0 } ? 0 : moved + 1
                    owned = assigned
                }
                #expect(moved == 0)
                #expect(owned.values.reduce(0) { $0 + $1.count } == 5)
                let loads = owned.values.map(\.count)
                #expect((loads.max() ?? 0) - (loads.min() ?? 0) <= 1)
            }
        }
    }

    @Test func `a large group is shared out in reasonable time`() {
        var subscriptions: [String: Subscription] = [:]
        for number in 0..<100 {
            subscriptions["m\(number)"] = Subscription(
                topics: number % 2 == 0 ? ["a", "b"] : ["a"])
        }
        let assigned = Assignor.sticky.assign(
            partitionCounts: ["a": 1000, "b": 1000], subscriptions: subscriptions)
        #expect(Set(assigned.values.map(\.count)) == [20])
    }
}
