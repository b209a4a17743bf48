import Glibc
import StreamJobsLog

/// The lines of a file or of standard input as records.
struct LineSource {
    private let descriptor: Int32
    private let name: String
    private let keySeparator: [UInt8]?

    /// - Parameter path: Standard input if nil.
    init(path: String?, keySeparator: String?) throws {
        self.keySeparator = keySeparator.map { Array(($0 == "\\t" ? "\t" : $0).utf8) }
        name = path ?? "standard input"
        guard let path else {
            descriptor = STDIN_FILENO
            return
        }
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw InputFile.openError(path) }
        try InputFile.requireNoDirectory(path)
    }

    /// Sends all lines, or those that came before `stop`; when it returns they are on the disk. What has
    /// come is written before more is waited for. Gives how many lines there were; where it throws, the
    /// message says how many are written.
    func send(to topic: Topic, of log: CommitLog, until stop: StopRequest) throws -> Int {
        defer { if descriptor > STDIN_FILENO { close(descriptor) } }
        let producer = Producer(log)
        let reader = LineReader(descriptor, name: name, stop: stop)
        var progress = ProgressReport("records")
        var count = 0
        do {
            while true {
                if !reader.hasLine { try producer.flush() }
                guard let line = try reader.next() else { break }
                let (key, value) = try split(line)
                try producer.send(value, key: key, to: topic)
                count += 1
                if count.isMultiple(of: 1024) { progress.update(done: count, remaining: nil) }
            }
            try producer.flush()
        } catch {
            throw producer.stopped(by: error, at: "\(name) line \(count + 1)", after: count)
        }
        return count
    }

    private func split(_ line: ArraySlice<UInt8>) throws -> (key: [UInt8]?, value: [UInt8]) {
        guard let keySeparator else { return (nil, Array(line)) }
        var start = line.startIndex
        while start + keySeparator.count <= line.endIndex {
            if line[start...].starts(with: keySeparator) {
                return (Array(line[..<start]), Array(line[(start + keySeparator.count)...]))
            }
            start += 1
        }
        throw CommandError.badInput(
            "there is no key separator '\(String(decoding: keySeparator, as: UTF8.self))'")
    }
}
