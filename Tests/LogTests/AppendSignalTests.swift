import Foundation
import StreamJobsLog
import Synchronization
import Testing

struct AppendSignalTests {
    @Test func `a wait for what has happened already returns at once`() {
        let signal = AppendSignal()
        let seen = signal.count
        signal.notify()
        signal.wait(after: seen, timeout: .seconds(3600))
        #expect(signal.count == seen + 1)
    }

    @Test func `a wait ends with its time`() {
        let signal = AppendSignal()
        signal.wait(after: signal.count, timeout: .milliseconds(1))
        signal.wait(after: signal.count, timeout: .zero)
    }

    @Test func `only those who were added are told, and no more once they are removed`() {
        let signals = AppendSignals()
        let (first, second) = (AppendSignal(), AppendSignal())
        signals.notify()
        signals.add(first)
        signals.add(second)
        signals.notify()
        signals.remove(first)
        signals.remove(first)
        signals.notify()
        #expect(first.count == 1 && second.count == 2)
    }

    @Test
    func `no notice is missed between looking and waiting`() async {
        let signal = AppendSignal()
        let work = Atomic<Int>(0)
        await withCheckedContinuation { continuation in
            let thread = Thread {
                var done = 0
                while done < 10_000 {
                    let seen = signal.count
                    let there = work.load(ordering: .sequentiallyConsistent)
                    if there == done { signal.wait(after: seen, timeout: .seconds(3600)) }
                    done = there
                }
                continuation.resume()
            }
            thread.start()
            for _ in 0..<10_000 {
                work.add(1, ordering: .sequentiallyConsistent)
                signal.notify()
            }
        }
    }
}
