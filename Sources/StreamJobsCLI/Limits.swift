// All sizes, limits and defaults of the command line, each with its unit and reason.

import StreamJobsLog

package enum Limits {
    /// Bytes read from a file or a pipe at once: several times what a pipe holds, and a small part of
    /// the second-level cache.
    package static let inputChunkBytes = 256 * 1024
    /// Bytes gathered before they are written to standard output: what a pipe holds.
    package static let outputChunkBytes = 64 * 1024
    /// Bytes of a line or of a CSV row at which reading gives up: as JSON or as it is, it could not be a
    /// record any more. A quote that is never closed must not fill the memory.
    package static let rowBytesMax = 4 * 1024 * 1024
    /// The same for a topic whose `max.message.bytes` is `batchBytesMax`. As JSON a row is no shorter but
    /// for its quotes and for NA, which becomes null; a line has separators that its record has not.
    package static func rowBytesMax(batchBytesMax: Int) -> Int {
        max(rowBytesMax, 2 * batchBytesMax)
    }
    /// A record that was sent is on the disk after so long, also while others keep coming.
    package static let flushInterval = Duration.seconds(1)

    /// Records between two looks at the clock and at a stop that was asked for.
    package static let pollRecordsMax = 1024
    /// How long a consumer with nothing to read waits: little at first, then longer and longer. The
    /// longest is what a record may come late on the screen.
    package static let followWaitMin = Duration.milliseconds(1)
    package static let followWaitMax = Duration.milliseconds(50)
    /// How long a consumer may take to end: one that waits for its reader would never.
    package static let consumerStopTimeout = Duration.seconds(2)

    /// Time between two views of the progress on a terminal, and between two lines of it in a pipe.
    package static let progressIntervalTerminal = Duration.milliseconds(100)
    package static let progressIntervalPipe = Duration.seconds(5)
    /// The rate shown is that of so long, so that it tells how fast it is now.
    package static let progressRateWindow = Duration.seconds(5)

    /// Names that an error lists as those there are.
    package static let suggestedNamesMax = 10
    /// Names that it asks back with: more are a list to search through.
    package static let nearNamesMax = 3

    /// How long a commit of a running job is read: what it frees meanwhile it cannot reuse, and its file grows.
    /// Enough for some ten million entries.
    package static let snapshotAgeMax = Duration.seconds(60)
}
