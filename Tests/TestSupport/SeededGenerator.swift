import FoundationEssentials

/// SplitMix64: the same seed gives the same numbers everywhere.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    package mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &self) < percent
    }

    package mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in .random(in: 0...255, using: &self) }
    }

    /// With the seed of a random test: from STREAMJOBS_SEED, or a new one. It is printed either way, so
    /// that a failure can be repeated.
    package static func seeded(_ test: String = #function) -> SeededGenerator {
        SeededGenerator(seed: seed(of: test))
    }

    package static func seed(of test: String) -> UInt64 {
        let seed = given ?? .random(in: 0...999_999_999)
        print("\(test): STREAMJOBS_SEED=\(seed)")
        return seed
    }

    /// The seed that STREAMJOBS_SEED names.
    fileprivate static var given: UInt64? {
        ProcessInfo.processInfo.environment["STREAMJOBS_SEED"].flatMap { UInt64($0) }
    }
}

/// The seeds of a random test: the one in STREAMJOBS_SEED, or always the same few. A failure names its
/// seed as the test's argument.
package func seeds(_ count: UInt64) -> [UInt64] {
    SeededGenerator.given.map { [$0] } ?? Array(1...count)
}
