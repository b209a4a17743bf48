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
    /// Time between two commits at least, where there is nothing more to read.
    public var commitSpacing: Duration
    /// Bytes that the job's tasks hold in memory together, about: what they have sent and what their stores
    /// have changed. A task commits early when its share is full.
    public var memory: Int

    /// What a commit survives.
    public var durability: Durability
    /// How often an input record's effect is seen in the outputs; the job's own unless given.
    public var guarantee: Guarantee?

    /// Told of what a run has met and overcome, in a sentence; on the thread that runs.
    public var notify: @Sendable (String) -> Void = { _ in }

    public init(
        threads: Int? = nil, untilEnd: Bool = false,
        commitInterval: Duration = RunSettings.defaultCommitInterval,
        commitSpacing: Duration = RunSettings.defaultCommitSpacing,
        memory: Int = RunSettings.defaultMemory,
        durability: Durability = .powerLoss, guarantee: Guarantee? = nil
    ) {
        self.threads = threads
        self.untilEnd = untilEnd
        self.commitInterval = commitInterval
        self.commitSpacing = commitSpacing
        self.memory = memory
        self.durability = durability
        self.guarantee = guarantee
    }

    public static let defaultCommitInterval = Limits.commitInterval
    public static let defaultCommitSpacing = Limits.commitSpacing
    public static let defaultMemory = Limits.memoryBytes
}
