import StreamJobsCLI
import Testing

struct ByteCountArgumentTests {
    @Test(
        arguments: [
            ("0", 0), ("1000000", 1_000_000), ("4KiB", 4096), ("512MiB", 536_870_912),
            ("2GiB", 2 << 30),
        ])
    func `is a number of bytes`(text: String, expected: Int) throws {
        #expect(try ByteCountArgument.parse(text).byteCount == expected)
    }

    @Test(arguments: ["", "MiB", "-1", "1.5GiB", "1 GiB", "1mib", "1MB", "9223372036854775807KiB"])
    func `is no number of bytes`(text: String) {
        let message = message(exitCode: 64) { _ = try ByteCountArgument.parse(text) }
        #expect(message.contains("512MiB or 2GiB") || message == "it is too large")
    }

    @Test(arguments: ["0", "1000", "1KiB", "512MiB", "2GiB", "1025"])
    func `is written as it is read`(text: String) throws {
        #expect(try ByteCountArgument.parse(text).description == text)
    }
}
