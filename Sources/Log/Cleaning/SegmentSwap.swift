// Putting a segment in the place of those that it was made of, so that a crash at any step leaves either
// all of the old ones or a name that says how to go on. (`n`: the new segment's first offset, which is that
// of the first old one.)
//
//  1  write and flush n.log.cleaned           a crash before 3: opening removes it
//  2  write the manifest without the old      from here on no index of them is believed
//  3  rename n.log.cleaned to n.log.swap      ◄ the decision, once the directory is flushed
//  4  remove the other old segments, and the index files of all
//  5  rename n.log.swap to n.log
//
// The directory is flushed behind 3, 4 and 5. Opening that finds a `.swap` does 4 and 5: it is whole, and
// what lies between its first offset and its end has become superfluous. Since 5 comes last no old segment
// is left when the name has gone, and segments always follow on each other without a gap.

enum SegmentSwap {
    private static let suffix = Segment.logSuffix + SegmentFiles.swap
    private static let indexSuffixes = SegmentRemoval.suffixes.filter { $0 != Segment.logSuffix }

    /// Step 3. When it returns the swap survives a power loss.
    static func decide(_ cleaning: SegmentCleaning, in files: FileSystem) throws {
        try files.rename(cleaning.path, to: cleaning.new.path(suffix))
        try files.flushDirectory(cleaning.new.directory)
    }

    /// Steps 4 and 5.
    /// - Parameter superfluous: First offsets of the old segments but the first.
    static func finish(
        _ base: Offset, superfluous: [Offset], in directory: String, _ files: FileSystem
    ) throws {
        for old in superfluous {
            try files.remove(directory + "/" + Segment.fileName(old))
        }
        for old in [base] + superfluous {
            for suffix in indexSuffixes {
                try files.remove(directory + "/" + Segment.fileName(old, suffix))
            }
        }
        try files.flushDirectory(directory)
        let path = directory + "/" + Segment.fileName(base)
        try files.rename(path + SegmentFiles.swap, to: path)
        try files.flushDirectory(directory)
    }

    /// Finishes the swaps that a crash has cut short. Throws `corrupted` where the new segment is damaged:
    /// it was flushed before it got its name.
    static func finishAll(in directory: String, _ files: FileSystem) throws {
        for name in try files.names(in: directory) {
            guard let base = Segment.baseOffset(ofFileNamed: name, suffix: suffix) else { continue }
            let path = directory + "/" + name
            var nextOffset = base
            let end = try BatchScanner.scan(
                try File(path, .readOnly, in: files), from: 0, nextOffset: base.rawValue,
                mayHaveGaps: true
            ) { header, _ in nextOffset = Offset(header.nextOffset) }
            guard end.damage == nil, nextOffset > base else {
                throw LogError(
                    .corrupted,
                    "\(path), which takes the place of segments from offset \(base), is damaged at "
                        + "byte \(end.position); put the directory back from a copy")
            }
            // The process may have ended before it had flushed the name.
            try files.flushDirectory(directory)
            let others = try PartitionRecovery.segmentOffsets(directory, files)
                .filter { $0 > base && $0 < nextOffset }
            try finish(base, superfluous: others, in: directory, files)
        }
    }
}
