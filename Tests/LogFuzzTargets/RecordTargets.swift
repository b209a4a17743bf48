// Keys and values of the internal topics. What can be decoded is encoded again and is then the same.

import StreamJobsLog

enum RecordTargets {
    static func offsets(_ mode: UInt8, _ bytes: [UInt8]) throws {
        do {
            switch mode % 5 {
            case 0:
                guard let key = try OffsetsKey.decode(bytes) else { return }
                try require(try OffsetsKey.decode(key.encoded) == key, "\(key) is another")
                _ = OffsetsTopic.partition(of: key.group, partitionCount: 4)
            case 1:
                let value = try CommittedOffset(decoding: bytes)
                try require(
                    try CommittedOffset(decoding: value.encoded) == value, "\(value) is another")
            case 2:
                let value = try GroupMetadata(decoding: bytes)
                var again = try GroupMetadata(decoding: value.encoded)
                // A value of before version 2 has no time.
                again.timestamp = value.timestamp
                try require(again == value, "\(value) is another: \(again)")
            case 3:
                let value = try Subscription(decoding: bytes)
                let again = try Subscription(decoding: value.encoded)
                try require(
                    Set(again.owned) == Set(value.owned) && again.topics == value.topics,
                    "\(value) is another: \(again)")
            default:
                let value = try Assignment.decode(bytes)
                try require(
                    Set(try Assignment.decode(Assignment.encode(value))) == Set(value),
                    "\(value) is another")
            }
        } catch is MalformedSchema {}
    }

    static func transactions(_ mode: UInt8, _ bytes: [UInt8]) throws {
        do {
            guard mode & 1 != 0 else {
                guard let id = try TransactionRecords.transactionalID(key: bytes) else { return }
                let again = try TransactionRecords.transactionalID(
                    key: TransactionRecords.key(id))
                try require(again == id, "'\(id)' is another")
                _ = TransactionRecords.partition(of: id, partitionCount: 4)
                return
            }
            let value = try TransactionRecords.metadata(bytes, of: "id")
            let again = try TransactionRecords.metadata(
                TransactionRecords.value(value), of: "id")
            var expected = value
            // As Kafka does, nothing is written of partitions where no transaction was ever begun.
            if value.state == .empty { expected.partitions = [] }
            try require(again == expected, "\(value) is another: \(again)")
        } catch is MalformedSchema {}
    }
}
