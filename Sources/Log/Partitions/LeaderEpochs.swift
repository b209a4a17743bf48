// Which leader epoch began at which offset, in Kafka's file `leader-epoch-checkpoint` (version, count,
// lines of "epoch start-offset"). The epoch rises with each unclean recovery, so that an offset that was
// lost and given out again is noticed by whoever remembers its epoch (KIP-101).

struct LeaderEpochs {
    private(set) var entries: [(epoch: Int32, start: Offset)] = [(0, .zero)]

    static let fileName = "leader-epoch-checkpoint"

    /// Behind the last epoch that can begin.
    static let end = Int32.max

    var current: Int32 { entries[entries.count - 1].epoch }

    /// Whether batches may be of later epochs than the file says: it was deleted, or an observer has
    /// read it before the owner began the epoch.
    private var mayBeStale = true

    /// Whether there was a file.
    private(set) var isInFile = false

    /// The last epoch that the file tells of, where a full disk has kept a later one from being written.
    private var notedBefore: Int32?
    /// Nothing may be appended until the epoch is written: another would be begun at its number.
    var isPending: Bool { notedBefore != nil }
    /// The last epoch that the next opening will know of.
    var noted: Int32 { notedBefore ?? current }

    init() {}

    init(directory: String, in files: FileSystem, mayBeStale: Bool) throws {
        let path = directory + "/" + Self.fileName
        guard let lines = try CheckpointFile.read(path, in: files) else { return }
        self.mayBeStale = mayBeStale
        isInFile = true
        entries = []
        for fields in lines {
            guard fields.count == 2, let epoch = Int32(fields[0]), let start = Int64(fields[1]),
                start >= 0, (entries.last?.start.rawValue ?? -1) < start,
                (entries.last?.epoch ?? -1) < epoch, epoch < Self.end
            else {
                let line = fields.joined(separator: " ")
                throw LogError(.corrupted, "\(path) has a line that is no epoch: '\(line)'")
            }
            entries.append((epoch, Offset(start)))
        }
        guard !entries.isEmpty else { throw LogError(.corrupted, "\(path) is cut short") }
    }

    /// Throws `newerFormat`.
    static func refuseNewer(_ directory: String, in files: FileSystem) throws {
        do {
            _ = try CheckpointFile.read(directory + "/" + fileName, in: files)
        } catch let error as LogError where error.code == .corrupted {
            // Its partition's recovery says so.
        }
    }

    /// Compares with a batch that lies in the log, whose checksum leaves out its epoch.
    mutating func batchScanned(_ header: BatchHeader) throws(MalformedBatch) {
        let base = Offset(header.baseOffset)
        let known = epoch(at: base)
        guard header.leaderEpoch != known else { return }
        guard mayBeStale, entries[entries.count - 1].start <= base, known < header.leaderEpoch,
            header.leaderEpoch < Self.end
        else {
            throw .field("leader epoch is \(header.leaderEpoch), not \(known)")
        }
        append(header.leaderEpoch, base)
    }

    /// Begins the next epoch at `start`, above `known`, which somebody may have been told of. On a full disk
    /// it is pending then. Throws `corrupted` behind the last one: so many openings there never were.
    mutating func advance(
        past known: Int32, at start: Offset, in directory: String, _ files: FileSystem
    ) throws {
        let noted = isInFile ? current : max(current, known)
        let next = max(current, known) + 1
        guard next < Self.end else {
            throw LogError(
                .corrupted,
                "\(directory)/\(Self.fileName), or the batches, say epoch \(next - 1), behind which no "
                    + "other can begin: they are damaged; put the directory back from a copy")
        }
        append(next, start)
        try writeIfRoom(noted, to: directory, files)
    }

    /// Throws `noSpace` where there is still no room.
    mutating func writePending(to directory: String, _ files: FileSystem) throws {
        try write(to: directory, files)
        notedBefore = nil
    }

    private mutating func writeIfRoom(_ noted: Int32, to directory: String, _ files: FileSystem)
        throws
    {
        do {
            try write(to: directory, files)
            notedBefore = nil
        } catch let failure as LogError where failure.code == .noSpace {
            notedBefore = notedBefore ?? noted
        }
    }

    /// After everything was read: `known` is the epoch of the last opening. Throws `corrupted` if the file
    /// is older than that; makes it anew if it was missing.
    mutating func require(_ known: Int32, end: Offset, in directory: String, _ files: FileSystem)
        throws
    {
        guard isInFile else {
            // Epochs in which nothing was written are in no batch.
            if current < known { append(known, end) }
            if current > 0 { try writeIfRoom(known, to: directory, files) }
            return
        }
        guard current >= known else {
            throw LogError(
                .corrupted,
                "\(directory)/\(Self.fileName) ends with epoch \(current), but epoch \(known) had "
                    + "begun: it is of an older state; remove it, then it is made again from the "
                    + "batches")
        }
    }

    private mutating func write(to directory: String, _ files: FileSystem) throws {
        try CheckpointFile.write(
            entries.map { "\($0.epoch) \($0.start)" }, to: directory + "/" + Self.fileName,
            in: files)
        isInFile = true
    }

    private mutating func append(_ epoch: Int32, _ start: Offset) {
        // An epoch of which no record is left is replaced.
        if entries[entries.count - 1].start == start { entries.removeLast() }
        entries.append((epoch, start))
    }

    /// The epoch that the record at `offset` was written in.
    func epoch(at offset: Offset) -> Int32 {
        entries.last { $0.start <= offset }?.epoch ?? entries[0].epoch
    }
}
