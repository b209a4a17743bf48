// Comparing and showing bytes.

import Glibc

extension RawSpan {
    /// A copy.
    var copied: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}

/// Less than, equal to or greater than 0, as these bytes come before, are, or come after others in
/// LMDB's order: byte by byte without sign, a prefix first.
@inline(__always)
func compareBytes(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Int {
    let common = min(one.count, other.count)
    if common > 0, let oneStart = one.baseAddress, let otherStart = other.baseAddress {
        let order = memcmp(oneStart, otherStart, common)
        if order != 0 { return Int(order) }
    }
    return one.count - other.count
}

/// Bytes as an error message shows them: text in quotes where it is text, else hexadecimal.
func describeBytes(_ bytes: some Collection<UInt8>) -> String {
    let shown = Array(bytes.prefix(Limits.describedKeyBytesMax))
    let rest = bytes.count > shown.count ? "… (\(bytes.count) bytes)" : ""
    if let text = String(validating: shown, as: UTF8.self),
        text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f })
    {
        return "\"\(text)\"\(rest)"
    }
    let digits = shown.map { byte in
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return "0x" + digits.joined() + rest
}
