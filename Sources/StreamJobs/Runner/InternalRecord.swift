// What travels on a repartition topic beside a record's key and value, as headers, so that any log can
// carry it. The topic belongs to the job: users' headers do not go there.
//
//  "t"  12 bytes the upstream task's number and its promise: neither this record nor a later one of
//                it is ordered before that time (on every record)
//  "w"  8 bytes  its watermark: no earlier record of it follows (null key, null value)
//  "e"  8 bytes  the bounded run that it has ended (beside "w")
//  "i"  empty    it has nothing to read, and takes no part in event time until it says more (beside "w")
//
// All big-endian.

import StreamJobsChecksum
public import StreamJobsLog

@usableFromInline
package enum InternalRecord {
    /// The number of the task with that name: its CRC-32C, which does not change when tasks are added
    /// (the plan makes sure that no two are equal).
    static func taskNumber(_ name: String) -> UInt32 {
        let checksum = Array(name.utf8).withUnsafeBytes { CRC32C.checksum($0) }
        return checksum == 0 ? 1 : checksum
    }

    package static func headers(task: UInt32, promise: Timestamp = .distantPast) -> [Header] {
        [Header("t", bytes(task) + bytes(promise.milliseconds))]
    }

    package static func headers(
        task: UInt32, watermark: Timestamp, endOf run: Int64?, isIdle: Bool = false
    ) -> [Header] {
        var headers = headers(task: task, promise: watermark)
        headers.append(Header("w", bytes(watermark.milliseconds)))
        if isIdle { headers.append(Header("i", [])) }
        if let run { headers.append(Header("e", bytes(run))) }
        return headers
    }

    struct Marks {
        var task: UInt32 = 0
        var promise = Timestamp.distantPast
        var watermark: Timestamp?
        var isIdle = false
        var endedRun: Int64?

        fileprivate mutating func take(_ header: Header) {
            switch header.key {
            case "t":
                guard let value = header.value, value.count == 12 else { break }
                task = integer(Array(value.prefix(4))) ?? 0
                promise = Timestamp(milliseconds: integer(Array(value.suffix(8))) ?? .min)
            case "i": isIdle = true
            case "w": watermark = integer(header.value).map { Timestamp(milliseconds: $0) }
            case "e": endedRun = integer(header.value)
            default: break
            }
        }
    }

    /// The promise of a record whose marks were read before.
    @usableFromInline
    static func promise(of record: borrowing RecordView) -> Timestamp {
        if let (_, promise) = plainMarks(of: record) { return promise }
        var marks = Marks()
        // Read before, so that it cannot fail now.
        for header in (try? record.headers()) ?? [] { marks.take(header) }
        return marks.promise
    }

    /// Of a record with "t" as its only header, which nearly all are: without making headers of it.
    private static func plainMarks(of record: borrowing RecordView) -> (task: UInt32, Timestamp)? {
        let bytes = record.headerBytes
        // Count 1, key length 1, "t", value length 12, as variable-length numbers.
        guard bytes.count == 16, bytes.loadUnaligned(as: UInt32.self).bigEndian == 0x0202_7418
        else { return nil }
        let task = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self).bigEndian
        let promise = bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self).bigEndian
        return task == 0 ? nil : (task, Timestamp(milliseconds: promise))
    }

    /// What the headers of `record` say; throws for one that no task of ours has written.
    static func marks(of record: borrowing RecordView, in topic: TopicPartition) throws -> Marks {
        var marks = Marks()
        if let (task, promise) = plainMarks(of: record) {
            marks.task = task
            marks.promise = promise
            return marks
        }
        for header in try record.headers() { marks.take(header) }
        guard marks.task != 0 else {
            throw JobError(
                .refused,
                "\(topic) offset \(record.offset) was not written by a task of this job; "
                    + "repartition topics are the job's own")
        }
        return marks
    }

    private static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    private static func integer<T: FixedWidthInteger>(_ bytes: [UInt8]?) -> T? {
        guard let bytes, bytes.count == MemoryLayout<T>.size else { return nil }
        return bytes.reduce(T.zero) { ($0 << 8) | T(truncatingIfNeeded: $1) }
    }
}
