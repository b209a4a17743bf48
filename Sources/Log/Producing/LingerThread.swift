// The thread of a producer that lingers: it writes batches whose time has come, also while their producer
// does nothing. From then on the buffers are used by two threads, and a lock guards them.

import Glibc
import Synchronization

final class LingerThread: @unchecked Sendable {
    // Guarded by `lock`.
    private let buffers: ProducerBuffers

    private let lock = Mutex<Void>(())
    private let linger: Duration
    private let signal = AppendSignal()
    private let isStopping = Atomic<Bool>(false)
    // Written in init, read in `stop`, both by the producer's thread.
    private var thread: pthread_t?

    init(_ buffers: ProducerBuffers, _ linger: Duration) {
        self.buffers = buffers
        self.linger = linger
        let retained = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<LingerThread>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, retained.toOpaque())
        if error == 0 {
            self.thread = thread
        } else {
            retained.release()
            buffers.tell(
                LogError(
                    .io,
                    "a producer's thread could not be started: \(String(cString: strerror(error)))"
                ))
        }
    }

    /// Calls `body` while the thread does nothing.
    func locked<R>(_ body: (ProducerBuffers) throws -> R) rethrows -> R {
        try lock.withLock { _ in
            defer { if buffers.takeHasBegunBatch() { signal.notify() } }
            return try body(buffers)
        }
    }

    /// A producer's `send`. Throws first what the thread has met; what it could not write is kept, but for
    /// what never can be.
    @inline(never)
    func send(
        _ value: UnsafeRawBufferPointer?, _ key: UnsafeRawBufferPointer?, _ topic: Topic,
        _ partition: PartitionID?, _ timestamp: Timestamp?, _ headers: [Header]
    ) throws {
        try locked {
            try $0.throwUntold()
            try $0.send(value, key, topic, partition, timestamp, headers)
        }
    }

    /// Returns when the thread has ended; what is not written is left.
    func stop() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        signal.notify()
        if let thread { pthread_join(thread, nil) }
    }

    private func run() {
        while true {
            // Before the look: a stop that comes after it ends the wait.
            let seen = signal.count
            if isStopping.load(ordering: .sequentiallyConsistent) { return }
            let pause = lock.withLock { _ -> Duration in
                let now = ContinuousClock.now
                let (oldest, isIncomplete) = buffers.writeBegun(before: now - linger)
                let next = oldest.map { $0 + linger - now } ?? Limits.waitMax
                // What has failed is tried again when its time has passed once more.
                return isIncomplete ? min(next, max(linger, Limits.lingerRetryInterval)) : next
            }
            signal.wait(after: seen, timeout: pause)
        }
    }
}
