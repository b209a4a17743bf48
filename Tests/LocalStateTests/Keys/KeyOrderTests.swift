// Bytes of keys sort as the values do, over edge values and random ones, alone and within tuples.

import LocalState
import TestSupport
import Testing

struct KeyOrderTests {
    /// Compares the order of bytes with that of values, for each two of some keys, and what comes back.
    private func check<Key: StoreKey>(
        _ keys: [Key], by areInOrder: (Key, Key) -> Bool
    ) throws {
        let encoded = keys.map { key in
            var bytes: [UInt8] = []
            key.encodeOrdered(into: &bytes)
            return bytes
        }
        let parts = keys.map { KeyBounds.part($0) }
        for (key, bytes) in zip(keys, encoded) {
            #expect(Key.isSameKey(try Key(orderedBytes: bytes.span.bytes), key))
            guard let count = Key.orderedByteCount else { continue }
            #expect(bytes.count == count)
            guard count <= 8 else { continue }
            let filled = (bytes + [0, 0, 0, 0, 0, 0, 0]).prefix(8)
            #expect(key.orderedBits == filled.reduce(0) { $0 << 8 | UInt64($1) })
        }
        for (key, part) in zip(keys, parts) {
            // Whatever follows a part, it ends where it should.
            for rest: [UInt8] in [[], [0], [1], [0xff]] {
                let bytes = part + rest
                var position = 0
                let taken = try Key.takeOrderedPart(of: bytes.span.bytes, at: &position)
                #expect(Key.isSameKey(taken, key))
                #expect(position == part.count)
            }
        }
        for one in keys.indices {
            for other in keys.indices {
                let isLess = areInOrder(keys[one], keys[other])
                #expect(encoded[one].lexicographicallyPrecedes(encoded[other]) == isLess)
                #expect(parts[one].lexicographicallyPrecedes(parts[other]) == isLess)
                let isSame = Key.isSameKey(keys[one], keys[other])
                #expect((encoded[one] == encoded[other]) == isSame)
                if isSame { #expect(hash(keys[one]) == hash(keys[other])) }
                if isSame {
                    #expect(keys[one].storeHash(seed: 7) == keys[other].storeHash(seed: 7))
                }
                #expect(one == other || !parts[other].starts(with: parts[one]) || isSame)
            }
        }
    }

    private func hash(_ key: some StoreKey) -> Int {
        var hasher = Hasher()
        key.hashKey(into: &hasher)
        return hasher.finalize()
    }

    private func integers<Key: StoreKey & FixedWidthInteger>(
        _ generator: inout SeededGenerator
    ) -> [Key] {
        [.min, .min + 1, 0, 1, .max - 1, .max, Key(truncatingIfNeeded: -1)]
            + (0..<20).map { _ in
                .random(in: .min ... .max, using: &generator) >> Int.random(in: 0..<Key.bitWidth)
            }
    }

    @Test(arguments: seeds(4))
    func `integers of all widths sort by value`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        func check<Key: StoreKey & FixedWidthInteger>(_: Key.Type) throws {
            try self.check(integers(&generator) as [Key], by: <)
        }
        try check(Int8.self)
        try check(Int16.self)
        try check(Int32.self)
        try check(Int64.self)
        try check(Int.self)
        try check(UInt8.self)
        try check(UInt16.self)
        try check(UInt32.self)
        try check(UInt64.self)
        try check(UInt.self)
        try self.check([false, true]) { !$0 && $1 }
    }

