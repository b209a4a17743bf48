// What a partition admits of its producers, by hand and against a model that keeps all batches.

import StreamJobsLog
import TestSupport
import Testing

private let partition = TestLog.name

struct ProducerStatesTests {
    private var states = ProducerStates()

    @Test mutating func `a retry of one of the last five batches gets its offsets again`() throws {
        for number in 0..<7 {
            let header = try header(sequence: Int32(number * 10), at: Int64(number * 10), count: 10)
            #expect(try states.admit(header, to: partition) == .append)
            states.batchAppended(header)
        }
        for number in 2..<7 {
            let retry = try header(sequence: Int32(number * 10), at: 500, count: 10)
            let first = Offset(Int64(number * 10))
            let again = Admission.duplicate(first: first, last: first + 9)
            #expect(try states.admit(retry, to: partition) == again)
        }
        for sequence in [0, 10, 65, 71, 80] as [Int32] {
            let other = try header(sequence: sequence, at: 500, count: 10)
            #expect(refusal(other) == .outOfOrderSequence)
        }
        // The same first sequence, another last one.
        #expect(refusal(try header(sequence: 60, at: 500, count: 9)) == .outOfOrderSequence)
        #expect(try states.admit(header(sequence: 70, at: 70, count: 3), to: partition) == .append)
    }

    @Test mutating func `a gap is refused with both sequences`() throws {
        states.batchAppended(try header(sequence: 0, at: 0, count: 3))
        let gap = try header(sequence: 4, at: 3)
        let error = #expect(throws: LogError.self) { try states.admit(gap, to: partition) }
        #expect(error?.code == .outOfOrderSequence)
        #expect(error?.message.contains("sequence 4 to t-0 where 3 follows") == true)
    }

    @Test mutating func `sequences go on from zero behind the largest`() throws {
        let last = try header(sequence: .max - 1, at: 0, count: 4)
        #expect(try states.admit(last, to: partition) == .append)
        states.batchAppended(last)
        #expect(states.lastSequence(of: 7) == 1)
        #expect(try states.admit(last, to: partition) == .duplicate(first: .zero, last: Offset(3)))
        #expect(try states.admit(header(sequence: 2, at: 4), to: partition) == .append)
        states.batchAppended(try header(sequence: 2, at: 4))
        states.batchAppended(try header(epoch: 1, sequence: .max, at: 5))
        #expect(try states.admit(header(epoch: 1, sequence: 0, at: 6), to: partition) == .append)
    }

    @Test mutating func `a new epoch begins at sequence zero and ends the one before`() throws {
        states.batchAppended(try header(epoch: 3, sequence: 5, at: 0))
        #expect(refusal(try header(epoch: 4, sequence: 6, at: 1)) == .outOfOrderSequence)
        let next = try header(epoch: 4, sequence: 0, at: 1)
        #expect(try states.admit(next, to: partition) == .append)
        states.batchAppended(next)
        #expect(refusal(try header(epoch: 3, sequence: 6, at: 2)) == .producerFenced)
        // Not even a retry.
        #expect(refusal(try header(epoch: 3, sequence: 5, at: 2)) == .producerFenced)
    }

    @Test mutating func `a producer without sequences is held to its epoch alone`() throws {
        for offset in 0..<3 as Range<Int64> {
            let header = try header(epoch: 1, sequence: -1, at: offset)
            #expect(try states.admit(header, to: partition) == .append)
            states.batchAppended(header)
        }
        #expect(refusal(try header(epoch: 0, sequence: -1, at: 3)) == .producerFenced)
        #expect(try states.admit(header(id: -1, sequence: -1, at: 3), to: partition) == .append)
    }

