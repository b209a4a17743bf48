// What is known of a partition's segments without reading them: up to where each was flushed and its
// index files were right. One text file in the partition's directory, replaced as a whole with each
// checkpoint, so that opening reads it and the batches behind it instead of everything. With it a missing
// or shortened segment is noticed, and an index file that is not what was written.
//
//   streamjobs-segments 1
//   segment BASE NEXT BYTES MAX-TIMESTAMP ITS-OFFSET CLEANED INDEX TIMEINDEX TXNINDEX
//   crc-32c HEXADECIMAL
//
// An index is COUNT:CRC. CLEANED is 1 where compaction may have left gaps between offsets. If the file is
// damaged or missing, opening scans everything and writes it anew.

/// One segment as it was at a checkpoint.
struct SegmentSummary: Equatable {
    let baseOffset: Offset
    /// Behind the last offset.
    let nextOffset: Offset
    let byteCount: Int
    let maxTimestamp: Timestamp
    let offsetOfMaxTimestamp: Offset
    let isCleaned: Bool
    let index: IndexDigest
    let timeIndex: IndexDigest
    let transactionIndex: IndexDigest
}

enum SegmentManifest {
    static let fileName = "segments"
    private static let format = ChecksummedText(name: "streamjobs-segments", version: 1)

    /// Nil where there is none or it is damaged. Throws `newerFormat`.
    static func read(_ directory: String, in files: FileSystem) throws -> [SegmentSummary]? {
        guard case .lines(let lines) = try format.read(directory + "/" + fileName, in: files) else {
            return nil
        }
        let summaries = lines.compactMap { SegmentSummary($0.split(separator: " ")) }
        return summaries.count == lines.count ? summaries : nil
    }

    /// Throws `newerFormat`.
    static func refuseNewer(_ directory: String, in files: FileSystem) throws {
        _ = try format.read(directory + "/" + fileName, in: files)
    }

    /// When it returns the manifest survives a power loss. All that it tells must do so already.
    static func write(_ summaries: [SegmentSummary], to directory: String, in files: FileSystem)
        throws
    {
        try format.write(summaries.map(\.line), to: directory + "/" + fileName, in: files)
    }
}

extension SegmentSummary {
    fileprivate var line: String {
        let numbers = [
            baseOffset.rawValue, nextOffset.rawValue, Int64(byteCount), maxTimestamp.milliseconds,
            offsetOfMaxTimestamp.rawValue, isCleaned ? 1 : 0,
        ]
        let indexes = [index, timeIndex, transactionIndex].map(\.text)
        return (["segment"] + numbers.map(String.init) + indexes).joined(separator: " ")
    }

    fileprivate init?(_ words: [Substring]) {
        let numbers = words.dropFirst().prefix(6).compactMap { Int64($0) }
        let digests = words.dropFirst(7).compactMap { IndexDigest($0) }
        guard words.first == "segment", words.count == 10, numbers.count == 6, digests.count == 3,
            numbers[0] >= 0, numbers[1] >= numbers[0], numbers[4] >= 0,
            // More than a segment can hold (`canHold`) is not summed up, nor multiplied.
            (0...Int64(Int32.max)).contains(numbers[2])
        else { return nil }
        self.init(
            baseOffset: Offset(numbers[0]), nextOffset: Offset(numbers[1]),
            byteCount: Int(numbers[2]), maxTimestamp: Timestamp(milliseconds: numbers[3]),
            offsetOfMaxTimestamp: Offset(numbers[4]), isCleaned: numbers[5] == 1,
            index: digests[0], timeIndex: digests[1], transactionIndex: digests[2])
    }
}

extension IndexDigest {
    fileprivate var text: String { "\(count):" + String(crc, radix: 16) }

    fileprivate init?(_ text: Substring) {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let count = Int(parts[0]), (0...Int(Int32.max)).contains(count),
            let crc = UInt32(parts[1], radix: 16)
        else { return nil }
        self.init(count: count, crc: crc)
    }
}
