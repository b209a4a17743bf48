// How an environment is opened.

/// What a commit of state survives.
package enum StateDurability: Sendable, Hashable {
    /// A power loss: each commit waits for the disk.
    case powerLoss
    /// The end of the process only: nothing is flushed, and after a crash of the machine the data may be
    /// damaged. For tests and for data that can be made again.
    case none
}

/// How an environment is opened.
package struct StateSettings: Sendable, Hashable {
    package var durability: StateDurability
    /// Bytes of address space to begin with; the map grows by itself.
    package var mapBytes: Int

    package init(durability: StateDurability = .powerLoss, mapBytes: Int = Limits.mapBytes) {
        self.durability = durability
        self.mapBytes = mapBytes
    }
}