    @Test mutating func `a marker begins the next epoch, with sequences from zero`() throws {
        states.batchAppended(try header(sequence: 0, at: 0, count: 2, isTransactional: true))
        #expect(states.firstOpen == .zero)
        let marker = try header(epoch: 1, at: 2, isControl: true)
        #expect(states.markerAppended(.commit, marker, coordinatorEpoch: 4) == nil)
        #expect(states.firstOpen == nil && states.epoch(of: 7) == 1)
        #expect(
            refusal(try header(sequence: 2, at: 3, isTransactional: true)) == .producerFenced)
        #expect(
            refusal(try header(epoch: 1, sequence: 2, at: 3, isTransactional: true))
                == .outOfOrderSequence)
        let next = try header(epoch: 1, sequence: 0, at: 3, isTransactional: true)
        #expect(try states.admit(next, to: partition) == .append)
    }

    @Test mutating func `a marker of the same epoch, as old logs have, lets sequences go on`()
        throws
    {
        states.batchAppended(try header(sequence: 0, at: 0, count: 2, isTransactional: true))
        let marker = try header(epoch: 0, at: 2, isControl: true)
        #expect(try states.admit(marker, to: partition) == .append)
        let aborted = states.markerAppended(.abort, marker, coordinatorEpoch: 0)
        #expect(
            aborted
                == AbortedTransaction(
                    producerID: 7, first: .zero, last: Offset(2), lastStable: Offset(3)))
        let next = try header(sequence: 2, at: 3, isTransactional: true)
        #expect(try states.admit(next, to: partition) == .append)
    }

    @Test mutating func `the index entry of an abort says what was stable then`() throws {
        states.batchAppended(try header(id: 1, at: 5, isTransactional: true))
        states.batchAppended(try header(id: 2, at: 6, isTransactional: true))
        let first = states.markerAppended(
            .abort, try header(id: 2, epoch: 1, at: 7, isControl: true), coordinatorEpoch: 0)
        #expect(first?.lastStable == Offset(5))
        let second = states.markerAppended(
            .abort, try header(id: 1, epoch: 1, at: 8, isControl: true), coordinatorEpoch: 0)
        #expect(second?.first == Offset(5) && second?.lastStable == Offset(9))
        // Nothing is open any more: nothing is aborted.
        let third = states.markerAppended(
            .abort, try header(id: 1, epoch: 2, at: 9, isControl: true), coordinatorEpoch: 0)
        #expect(third == nil)
    }

    @Test mutating func `nothing may be written beside an open transaction`() throws {
        states.batchAppended(try header(sequence: 0, at: 0, isTransactional: true))
        #expect(
            refusal(try header(epoch: 1, sequence: 0, at: 1, isTransactional: true))
                == .invalidTransactionState)
        #expect(refusal(try header(sequence: 1, at: 1)) == .invalidTransactionState)
        #expect(states.openTransactions.map(\.producer) == [ProducerStamp(id: 7, epoch: 0)])
    }

    @Test mutating func `idle producers are forgotten, those with transactions never`() throws {
        states.batchAppended(try header(id: 1, sequence: 3, at: 0, timestamp: 1000))
        states.batchAppended(try header(id: 2, sequence: 3, at: 1, timestamp: 2000))
        states.batchAppended(try header(id: 3, at: 2, timestamp: 1000, isTransactional: true))
        states.batchAppended(try header(id: 4, at: 3, timestamp: 1000, isTransactional: true))
        states.markerAppended(
            .commit, try header(id: 4, epoch: 1, at: 4, timestamp: 1000, isControl: true),
            coordinatorEpoch: 0)
        let time = Timestamp(milliseconds: 2000)
        states.expire(idleSince: time)
        #expect(states.count == 4, "all have written since, whatever their records' timestamps say")
        states.expire(idleSince: time)
        #expect((1...4).map { states.epoch(of: $0) } == [nil, 0, 0, 1])
        #expect(states.firstOpen == Offset(2))
        // Forgotten, it may begin anywhere.
        #expect(try states.admit(header(id: 1, sequence: 9, at: 5), to: partition) == .append)
    }

    private func refusal(_ header: @autoclosure () throws -> BatchHeader) -> LogError.Code? {
        #expect(throws: LogError.self) { try states.admit(header(), to: partition) }?.code
    }
}

/// The model: every batch of each producer, newest last.
private struct Model {
    struct Batch {
        let first: Int32
        let last: Int32
        let offset: Int64
        let count: Int
    }
    struct Producer {
        var epoch: Int16
        var batches: [Batch] = []
        var open: Int64?
    }
    var producers: [Int64: Producer] = [:]

    var firstOpen: Offset? { producers.values.compactMap(\.open).min().map { Offset($0) } }

    func admission(_ batch: Draft) -> Result<Admission, ModelError> {
        guard let producer = producers[batch.id] else { return .success(.append) }
        guard batch.epoch >= producer.epoch else {
            return .failure(ModelError(code: .producerFenced))
        }
        let isSame = batch.epoch == producer.epoch
        let last = Self.wrap(Int64(batch.sequence) + Int64(batch.count) - 1)
        if isSame, batch.sequence >= 0 {
            for old in producer.batches.suffix(5).reversed()
            where old.first == batch.sequence && old.last == last {
                let last = Offset(old.offset + Int64(old.count) - 1)
                return .success(.duplicate(first: Offset(old.offset), last: last))
            }
        }
        if producer.open != nil, !isSame || !batch.isTransactional {
            return .failure(ModelError(code: .invalidTransactionState))
        }
        guard batch.sequence >= 0 else { return .success(.append) }
        let next = isSame ? producer.batches.last.map { Self.wrap(Int64($0.last) + 1) } ?? 0 : 0
        return batch.sequence == next
            ? .success(.append) : .failure(ModelError(code: .outOfOrderSequence))
    }

