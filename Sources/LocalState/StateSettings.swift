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
    /// Bytes that the entries kept in memory should take at most, over all stores, beside the map.
    package var memoryBytesMax: Int
    /// Bytes of address space to begin with; the map grows by itself.
    package var mapBytes: Int

    package init(
        durability: StateDurability = .powerLoss, memoryBytesMax: Int = Limits.memoryBytesMax,
        mapBytes: Int = Limits.mapBytes
    ) {
        precondition(memoryBytesMax > 0, "state needs some memory")
        self.durability = durability
        self.memoryBytesMax = memoryBytesMax
        self.mapBytes = mapBytes
    }
}
