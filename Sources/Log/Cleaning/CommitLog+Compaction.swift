// Compaction in the background: one partition after the other, in the thread that flushes as well. A pass
// may take long, so it lets the other work go on in between.

import Synchronization

extension CommitLog {
    /// Cleans the partitions that need it. What fails is told to `notify`, and tried again later.
    func compact(_ partitions: [Partition], now: Timestamp) {
        for partition in partitions where !isStopping && !partition.hasFailed {
            guard partition.settings.cleanupPolicy.contains(.compact), partition.mayCompact else {
                continue
            }
            var flushed = ContinuousClock.now
            do {
                try compact(partition, now: now) {
                    if isStopping || partition.isClosed { throw CompactionStopped() }
                    guard ContinuousClock.now - flushed >= Limits.maintenanceInterval else {
                        return
                    }
                    flushInBackground(partitions)
                    flushed = .now
                }
            } catch is CompactionStopped {
                continue
            } catch is CompactionOvertaken {
                continue
            } catch {
                // Its directory may be gone.
                guard !partition.isClosed else { continue }
                partition.compactionFailed()
                environment.options.notify("could not compact \(partition.name): \(error)")
            }
        }
    }

    private func compact(_ partition: Partition, now: Timestamp, pause: () throws -> Void) throws {
        let name = partition.name
        let from = contents.withLock { $0.cleanerOffsets[name] }
        guard let end = try partition.compact(now: now, from: from, pause: pause) else { return }
        try contents.withLock { contents in
            // The topic may have been deleted meanwhile, and made again under its name.
            guard contents.partitions[name] === partition else { return }
            contents.cleanerOffsets[name] = end
            try CleanerOffsets.write(contents.cleanerOffsets, to: directory, in: files)
        }
    }

    private struct CompactionStopped: Error {}
}

extension Partition {
    /// False for a while after a failure.
    fileprivate var mayCompact: Bool {
        maintenance.withLock { maintenance in
            maintenance.compactionFailure.map {
                ContinuousClock.now - $0 >= Limits.compactionRetryInterval
            } ?? true
        }
    }

    fileprivate func compactionFailed() { maintenance.withLock { $0.compactionFailure = .now } }
}
