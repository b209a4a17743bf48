// The line of a batch, as Kafka's dump tool writes it, and the same as JSON.

import StreamJobsLog

struct BatchLine {
    let header: BatchHeader
    let position: Int
    let isValid: Bool

    private var lastOffset: Int64 { header.nextOffset - 1 }
    private var isAppendTime: Bool { header.isAppendTime }
    private var lastSequence: Int64 {
        header.baseSequence < 0
            ? -1
            : (Int64(header.baseSequence) + Int64(header.lastOffsetDelta)) & Int64(Int32.max)
    }

    var text: String {
        let horizon = header.deleteHorizon.map { "OptionalLong[\($0)]" } ?? "OptionalLong.empty"
        return "baseOffset: \(header.baseOffset) lastOffset: \(lastOffset) "
            + "count: \(header.recordsCount) baseSequence: \(header.baseSequence) "
            + "lastSequence: \(lastSequence) producerId: \(header.producer?.id ?? -1) "
            + "producerEpoch: \(header.producer?.epoch ?? -1) "
            + "partitionLeaderEpoch: \(header.leaderEpoch) "
            + "isTransactional: \(header.isTransactional) isControl: \(header.isControl) "
            + "deleteHorizonMs: \(horizon) position: \(position) "
            + "\(isAppendTime ? "LogAppendTime" : "CreateTime"): \(header.maxTimestamp) "
            + "size: \(header.batchByteCount) magic: 2 compresscodec: \(header.codecName) "
            + "crc: \(header.checksum) isvalid: \(isValid)"
    }

    func appendFields(to line: inout [UInt8]) {
        JSONText.append(field: "position", number: position, to: &line)
        JSONText.append(field: "size", number: header.batchByteCount, to: &line)
        JSONText.append(field: "base_offset", number: header.baseOffset, to: &line)
        JSONText.append(field: "last_offset", number: lastOffset, to: &line)
        JSONText.append(field: "count", number: header.recordsCount, to: &line)
        JSONText.append(field: "codec", string: header.codecName, to: &line)
        JSONText.append(field: "producer_id", number: header.producer?.id, to: &line)
        JSONText.append(field: "producer_epoch", number: header.producer?.epoch, to: &line)
        JSONText.append(field: "base_sequence", number: header.baseSequence, to: &line)
        JSONText.append(field: "last_sequence", number: lastSequence, to: &line)
        JSONText.append(field: "transactional", flag: header.isTransactional, to: &line)
        JSONText.append(field: "control", flag: header.isControl, to: &line)
        JSONText.append(field: "leader_epoch", number: header.leaderEpoch, to: &line)
        JSONText.append(
            field: "timestamp_type", string: isAppendTime ? "LogAppendTime" : "CreateTime",
            to: &line)
        JSONText.append(field: "base_timestamp", number: header.baseTimestamp, to: &line)
        JSONText.append(field: "max_timestamp", number: header.maxTimestamp, to: &line)
        JSONText.append(
            field: "delete_horizon", number: header.deleteHorizon?.milliseconds, to: &line)
        JSONText.append(field: "crc", number: header.checksum, to: &line)
        JSONText.append(field: "crc_ok", flag: isValid, to: &line)
    }
}
