// System calls that fail, and threads that meet.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct PartitionFaultTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    /// This process's descriptor of `path`.
    private func descriptor(of path: String) throws -> Int32 {
        let name = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").first {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + $0))
                == path
        }
        return try #require(name.flatMap { Int32($0) })
    }

    /// A pipe in the place of the file cannot be flushed; then the file is put back.
    @Test func `after a failed flush nothing is acknowledged, though flushing works again`() throws
    {
        let path = try log.segments[0]
        let owner = try openOwner(log.directory.path)
        let partition = try owner.partition(TestLog.name)
        try partition.append("a")
        let descriptor = try descriptor(of: path)
        let file = dup(descriptor)
        var pipeEnds: [Int32] = [0, 0]
        #expect(pipe(&pipeEnds) == 0)
        #expect(dup2(pipeEnds[1], descriptor) == descriptor)
        let error = #expect(throws: LogError.self) { try partition.flush() }
        #expect(error?.code == .io && error?.message.contains(path) == true)
        #expect(dup2(file, descriptor) == descriptor)
        for descriptor in pipeEnds + [file] { close(descriptor) }

        #expect(partition.flushedOffset == .zero)
        for _ in 0..<2 {
            #expect(throws: LogError.self) { try partition.flush() }
            #expect(throws: LogError.self) { try partition.append("b") }
        }
        #expect(try partition.values() == ["a"], "reads go on")
        #expect(throws: LogError.self) { try owner.close() }
        #expect(!FileManager.default.fileExists(atPath: log.directory.path + "/clean-shutdown"))
    }

    @Test func `threads that close at once all return from a closed log`() throws {
        let owner = try CommitLog.open(log.directory.path, as: .owner)
        try owner.partition(TestLog.name).append("a")
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            do { try owner.close() } catch { failures.withLock { $0.append("\(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try log.withPartition { try $0.values() } == ["a"])
    }

    /// The kernel writes up to the limit, then refuses: a short write and an error in one.
    @Test func `a write that fails half-way is cut back, and the partition refuses more`()
        async throws
    {
        let path = log.directory.path
        await #expect(processExitsWith: .success) { [path = path as String] in
            let owner = try openOwner(path)
            let partition = try owner.partition(TestLog.name)
            try partition.append("a")
            let segment = path + "/t-0/00000000000000000000.log"
            let before = try readFile(segment)
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 1000, rlim_max: rlim_t.max)
            let isLimited = setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0
            #expect(isLimited)
            let large = String(repeating: "x", count: 2000)
            let error = #expect(throws: LogError.self) { try partition.append(large) }
            #expect(error?.code == .io && error?.message.contains(segment) == true)
            #expect(try readFile(segment) == before)
            #expect(throws: LogError.self) { try partition.append("b") }
            #expect(try partition.values() == ["a"])
        }
        #expect(try log.withPartition { try $0.values() } == ["a"])
    }

    @Test
    func `threads that append, flush and read at once lose and repeat nothing`() throws {
        let log = try TestLog(segmentBytes: 3000)
        let failures = Mutex<[String]>([])
        try log.withPartition { partition in
            DispatchQueue.concurrentPerform(iterations: 4) { thread in
                do {
                    for number in 0..<200 {
                        try partition.append("\(thread) \(number)")
                        if number % 20 == thread { try partition.flush() }
                        if number % 50 == 0 { _ = try partition.values() }
                    }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        #expect(failures.withLock { $0 } == [])
        let values = try log.withPartition { try $0.values() }
        #expect(values.count == 800)
        for thread in 0..<4 {
            let own = values.filter { $0.hasPrefix("\(thread) ") }
            #expect(own == (0..<200).map { "\(thread) \($0)" })
        }
    }

    /// A file system that finds room late says so with the flush.
    @Test(arguments: [".log", "/recovery-points"])
    func `a flush that finds the disk full is not to be tried again either`(suffix: String) throws {
        let files = FailingFiles(.noSpace) {
            if case .flush(let path) = $0 { path.hasSuffix(suffix) } else { false }
        }
        let owner = try log.open(FileSystem(observer: files))
        let partition = try owner.partition(TestLog.name)
        try partition.append("a")
        files.turn(on: true)
        let first = #expect(throws: LogError.self) { try partition.flush() }
        #expect(first?.isRetriable == false)
        files.turn(on: false)
        for _ in 0..<2 {
            let flush = #expect(throws: LogError.self) { try partition.flush() }
            let append = #expect(throws: LogError.self) { try partition.append("b") }
            #expect(flush?.isRetriable == false && append?.isRetriable == false)
        }
        #expect(throws: LogError.self) { try owner.close() }
    }

    @Test func `a full disk that keeps an append from being undone is not tried again`() throws {
        let files = FailingFiles(.noSpace) {
            switch $0 {
            case .write(let path, _, _), .truncate(let path, _): path.hasSuffix(".log")
            default: false
            }
        }
        let owner = try log.open(FileSystem(observer: files))
        let partition = try owner.partition(TestLog.name)
        try partition.append("a")
        files.turn(on: true)
        let first = #expect(throws: LogError.self) { try partition.append("b") }
        #expect(first?.isRetriable == false && first?.message.contains("start again") == true)
        files.turn(on: false)
        let second = #expect(throws: LogError.self) { try partition.append("c") }
        #expect(second?.isRetriable == false)
        #expect(try partition.values() == ["a"], "reads go on")
        #expect(throws: LogError.self) { try owner.close() }
    }
}