    mutating func append(_ batch: Draft, at offset: Int64) {
        var producer = producers[batch.id] ?? Producer(epoch: batch.epoch)
        if producer.epoch != batch.epoch { producer.batches = [] }
        producer.epoch = batch.epoch
        let end = Int64(batch.sequence) + Int64(batch.count) - 1
        let last = batch.sequence < 0 ? -1 : Self.wrap(end)
        producer.batches.append(
            Batch(first: batch.sequence, last: last, offset: offset, count: batch.count))
        if batch.isTransactional, producer.open == nil { producer.open = offset }
        producers[batch.id] = producer
    }

    static func wrap(_ number: Int64) -> Int32 { Int32(number % (1 << 31)) }
}

private struct ModelError: Error, Equatable { let code: LogError.Code }

private struct Draft {
    var id: Int64
    var epoch: Int16
    var sequence: Int32
    var count: Int
    var isTransactional: Bool
}

/// Does the same to the states and to the model, and compares.
private struct ModelRun {
    var model = Model()
    var states = ProducerStates()
    var random: SeededGenerator
    var end: Int64 = 0

    mutating func step() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<75: try append()
        case 75..<95: try mark()
        default: try restore()
        }
        #expect(states.firstOpen == model.firstOpen)
        let open = model.producers.filter { $0.value.open != nil }
            .sorted { $0.value.open! < $1.value.open! }
        #expect(states.openTransactions.map(\.first.rawValue) == open.map { $0.value.open! })
        #expect(states.openTransactions.map(\.producer.id) == open.map(\.key))
        #expect(states.openTransactions.map(\.producer.epoch) == open.map(\.value.epoch))
    }

    private mutating func draft() -> Draft {
        let id = Int64.random(in: 0..<5, using: &random)
        var draft = Draft(
            id: id, epoch: 0, sequence: 0, count: .random(in: 1...3, using: &random),
            isTransactional: random.chance(50))
        guard let producer = model.producers[id] else {
            // Near the largest, so that some go round.
            draft.sequence = random.chance(50) ? .max - .random(in: 0...20, using: &random) : 3
            return draft
        }
        draft.epoch = producer.epoch
        if producer.open != nil, random.chance(90) { draft.isTransactional = true }
        draft.sequence = producer.batches.last.map { Model.wrap(Int64($0.last) + 1) } ?? 0
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<20:
            if let old = producer.batches.suffix(7).randomElement(using: &random) {
                draft.sequence = old.first
                draft.count = random.chance(90) ? old.count : 4
            }
        case 20..<28: draft.epoch -= 1
        case 28..<36:
            draft.epoch += 1
            if random.chance(70) { draft.sequence = 0 }
        case 36..<42: draft.sequence = Model.wrap(Int64(draft.sequence) + 5)
        case 42..<46: draft.sequence = -1
        default: break
        }
        return draft
    }

    private mutating func append() throws {
        let draft = draft()
        let header = try header(
            id: draft.id, epoch: draft.epoch, sequence: draft.sequence, at: end, count: draft.count,
            isTransactional: draft.isTransactional)
        let expected = model.admission(draft)
        let result = Result { try states.admit(header, to: partition) }.mapError {
            ModelError(code: ($0 as? LogError)?.code ?? .io)
        }
        #expect(result == expected, "\(draft)")
        guard case .success(.append) = result else { return }
        states.batchAppended(header)
        model.append(draft, at: end)
        end += Int64(draft.count)
    }

    private mutating func mark() throws {
        let id = Int64.random(in: 0..<5, using: &random)
        guard var producer = model.producers[id] else { return }
        let epoch = producer.epoch + (random.chance(80) ? 1 : 0)
        let marker: TransactionMarker = random.chance(50) ? .commit : .abort
        let aborted = states.markerAppended(
            marker, try header(id: id, epoch: epoch, at: end, isControl: true), coordinatorEpoch: 0)
        let first = producer.open
        if epoch != producer.epoch { producer.batches = [] }
        producer.epoch = epoch
        producer.open = nil
        model.producers[id] = producer
        if let first, marker == .abort {
            #expect(
                aborted
                    == AbortedTransaction(
                        producerID: id, first: Offset(first), last: Offset(end),
                        lastStable: model.firstOpen ?? Offset(end + 1)))
        } else {
            #expect(aborted == nil)
        }
        end += 1
    }

    private mutating func restore() throws {
        let bytes = states.snapshot()
        states = try bytes.withUnsafeBytes { try ProducerStates(snapshot: $0) }
        #expect(states.snapshot() == bytes)
        // Of the batches, the newest is all that a snapshot keeps.
        model.producers = model.producers.mapValues { producer in
            var producer = producer
            producer.batches = producer.batches.suffix(1)
            return producer
        }
    }
}

struct ProducerStatesModelTests {
    @Test(arguments: seeds(20))
    func `what is admitted, open and aborted is what a model says`(seed: UInt64) throws {
        var run = ModelRun(random: SeededGenerator(seed: seed))
        for _ in 0..<1000 { try run.step() }
    }
}
