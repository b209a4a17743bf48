// Appending: a batch gets its offset and its leader epoch and is written behind the last one.

import Synchronization

extension Partition {
    /// Appends a sealed batch; sets its base offset and leader epoch, and its timestamp where the topic
    /// says so. Where it has another codec than its topic (`compression.type`), a copy with that one is
    /// appended. Gives its first offset; of a batch that an idempotent producer has sent before, the first
    /// offset that it got then. When it returns the batch is written (it survives the process, not a power
    /// loss). Nothing is changed where it throws: `recordTooLarge`, `invalidRecord`, `producerFenced`,
    /// `outOfOrderSequence`, `invalidTransactionState`, `noSuchTopic` (deleted), `noSpace`, `readOnly`; or
    /// `io`, after which nothing more is written until the log is opened again.
    @discardableResult
    package func append(_ batch: UnsafeMutableRawBufferPointer) throws -> Offset {
        // Its memory must outlive the write.
        let recoded = try prepare(UnsafeRawBufferPointer(batch))
        return try withExtendedLifetime(recoded) {
            try files.room.retrying { try place(recoded?.bytes ?? batch) }
        }
    }

    private func place(_ batch: UnsafeMutableRawBufferPointer) throws -> Offset {
        let placed: (Offset, isNew: Bool)? = try state.withLock { state in
            try requireWritable(state)
            try requireOpen(state)
            guard !state.leaderEpochs.isPending else { return nil }
            if state.settings.timestampType == .logAppendTime { BatchHeader.stamp(batch, .now()) }
            let header = BatchHeader.place(
                batch, at: state.ends.logEnd, leaderEpoch: state.leaderEpochs.current)
            precondition(
                batch.count == header.batchByteCount,
                "a batch of \(header.batchByteCount) bytes has \(batch.count)")
            try requireSize(header, state.settings)
            if case .duplicate(let first, _) = try state.producers.admit(header, to: name) {
                return (first, false)
            }
            try write(UnsafeRawBufferPointer(batch), header, &state)
            state.batchAdded(header, UnsafeRawBufferPointer(batch))
            return (Offset(header.baseOffset), true)
        }
        guard let (offset, isNew) = placed else {
            try noteLeaderEpoch()
            return try place(batch)
        }
        if isNew { signals.notify() }
        return offset
    }

    /// Notes the leader epoch that a full disk has kept from being noted when the log was opened: before the
    /// first append in it, and before a stop that is called clean. Throws `noSpace` as long as it cannot be.
    func noteLeaderEpoch() throws {
        guard state.withLock({ $0.leaderEpochs.isPending }) else { return }
        try maintenance.withLock { _ in
            var epochs = try state.withLock { state in
                try requireWritable(state)
                try requireTopic(state)
                return state.leaderEpochs
            }
            guard epochs.isPending else { return }
            try epochs.writePending(to: directory, files)
            try environment.recoveryPoints?.set([
                .init(key: recoveryKey, leaderEpoch: epochs.current)
            ])
            state.withLock { $0.leaderEpochs = epochs }
        }
    }

    /// Ends `producer`'s transaction here; does nothing if it has none open. The marker carries the epoch
    /// after the producer's (KIP-890), so that nothing late can land behind it. When it returns the marker
    /// is written.
    package func end(_ producer: ProducerStamp, with marker: TransactionMarker) throws {
        let isOpen = state.withLock { $0.producers.isOpen(producer) }
        guard isOpen else { return }
        let batch = BatchBuilder.sealMarker(marker, of: producer.next)
        // The bytes belong to the builder, which may go after its last use.
        try withExtendedLifetime(batch) { _ = try append(batch.sealed) }
    }

    private func requireSize(_ header: BatchHeader, _ settings: TopicSettings) throws {
        let byteCount = header.batchByteCount
        // A marker is the log's own: where it could not be written the log could not be opened either.
        guard byteCount > settings.batchBytesMax, !header.isControl else { return }
        throw LogError(
            .recordTooLarge,
            "a batch of \(byteCount) bytes is over the limit of \(settings.batchBytesMax) bytes of the "
                + "topic '\(name.topic)' (max.message.bytes)")
    }

