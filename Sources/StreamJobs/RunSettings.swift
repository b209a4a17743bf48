/// How a job is run. The defaults are right for most.
public struct RunSettings: Sendable {
    /// Threads that the tasks are spread over; as many as there are cores, unless given. The number
    /// changes nothing in the output.
    public var threads: Int?
    /// Ends when all that was in the sources at the start has been worked through; goes on until
    /// stopped otherwise.
    public var untilEnd: Bool
    /// Time between two commits while there is work. A task with nothing more to read commits at once.
    public var commitInterval: Duration

    /// What a commit survives.
    public var durability: Durability
    /// How often an input record's effect is seen in the outputs; the job's own unless given.
    public var guarantee: Guarantee?

    public init(
        threads: Int? = nil, untilEnd: Bool = false,
        commitInterval: Duration = RunSettings.defaultCommitInterval,
        durability: Durability = .powerLoss, guarantee: Guarantee? = nil
    ) {
        self.threads = threads
        self.untilEnd = untilEnd
        self.commitInterval = commitInterval
        self.durability = durability
        self.guarantee = guarantee
    }

    public static let defaultCommitInterval = Limits.commitInterval
}
