// Runs a job on the calling thread, step by step: what the test kit drives.

package import LocalState

package final class JobStepper {
    private let job: OpenJob
    private let worker: Worker
    private var lateBefore = 0

    /// Opens the job as a run would, and begins a live run.
    package init(_ job: Job, on log: any JobLog, state: StateLocation) throws {
        self.job = try OpenJob(
            job, on: log, state: state,
            settings: RunSettings(commitInterval: .seconds(1_000_000), commitSpacing: .zero))
        worker = Worker(self.job.tasks, of: self.job)
        _ = try self.job.begin(untilEnd: false)
    }

    /// Takes everything that is there, and commits.
    package func runUntilDry() throws {
        while try worker.step() > 0 {}
    }

    /// Runs what is left as a bounded run: windows close at its end. A live run goes on afterwards.
    package func finish() throws {
        try runUntilDry()
        let lateInLiveRun = lateInRun
        guard try job.begin(untilEnd: true) else { return }
        try runUntilDry()
        precondition(worker.hasFinished, "a bounded run has stopped before its end")
        lateBefore += lateInLiveRun + lateInRun
        _ = try job.begin(untilEnd: false)
    }

    /// Records left out as late in all runs of this stepper.
    package var lateCount: Int { lateBefore + lateInRun }

    private var lateInRun: Int { job.tasks.reduce(0) { $0 + $1.lateInRun } }

    /// The stores called `name` in the tasks of a kind, one for each partition.
    package func stores(_ name: String, ofTask kind: String) -> [any EnvironmentStore] {
        let prefix = kind + "-"
        return job.tasks.filter { $0.name.hasPrefix(prefix) }.flatMap { task in
            task.stores.filter { $0.description.name == name }
        }
    }

    /// As a crash would: what is not committed is gone.
    package func abandon() { job.close() }
}
