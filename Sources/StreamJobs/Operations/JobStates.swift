// Where the states of jobs are, and what a task's state says of itself: for looking at them beside a running job and
// without its code.

import FoundationEssentials
package import LocalState

/// The states of a job's tasks: those in a data directory, or those of a backup.
package struct JobStates: Sendable {
    package let job: String
    /// `state/<job>` of a data directory, or a backup.
    package let directory: String
    /// Their names, by kind and number.
    package let tasks: [String]

    /// - Parameter data: a data directory.
    package init(job: String, data: String) throws {
        try self.init(job: job, directory: "\(Self.root(data))/\(job)")
    }

    package init(job: String, directory: String) throws {
        self.job = job
        self.directory = directory
        tasks = try Self.names(in: directory).filter {
            FileManager.default.fileExists(atPath: "\(directory)/\($0)/data.mdb")
        }.sorted(by: Self.precedes)
    }

    /// The names of all jobs that have state.
    package static func jobs(data: String) throws -> [String] {
        try names(in: root(data)).filter { try !JobStates(job: $0, data: data).tasks.isEmpty }
    }

    package func directory(of task: String) -> String { "\(directory)/\(task)" }

    /// Opens a task's state as of its last commit; nil where nothing was ever committed.
    package func open(_ task: String) throws -> InspectedTask? {
        try StateSnapshot(directory: directory(of: task)).map { try InspectedTask(task, $0) }
    }

    /// The number of a task, which is the partition that it reads.
    package static func number(of task: String) -> Int? {
        task.split(separator: "-").last.flatMap { Int($0) }
    }

    private static func root(_ data: String) -> String { data + "/state" }

    /// By kind, then by number: `Counter-2` before `Counter-10`.
    private static func precedes(_ one: String, _ other: String) -> Bool {
        func parts(_ name: String) -> (String, Int) {
            guard let number = number(of: name) else { return (name, -1) }
            return (String(name.dropLast(String(number).count)), number)
        }
        return parts(one) < parts(other)
    }

    /// Of directories that are not hidden: those that are being made are.
    private static func names(in directory: String) throws -> [String] {
        guard FileManager.default.fileExists(atPath: directory) else { return [] }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory)
                .filter { !$0.hasPrefix(".") }.sorted()
        } catch {
            throw JobError(
                .refused, "the directory \(directory) cannot be read: give permission to read it")
        }
    }
}

/// The state of one task as of its last commit. Belongs to one thread; `snapshot` is to be closed.
package struct InspectedTask {
    package let name: String
    package let snapshot: StateSnapshot
    /// What it has decided; nil before its first commit.
    let record: CommitRecord?

    init(_ name: String, _ snapshot: StateSnapshot) throws {
        self.name = name
        self.snapshot = snapshot
        record = try snapshot.get(.commit, key: CommitRecord.key).map {
            try CommitRecord($0, of: name)
        }
    }

    /// Counts the commits of the task.
    package var commit: Int64 { record?.number ?? 0 }
}
