// Base 64 (RFC 4648, section 4) without Foundation.

package enum Base64 {
    private static let digits = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func encoded(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let group = Array(rest.prefix(3))
            rest = rest.dropFirst(3)
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                text.append(
                    place <= group.count
                        ? digits[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// nil for text that is none.
    package static func decoded(_ text: String) -> [UInt8]? {
        let text = Array(text.utf8)
        let count = text.count - text.suffix(2).count { $0 == UInt8(ascii: "=") }
        guard text.count.isMultiple(of: 4) else { return nil }
        var bytes: [UInt8] = []
        var bits = 0
        for (place, digit) in text[..<count].enumerated() {
            guard let value = digits.firstIndex(of: digit) else { return nil }
            bits = (bits << 6 | value) & 0xffffff
            if place % 4 > 0 {
                bytes.append(UInt8(truncatingIfNeeded: bits >> (6 - 2 * (place % 4))))
            }
        }
        // What is left over of the last digit must be zero, and the padding at the end.
        guard encoded(bytes).utf8.elementsEqual(text) else { return nil }
        return bytes
    }
}
