// Bytes of serdes: fixed by other programs (Kafka's serializers), so they are written out here.

import LocalState
import Testing

struct SerdeTests {
    private func encoded<Value>(_ value: Value, _ serde: Serde<Value>) throws -> [UInt8] {
        var buffer: [UInt8] = [0xee]
        try serde.encode(value, &buffer)
        #expect(buffer.first == 0xee, "a serde appends")
        return Array(buffer.dropFirst())
    }

    @Test func `strings are UTF-8`() throws {
        #expect(try encoded("aß", .string) == [0x61, 0xc3, 0x9f])
        let bytes: [UInt8] = [0x61, 0xc3, 0x9f]
        #expect(try Serde.string.decode(bytes.span.bytes) == "aß")
        let empty: [UInt8] = []
        #expect(try Serde.string.decode(empty.span.bytes).isEmpty)
    }

    @Test(
        arguments: [
            ([0x61, 0x62, 0xff], 2), ([0xc3], 0), ([0x61, 0xed, 0xa0, 0x80], 1), ([0xc0, 0x80], 0),
        ] as [([UInt8], Int)])
    func `bytes that are not UTF-8 are refused with their position`(
        bytes: [UInt8], position: Int
    ) throws {
        let error = #expect(throws: SerdeError.self) {
            _ = try Serde.string.decode(bytes.span.bytes)
        }
        #expect(error?.message.contains("byte \(position) is not UTF-8") == true)
    }

    @Test func `int64 is Kafka's LongSerializer`() throws {
        #expect(try encoded(1, .int64) == [0, 0, 0, 0, 0, 0, 0, 1])
        #expect(try encoded(-2, .int64) == [255, 255, 255, 255, 255, 255, 255, 254])
        let bytes: [UInt8] = [0x80, 0, 0, 0, 0, 0, 0, 0]
        #expect(try Serde.int64.decode(bytes.span.bytes) == .min)
        let short: [UInt8] = [1, 2, 3]
        #expect(throws: SerdeError("3 bytes are not an int64, which has 8.")) {
            _ = try Serde.int64.decode(short.span.bytes)
        }
    }

    @Test func `numbers are those of Kafka's serializers`() throws {
        #expect(try encoded(-2, .int16) == [0xff, 0xfe])
        #expect(try encoded(258, .int32) == [0, 0, 1, 2])
        #expect(try encoded(1, .double) == [0x3f, 0xf0, 0, 0, 0, 0, 0, 0])
        #expect(try encoded(-2, .float) == [0xc0, 0, 0, 0])
        #expect(try encoded(true, .bool) == [1])
        let number: [UInt8] = [0x3f, 0xf0, 0, 0, 0, 0, 0, 0]
        #expect(try Serde.double.decode(number.span.bytes) == 1)
        #expect(try Serde.float.decode(number.span.bytes.extracting(0..<4)) == 1.875)
        #expect(try Serde.int32.decode(number.span.bytes.extracting(4...)) == 0)
        #expect(throws: SerdeError("8 bytes are not an int16, which has 2.")) {
            _ = try Serde.int16.decode(number.span.bytes)
        }
        #expect(throws: SerdeError.self) {
            _ = try Serde.bool.decode(number.span.bytes.extracting(0..<1))
        }
    }

    @Test func `a uuid is Kafka's text`() throws {
        let text = Array("123e4567-e89b-12d3-a456-426614174000".utf8)
        let uuid = try Serde.uuidBytes.decode(text.span.bytes)
        #expect(try encoded(uuid, .uuidBytes) == text)
        #expect(throws: SerdeError.self) {
            _ = try Serde.uuidBytes.decode(text.span.bytes.extracting(1...))
        }
    }

    @Test func `only optional knows null`() throws {
        let serde: Serde<String?> = .optional(.string)
        #expect(serde.name == "optional(string)")
        #expect(serde.isNull(nil))
        #expect(!serde.isNull(""))
        #expect(serde.decodeNull?() == .some(.none))
        #expect(try encoded("x", serde) == [0x78])
        #expect(Serde.string.decodeNull == nil)
        #expect(!Serde.string.isNull(""))
    }
}
