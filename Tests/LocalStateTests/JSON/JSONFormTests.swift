// What tools show of a store and read back, by the names of its formats alone.

import LocalState
import TestSupport
import Testing

struct JSONFormTests {
    private func bytes(_ key: some StoreKey) -> [UInt8] {
        var bytes: [UInt8] = []
        key.encodeOrdered(into: &bytes)
        return bytes
    }

    /// A key as JSON and back.
    private func check<Key: StoreKey>(_ key: Key, _ json: String) throws {
        let form = JSONForm.keys(named: Key.codecName)
        #expect(try form.json(of: bytes(key).span.bytes) == json)
        #expect(try form.bytes(json: json) == bytes(key))
    }

    @Test func `keys of every codec are shown and read back by its name`() throws {
        try check("a\"b\\\n\u{1}é", #""a\"b\\\n\u0001é""#)
        try check(Int8(-5), "-5")
        try check(Int16.min, "-32768")
        try check(Int32.max, "2147483647")
        try check(Int64.min, "-9223372036854775808")
        try check(7, "7")
        try check(UInt8.max, "255")
        try check(UInt16.max, "65535")
        try check(UInt32.max, "4294967295")
        try check(UInt64.max, "18446744073709551615")
        try check(0.1, "0.1")
        try check(Double.leastNonzeroMagnitude, "5e-324")
        try check(Double.infinity, #""Infinity""#)
        try check(-Float.infinity, #""-Infinity""#)
        try check(Float.nan, #""NaN""#)
        try check(true, "true")
        try check(UUIDBytes(high: 1, low: 2), #""00000000-0000-0001-0000-000000000002""#)
        try check(Array("text".utf8), #""text""#)
        try check([0xff, 0, 1] as [UInt8], #"{"base64":"/wAB"}"#)
        try check([0x0a] as [UInt8], #"{"base64":"Cg=="}"#)
        try check(nil as String?, "null")
        try check("" as String?, #""""#)
        try check(KeyPair("a\0", 5), #"["a\u0000",5]"#)
        try check(KeyTriple(Int16(1), "x" as String?, false), #"[1,"x",false]"#)
        try check(
            KeyPair(KeyPair("a", nil as Int32?), KeyPair("b", true)), #"[["a",null],["b",true]]"#)
        try check(KeyPair(KeyTriple("a", "b", "c") as KeyTriple?, "d"), #"[["a","b","c"],"d"]"#)
    }

    private func check<Value>(_ value: Value, _ serde: Serde<Value>, _ json: String) throws {
        var bytes: [UInt8] = []
        try serde.encode(value, &bytes)
        #expect(try serde.jsonForm.json(of: bytes.span.bytes) == json)
        #expect(try serde.jsonForm.bytes(json: json) == bytes)
    }

    @Test func `values of every serde are shown and read back by its name`() throws {
        try check("x", .string, #""x""#)
        try check([1, 0xff], .bytes, #"{"base64":"Af8="}"#)
        try check(-1, .int16, "-1")
        try check(-1, .int32, "-1")
        try check(.min, .int64, "-9223372036854775808")
        try check(1.5, .double, "1.5")
        try check(-1.5, .float, "-1.5")
        try check(false, .bool, "false")
        try check(
            UUIDBytes(high: .max, low: 0), .uuidBytes, #""ffffffff-ffff-ffff-0000-000000000000""#)
        try check("x", .optional(.string), #""x""#)
        #expect(try Serde.optional(.string).jsonForm.bytes(json: "null") == nil)
        try check(
            Expiring("x", expiry: 7), .expiring(.optional(.string)), #"{"expires":7,"value":"x"}"#)
        try check(
            Expiring(nil, expiry: -1), .expiring(.optional(.string)),
            #"{"expires":-1,"value":null}"#)
    }

    @Test func `JSON values go through as they are, numbers to the digit`() throws {
        let form = JSONForm.values(named: "json([String: (Int, Int)])")
        let text = #"{ "b": [1.10, 1e400, -0, {}], "a":{"x" : "\u00e9\ud83d\ude00"}, "c": []}"#
        let bytes = Array(text.utf8)
        let json = #"{"b":[1.10,1e400,-0,{}],"a":{"x":"é😀"},"c":[]}"#
        #expect(try form.json(of: bytes.span.bytes) == json)
        #expect(try form.bytes(json: json) == Array(json.utf8))
        let optional = JSONForm.values(named: "optional(json(Flight))")
        #expect(try optional.json(of: bytes.span.bytes) == json)
        #expect(try optional.bytes(json: "null") == nil)
    }

    @Test func `formats of users' own are bytes, or what they say`() throws {
        let text = Array("abc".utf8)
        for name in ["protobuf", "pair(string", "pair(string, )", "pair(string)", "list(int64)"] {
            #expect(try JSONForm.keys(named: name).json(of: text.span.bytes) == #""abc""#)
            #expect(try JSONForm.values(named: name).json(of: text.span.bytes) == #""abc""#)
        }
        let celsius = Serde<Int>(
            name: "celsius", encode: { $1.append(UInt8($0)) }, decode: { Int($0.byteCount) },
            jsonForm: JSONForm(
                json: { "{\"celsius\": \($0.byteCount)}" }, bytes: { Array($0.utf8.suffix(2)) }))
        #expect(try celsius.jsonForm.json(of: text.span.bytes) == #"{"celsius":3}"#)
        #expect(
            try Serde.optional(celsius).jsonForm.json(of: text.span.bytes) == #"{"celsius":3}"#)
        #expect(try celsius.jsonForm.bytes(json: "777") == Array("77".utf8))
    }

    @Test(
        arguments: [
            ("int64", "1.0"), ("int64", "9223372036854775808"), ("int64", "\"1\""),
            ("string", "1"), ("uint8", "-1"), ("bool", "null"), ("uuid", "\"x\""),
            ("bytes", "{\"base64\": \"A===\"}"), ("bytes", "{\"base64\": \"Cg=\"}"),
            ("bytes", "{\"base64\": \"Ch==\"}"), ("bytes", "[]"), ("double", "\"nan\""),
            ("pair(string, int64)", "[\"a\"]"), ("pair(string, int64)", "[1, 2]"),
            ("pair(string, int64)", "\"a\""),
        ])
    func `JSON that is no such key is refused`(codec: String, json: String) {
        let error = #expect(throws: SerdeError.self) {
            _ = try JSONForm.keys(named: codec).bytes(json: json)
        }
        #expect(error?.message.contains("no") == true)
    }

    @Test(
        arguments: [
            "", " ", "{", "[1,]", "{\"a\"}", "{\"a\":}", "01", "1.", "+1", "-", "1e", "tru",
            "nulls", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "[1 2]",
            "\"\n\"", "1 2", "'a'", "{\"a\":1,}", "]", "NaN",
            String(repeating: "[", count: 10_000),
        ])
    func `text that is no JSON is refused`(text: String) {
        #expect(throws: SerdeError.self) { _ = try JSONValue(text) }
    }

    @Test(arguments: seeds(5))
    func `base 64 gives back random bytes`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for count in 0..<50 {
            let bytes = generator.bytes(count)
            #expect(Base64.decoded(Base64.encoded(bytes)) == bytes)
        }
        #expect(Base64.encoded(Array("Man".utf8)) == "TWFu")
        #expect(Base64.encoded(Array("Ma".utf8)) == "TWE=")
        #expect(Base64.decoded("TWE=TWE=") == nil)
    }
}
