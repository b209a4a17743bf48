/// What a job's commits survive. It may be changed from run to run.
public enum Durability: String, Sendable, CaseIterable {
    /// A power loss: every commit waits until log and state are on the disk.
    case powerLoss = "power-loss"
    /// The end of the process, however it ends. Nothing waits for the disk. When the machine goes down while
    /// the job runs, or before it was ended cleanly, its state may be damaged and is refused: it has to be
    /// rebuilt from its sources or restored from a backup.
    case processCrash = "process-crash"
}
