// All sizes, limits and defaults of the runner, each with its unit and reason.

package enum Limits {
    /// Time between two commits while there is work: long enough that flushes (about 1 ms a partition)
    /// are a small part of it, short enough that outputs seem immediate.
    static let commitInterval = Duration.milliseconds(200)
    /// Between two commits at least where there is nothing more to read: none, so that outputs are seen as
    /// soon as they can be. What comes during a commit makes the next one, so that load spaces them by itself.
    static let commitSpacing = Duration.zero
    /// Bytes that a job's tasks hold in memory, about, before they commit early. Large enough that a commit
    /// writes many changes of the same pages at once, small beside a machine's memory.
    static let memoryBytes = 512 * 1024 * 1024
    /// Of which a task has at least so much: a megabyte of output and a few thousand entries.
    static let taskMemoryBytesMin = 4 * 1024 * 1024
    /// This part of a task's memory is for what it has sent, the rest for its stores.
    static let outputPart = 4
    /// Records that a task takes before the next task of its thread has its turn.
    static let turnRecords = 512
    /// Bytes kept of one upstream task's records while others are waited for.
    package static let upstreamQueueBytes = 1024 * 1024
    /// In live runs, a source that had nothing for so long is left out of event time.
    static let idleTimeout = Duration.seconds(30)
    /// How long a waiting thread sleeps at most before it looks at the clock and for a stop.
    static let waitTimeout = Duration.milliseconds(50)
    /// Bytes of a timer's key: with its time it is a key of the state.
    static let timerKeyBytes = 400
    /// Bytes of a segment of the commits topic: the smallest that there is. A commit is 200 bytes and more,
    /// so that a compaction is due every few thousand commits, and what is read at a start is two or three
    /// segments.
    static let commitsSegmentBytes = 1024 * 1024
    /// Threads that the states of one worker's tasks commit on, side by side, at most.
    static let commitThreads = 16
    /// How often a run opens its states again after a commit whose outcome was unknown, within a minute:
    /// once is enough for a passing fault, and one that stays is to be told.
    static let reopeningsMax = 3
    static let reopeningsSpan = Duration.seconds(60)
    /// Epochs are 16 bits; from here on the task takes a new producer id.
    static let epochMax: Int16 = 32_000
    /// How long a job that starts waits for a backup or another tool to let go of it: they hold it for the
    /// moment in which they begin to read.
    static let jobLockTimeout = Duration.seconds(5)
    /// How long a tool waits for the tasks of a running job to reach a barrier: one call of a task's code, and a
    /// commit.
    static let barrierTimeout = Duration.seconds(60)
    /// How long a job stands still for a tool that has asked for it.
    static let barrierHoldTimeout = Duration.seconds(10)
    /// Time between two looks at a file that another process writes.
    static let barrierPollInterval = Duration.milliseconds(5)
}