    @Test(arguments: seeds(4))
    func `floating point numbers sort by value, NaN last`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        func isLess<Number: BinaryFloatingPoint>(_ one: Number, _ other: Number) -> Bool {
            other.isNaN ? !one.isNaN : one < other
        }
        let doubles: [Double] = [
            0, -0.0, .nan, -.nan, .signalingNaN, .infinity, -.infinity, .leastNonzeroMagnitude,
            -.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude,
            -.greatestFiniteMagnitude, 1, -1, 1.5, .pi,
        ]
        let random = (0..<40).map { _ in Double(bitPattern: generator.next()) }
        try check(doubles + random, by: isLess)
        try check((doubles + random).map { Float($0) }, by: isLess)
        var bytes: [UInt8] = []
        (-0.0).encodeOrdered(into: &bytes)
        #expect(try Double(orderedBytes: bytes.span.bytes).sign == .plus)
    }

    /// Texts whose scalars are compared by Swift's `<` as their bytes are: all in composed form.
    private func text(_ generator: inout SeededGenerator) -> String {
        let scalars = ["\0", "\u{1}", "a", "b", "z", "ß", "\u{ff}", "日", "\u{ffff}", "😀"]
        return (0..<Int.random(in: 0...4, using: &generator)).map { _ in
            scalars.randomElement(using: &generator) ?? ""
        }.joined()
    }

    private func bytes(_ generator: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 0...4, using: &generator)).map { _ in
            [0, 1, 2, 0x61, 0xfe, 0xff].randomElement(using: &generator) ?? 0
        }
    }

    @Test(arguments: seeds(4))
    func `texts and bytes sort one by one, a prefix first`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let texts = (0..<40).map { _ in text(&generator) }
        try check(texts) { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
        let arrays = (0..<60).map { _ in bytes(&generator) } + [.init(repeating: 0, count: 2000)]
        try check(arrays) { $0.lexicographicallyPrecedes($1) }
    }

    @Test(arguments: seeds(4))
    func `nil sorts before every value and is not an empty one`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let keys = [nil, [], [0], [1]] + (0..<30).map { _ in bytes(&generator) } as [[UInt8]?]
        try check(keys) { one, other in
            guard let other else { return false }
            return one.map { $0.lexicographicallyPrecedes(other) } ?? true
        }
        try check([nil, 0, 1, -1, .min, .max] as [Int64?]) { one, other in
            guard let other else { return false }
            return one.map { $0 < other } ?? true
        }
        let nested: [Int8??] = [nil, .some(nil), 0, -1, 5]
        try check(nested) { one, other in
            func rank(_ key: Int8??) -> Int { key.map { $0.map { Int($0) } ?? -1000 } ?? -2000 }
            return rank(one) < rank(other)
        }
    }

    enum Side: String, StoreKey, CaseIterable {
        case left, right, both
    }

    struct Account: RawRepresentable, StoreKey {
        var rawValue: UInt16
    }

    @Test func `types with raw values sort as those`() throws {
        try check(Side.allCases) { $0.rawValue < $1.rawValue }
        #expect(Side.codecName == "string")
        try check([3, 0, 700].map { Account(rawValue: $0) }) { $0.rawValue < $1.rawValue }
        let unknown = Array("middle".utf8)
        #expect(throws: SerdeError("middle is no Side.")) {
            _ = try Side(orderedBytes: unknown.span.bytes)
        }
    }

    @Test(arguments: seeds(4))
    func `UUIDs sort by their bytes and are written as text`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let keys = (0..<20).map { _ in
            UUIDBytes(high: generator.next() >> 60, low: generator.next())
        }
        try check(keys, by: <)
        for key in keys { #expect(UUIDBytes(key.description.uppercased()) == key) }
        let text = "123e4567-e89b-12d3-a456-426614174000"
        #expect(UUIDBytes(text)?.description == text)
        #expect(UUIDBytes(text)?.high == 0x123e_4567_e89b_12d3)
        for wrong in ["", "123e4567e89b12d3a456426614174000", text + "0", "+" + text.dropFirst()] {
            #expect(UUIDBytes(wrong) == nil)
        }
    }

    @Test(arguments: seeds(6))
    func `tuples sort by their first part, then by the next`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        func order(_ parts: [(String, String)]) -> Bool {
            for (one, other) in parts where one != other {
                return one.unicodeScalars.lexicographicallyPrecedes(other.unicodeScalars)
            }
            return false
        }
        let pairs = (0..<50).map { _ in KeyPair(text(&generator), text(&generator)) }
        try check(pairs) { order([($0.first, $1.first), ($0.second, $1.second)]) }
        let numbers = (0..<50).map { _ in
            KeyPair(Int32.random(in: -2...2, using: &generator), text(&generator))
        }
        try check(numbers) {
            $0.first != $1.first
                ? $0.first < $1.first : order([($0.second, $1.second)])
        }
        let small = (0..<30).map { _ in
            KeyPair(Int16.random(in: -2...2, using: &generator), generator.chance(50))
        }
        try check(small) {
            $0.first != $1.first ? $0.first < $1.first : !$0.second && $1.second
        }
        let triples = (0..<50).map { _ in
            KeyTriple(
                text(&generator), generator.chance(50) ? text(&generator) : nil,
                Int64.random(in: -2...2, using: &generator))
        }
        try check(triples) { one, other in
            if one.first != other.first { return order([(one.first, other.first)]) }
            if one.second != other.second {
                guard let second = other.second else { return false }
                return one.second.map { order([($0, second)]) } ?? true
            }
            return one.third < other.third
        }
        let nested = pairs.map { KeyPair($0, KeyPair(Int8(1), $0.first)) }
        try check(nested) {
            order([
                ($0.first.first, $1.first.first), ($0.first.second, $1.first.second),
            ])
        }
    }

    @Test func `codecs have names that tell what is kept`() {
        #expect(KeyPair<String, Int>.codecName == "pair(string, int64)")
        #expect(
            KeyTriple<UUIDBytes, Double?, [UInt8]>.codecName
                == "triple(uuid, optional(double), bytes)")
        #expect(KeyPair<Int32, Bool>.orderedByteCount == 5)
        #expect(KeyTriple<Int32, Bool, String>.orderedByteCount == nil)
    }

    @Test func `the bytes of tuples are part of the format`() {
        func bytes(_ key: some StoreKey) -> [UInt8] {
            var bytes: [UInt8] = []
            key.encodeOrdered(into: &bytes)
            return bytes
        }
        #expect(bytes(KeyPair("ab", Int16(7))) == [0x61, 0x62, 0, 1, 0x80, 7])
        #expect(bytes(KeyPair("a\0", "\0")) == [0x61, 0, 0xff, 0, 1, 0])
        #expect(bytes(KeyTriple(nil as String?, UInt8(3), "x")) == [0, 3, 0x78])
        #expect(bytes(KeyPair("x" as String?, true)) == [1, 0x78, 0, 1, 1])
        #expect(bytes(1.0) == [0xbf, 0xf0, 0, 0, 0, 0, 0, 0])
        #expect(bytes(Float(-2)) == [0x3f, 0xff, 0xff, 0xff])
    }

    @Test(
        arguments: [
            [], [0x61], [0x61, 0], [0x61, 0, 2], [0x61, 0, 1], [0x61, 0, 1, 1, 2, 3],
            [0xff, 0, 1, 0, 7],
        ] as [[UInt8]])
    func `bytes that are no tuple are refused`(bytes: [UInt8]) {
        #expect(throws: SerdeError.self) {
            _ = try KeyPair<String, Int16>(orderedBytes: bytes.span.bytes)
        }
        #expect(throws: SerdeError.self) {
            _ = try KeyTriple<Bool, Int64?, Double>(orderedBytes: bytes.span.bytes)
        }
    }
}
