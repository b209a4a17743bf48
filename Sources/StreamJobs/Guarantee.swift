/// How often the effect of an input record is seen when a job has crashed in the midst of a commit; without a
/// crash it is once. The state, and what goes to another task of the job, is exact with each of them. It may
/// be changed from run to run.
public enum Guarantee: String, Sendable, CaseIterable {
    /// Outputs are seen once: they become visible with the commit of the state.
    case exactlyOnce = "exactly-once"
    /// Outputs are appended, visible at once and for every reader, before the state commits: what the commit
    /// that a crash cut short has sent may be there twice, never not at all.
    case atLeastOnce = "at-least-once"
    /// Outputs are appended after the state has committed: what the commit that a crash cut short has sent
    /// may be missing, never there twice.
    case atMostOnce = "at-most-once"
}