    /// Writes at the end of the active segment, beginning a new one where it is full.
    private func write(
        _ batch: UnsafeRawBufferPointer, _ header: BatchHeader, _ state: inout State
    ) throws {
        if isFull(state, header) { try roll(at: Offset(header.baseOffset), &state) }
        let segment = state.active
        let position = segment.byteCount
        let file = try segment.log()
        segment.preallocate(for: batch.count, in: file)
        do {
            try file.append(batch, at: position)
        } catch let failure as LogError {
            do {
                try file.truncate(to: position)
            } catch {
                state.failure = failure
                // For good, whatever it was that failed: room there is later does not help.
                try requireWritable(state)
            }
            // A full disk may have room again; after any other failure nobody knows what is written.
            if failure.code != .noSpace { state.failure = failure }
            throw failure
        }
    }

    /// Whether `header`'s batch belongs in the next segment. A batch that is larger than a segment has one
    /// of its own.
    private func isFull(_ state: borrowing State, _ header: BatchHeader) -> Bool {
        let active = state.active
        let byteCount = active.byteCount
        guard byteCount > 0 else { return false }
        let bytesMax = environment.options.segmentBytes ?? state.settings.segmentBytes
        if byteCount + header.batchByteCount > bytesMax || !active.canHold(header) { return true }
        guard let span = state.settings.activeSpanMax, let first = active.firstTimestamp else {
            return false
        }
        return header.maxTimestamp > first.advanced(by: span).milliseconds
    }

    /// Begins the next segment. The one before is flushed with the next flush, not here.
    func roll(at offset: Offset, _ state: inout State) throws {
        // A full disk here changes nothing: the next append tries again. The file is made last, so that none
        // stays behind where the old segment goes on: it would lie within that one's offsets.
        try state.active.releaseRoom()
        let path = directory + "/" + Segment.fileName(offset)
        let file = try File(path, .readWrite, create: true, in: files)
        if try file.byteCount() > 0 { try file.truncate(to: 0) }
        state.active.seal()
        state.hasNewNames = true
        state.segments.append(
            Segment(baseOffset: offset, directory: directory, files: files, log: file))
    }
}

extension Partition.State {
    /// Notes a batch that lies at the end of the active segment.
    mutating func batchAdded(_ header: BatchHeader, _ batch: UnsafeRawBufferPointer) {
        bytesSinceCheckpoint += header.batchByteCount
        active.batchAdded(header, indexIntervalBytes: settings.indexIntervalBytes)
        let aborted = producers.batchAdded(header, batch)
        let logEnd = Offset(header.nextOffset)
        ends.advance(lastStable: producers.firstOpen ?? logEnd, logEnd: logEnd)
        if let aborted { active.transactionAborted(aborted) }
    }
}

extension ProducerStates {
    /// Takes in a batch that lies in the log. Gives the transaction that its marker has aborted.
    mutating func batchAdded(_ header: BatchHeader, _ batch: UnsafeRawBufferPointer)
        -> AbortedTransaction?
    {
        guard header.producer != nil else { return nil }
        guard header.isControl else {
            batchAppended(header)
            return nil
        }
        guard let (marker, coordinatorEpoch) = Self.marker(header, batch) else { return nil }
        return markerAppended(marker, header, coordinatorEpoch: coordinatorEpoch)
    }

    static func marker(_ header: BatchHeader, _ batch: UnsafeRawBufferPointer)
        -> (TransactionMarker, coordinatorEpoch: Int32)?
    {
        var records = BatchRecords(batch, header)
        do {
            guard let record = try records.next() else { return nil }
            guard let marker = record.key.flatMap(TransactionMarker.init(key:)) else { return nil }
            return (marker, TransactionMarker.coordinatorEpoch(value: record.value))
        } catch {
            // A control record of a kind that this version does not know ends no transaction.
            return nil
        }
    }
}
