// Puts the states of a backup into the place of a job's own, if they fit the log: then the job goes on from there
// as if nothing had been. A backup that is older than the log does not fit: records would be sent again.

import CStreamJobsLinux
import FoundationEssentials
import Glibc
import LocalState
package import StreamJobsLog

extension JobStates {
    /// Restores the job's states from a backup. The old ones are there until the new ones are in their place, which happens at
    /// once: a crash leaves the one or the other. Throws `refused` naming what does not fit and the ways out, and ``StateError``.
    /// - Parameter log: owned, so that the job does not run.
    package func restore(
        from backup: String, in log: CommitLog, check: (_ byteCount: Int) throws -> Void = { _ in }
    ) throws -> BackupManifest {
        let manifest = try BackupManifest(directory: backup)
        guard manifest.job == job else {
            throw JobError(
                .refused,
                "\(backup) is a backup of the job '\(manifest.job)', not of '\(job)'")
        }
        let lock = try JobLock.take(directory, job: job)
        defer { withExtendedLifetime(lock) {} }
        let fresh = "\(Self.parent(of: directory))/.\(job).restoring"
        // What a crash has left: either not yet the new state or no more the old one.
        try Self.remove(fresh)
        do {
            for task in manifest.tasks {
                let copy = try StateCopy.copy(
                    from: "\(backup)/\(task.name)", to: "\(fresh)/\(task.name)", check: check)
                guard copy.checksum == task.checksum, copy.byteCount == task.bytes else {
                    throw JobError(
                        .refused,
                        "\(backup)/\(task.name)/data.mdb is not what was backed up: its checksum does not "
                            + "match; use another backup")
                }
            }
            try JobStates(job: job, directory: fresh).requireFit(log)
            try StateCopy.syncDirectory(fresh)
            guard streamjobs_exchange(fresh, directory) == 0 else {
                throw StateError.system("exchange of \(directory) and \(fresh)", errno)
            }
            try StateCopy.syncDirectory(Self.parent(of: directory))
        } catch {
            try? Self.remove(fresh)
            throw error
        }
        try Self.remove(fresh)
        return manifest
    }

    /// Throws `refused` unless the log is the one that these states have read and written last.
    private func requireFit(_ log: CommitLog) throws {
        let topic = CommitsTopic.name(ofJob: job)
        var inLog: [String: Int64] = [:]
        var commits: (any JobLogPartition)?
        if try log.existingTopic(topic) != nil {
            let partition = try log.logPartition(TopicPartition(topic, PartitionID(0)))
            inLog = try CommitsTopic.lastCommits(in: partition).mapValues(\.number)
            commits = partition
        }
        let missing = inLog.keys.filter { !tasks.contains($0) }.sorted()
        guard missing.isEmpty else {
            throw JobError(
                .refused,
                "the backup holds no state of the task \(missing[0]), which has committed "
                    + "\(inLog[missing[0]] ?? 0) times in the log; \(Remedy.copyOrAnew)")
        }
        for name in tasks {
            guard let task = try open(name) else { continue }
            defer { task.snapshot.close() }
            try requireFit(task, inLog: inLog[name] ?? 0, commits, log)
        }
    }

    private func requireFit(
        _ task: InspectedTask, inLog: Int64, _ commits: (any JobLogPartition)?, _ log: CommitLog
    ) throws {
        if let record = task.record, let commits {
            try CommitRecovery.requireSameCommit(record, task: task.name, inLog: inLog, commits)
        } else if task.commit != inLog {
            throw JobError(
                .refused,
                "the backup of the task \(task.name) is at commit \(task.commit), but the log knows none of "
                    + "this job's; \(Remedy.copyOrAnew)")
        }
        for (key, stored) in try task.positions() {
            guard let topic = try log.existingTopic(stored.topic), topic.id == key.topicID else {
                throw JobError(
                    .refused,
                    "the backup of the task \(task.name) has read the topic '\(stored.topic)', which is "
                        + "gone, or was made again since; \(Remedy.copyOrAnew)")
            }
            try CommitRecovery.requireSameLog(
                stored, in: try log.logPartition(TopicPartition(stored.topic, key.partition)),
                task: task.name)
        }
    }
}
