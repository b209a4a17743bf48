// What the fuzzer runs, and the tests over the inputs that were kept: one function for each kind of bytes
// that the log reads. Whatever the bytes are, the answer is a result that holds together or the error that
// is meant for it; never a trap, a hang, or memory by a claimed size.

import StreamJobsLog

/// Something that the log read and should not have, or said and should not have.
package struct Finding: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

package enum FuzzTarget: String, CaseIterable, Sendable {
    /// A batch, plain or compressed, and its records.
    case batch
    /// A batch from outside, before it is appended.
    case validation
    /// Compressed bytes, the codec's number first.
    case decompressor
    /// A `.log` file, opened by an observer and by an owner after a crash.
    case segment
    /// An index file, believed or not.
    case index
    /// A `.snapshot` file.
    case snapshot
    case recoveryPoints = "recovery-points"
    /// The file `segments`.
    case manifest
    /// The file `topics`.
    case catalog
    /// Kafka's checkpoint files.
    case checkpoint
    /// Keys and values of `__consumer_offsets`, and what consumers tell each other.
    case offsets
    /// Keys and values of `__transaction_state`.
    case transactions

    /// Throws `Finding`, or what building a directory throws; traps where the log traps.
    package func run(_ input: [UInt8]) throws {
        // The first byte says how the others are to be understood; without one there is nothing to say.
        guard let mode = input.first else { return }
        let bytes = Array(input.dropFirst())
        switch self {
        case .batch: try BatchTargets.batch(mode, bytes)
        case .validation: try BatchTargets.validation(mode, bytes)
        case .decompressor: try BatchTargets.decompressor(mode, bytes)
        case .segment: try SegmentTarget.run(mode, bytes)
        case .index: try FileTargets.index(mode, bytes)
        case .snapshot: try FileTargets.snapshot(mode, bytes)
        case .recoveryPoints: try FileTargets.recoveryPoints(mode, bytes)
        case .manifest: try FileTargets.manifest(mode, bytes)
        case .catalog: try FileTargets.catalog(mode, bytes)
        case .checkpoint: try FileTargets.checkpoint(mode, bytes)
        case .offsets: try RecordTargets.offsets(mode, bytes)
        case .transactions: try RecordTargets.transactions(mode, bytes)
        }
    }
}

/// Passes on what the log may say of bytes that are not its own, and makes a finding of anything else.
func orRefused<R>(_ body: () throws -> R) throws -> R? {
    do {
        return try body()
    } catch let error as LogError where [.corrupted, .newerFormat].contains(error.code) {
        return nil
    } catch let finding as Finding {
        throw finding
    } catch let error as LogError where error.code == .offsetOutOfRange {
        throw error
    } catch {
        throw Finding("refused by another error than is meant for it: \(error)")
    }
}

func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw Finding(message()) }
}
