// Keys of Foundation's types and of the log's.

import FoundationEssentials
import StreamJobs
import Testing

struct KeysTests {
    private func check<Key: StoreKey & Comparable>(_ keys: [Key], codec: String) throws {
        #expect(Key.codecName == codec)
        let encoded = keys.map { key in
            var bytes: [UInt8] = []
            key.encodeOrdered(into: &bytes)
            return bytes
        }
        for (key, bytes) in zip(keys, encoded) {
            #expect(try Key(orderedBytes: bytes.span.bytes) == key)
            #expect(bytes.count == Key.orderedByteCount)
        }
        for one in keys.indices {
            for other in keys.indices {
                #expect(
                    encoded[one].lexicographicallyPrecedes(encoded[other])
                        == (keys[one] < keys[other]))
            }
        }
    }

    @Test func `timestamps, dates and UUIDs sort as they compare`() throws {
        try check(
            [
                .distantPast, .distantFuture, Timestamp(milliseconds: -1),
                Timestamp(milliseconds: 0),
            ],
            codec: "timestamp")
        try check(
            [
                Date.distantPast, .distantFuture, Date(timeIntervalSince1970: 0),
                Date(timeIntervalSince1970: 1e-7), Date(timeIntervalSinceReferenceDate: -0.5),
            ], codec: "date")
        try check((0..<20).map { _ in UUID() }, codec: "uuid")
    }

    @Test func `a UUID has the bytes of its text, as key and as value`() throws {
        let uuid = try #require(UUID(uuidString: "123E4567-E89B-12D3-A456-426614174000"))
        var bytes: [UInt8] = []
        uuid.encodeOrdered(into: &bytes)
        #expect(
            try UUIDBytes(orderedBytes: bytes.span.bytes).description
                == "123e4567-e89b-12d3-a456-426614174000")
        bytes = []
        try Serde.uuid.encode(uuid, &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == uuid.uuidString.lowercased())
        #expect(try Serde.uuid.decode(bytes.span.bytes) == uuid)
    }

    @Test func `a timestamp is Kafka's long`() throws {
        var bytes: [UInt8] = []
        try Serde.timestamp.encode(Timestamp(milliseconds: 258), &bytes)
        #expect(bytes == [0, 0, 0, 0, 0, 0, 1, 2])
        #expect(try Serde.timestamp.decode(bytes.span.bytes) == Timestamp(milliseconds: 258))
        #expect(try Serde.timestamp.jsonForm.json(of: bytes.span.bytes) == "258")
    }
}
