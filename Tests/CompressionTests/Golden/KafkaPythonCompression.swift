// Compressed bytes that another implementation made, for both directions of compatibility. Recipe, with the
// PyPI packages kafka-python 3.0.12, python-snappy 0.7.3, lz4 4.4.5, zstandard 0.25.0 (Python 3.11):
//
//     from kafka.codec import gzip_encode, snappy_encode, lz4_encode, zstd_encode
//     events = "".join("EWR|2013-01-01|%d\n" % i for i in range(20)).encode()
//     text = (b"StreamJobs " * 7000)[:70000]
//     print(snappy_encode(events).hex())     # and so on: the expression stands above each constant
//
// The other way, checked by hand once: what `Compressor` makes of nothing, `events`, `text`, 20,000 lines
// and 1 MiB of random bytes, with each codec at its default, lowest and highest level, written to files and
// given to gzip_decode, snappy_decode, lz4_decode and zstd_decode of kafka.codec: all came back as they
// were. (The one exception: snappy's stream of nothing is a header alone, as snappy-java writes it, and
// snappy_decode wants more than a header.)

import StreamJobsCompression
import TestSupport
import Testing

enum KafkaPythonCompression {
    static let events = Array((0..<20).map { "EWR|2013-01-01|\($0)\n" }.joined().utf8)
    static let text = Array(String(repeating: "StreamJobs ", count: 7000).utf8.prefix(70_000))

    /// Everything that is to be read, and what it holds.
    static let all: [Sample] = [
        Sample("gzipEvents", .gzip, gzipEvents, events),
        Sample("gzipText", .gzip, gzipText, text),
        Sample("gzipMembers", .gzip, gzipMembers, events),
        Sample("snappyEvents", .snappy, snappyEvents, events),
        Sample("snappyText", .snappy, snappyText, text),
        Sample("snappyRaw", .snappy, snappyRaw, events),
        Sample("lz4Events", .lz4, lz4Events, events),
        Sample("lz4Text", .lz4, lz4Text, text),
        Sample("lz4Checksums", .lz4, lz4Checksums, text),
        Sample("zstdEvents", .zstd, zstdEvents, events),
        Sample("zstdText", .zstd, zstdText, text),
        Sample("zstdFrames", .zstd, zstdFrames, events),
        Sample("zstdWindow", .zstd, zstdWindow, events),
    ]

    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let codec: CompressionCodec
        let compressed: [UInt8]
        let content: [UInt8]

        init(
            _ name: String, _ codec: CompressionCodec, _ compressed: [UInt8], _ content: [UInt8]
        ) {
            self.name = name
            self.codec = codec
            self.compressed = compressed
            self.content = content
        }

        var testDescription: String { name }
    }

    /// `gzip_encode(events)`
    static let gzipEvents = bytes(
        "1f8b0800ea98056b02ff65ceb10dc02014c4d09e5d90be2124610016a0c9320c0f6dee2457aedef8"
            + "e62a41cdc169451aff818ea2a3eab874341db78e47c7aba31bcca966c5b09816e3625e0c8c893132"
            + "3d6d6b250dc25e010000")

    /// `gzip_encode(text)`
    static let gzipText = bytes(
        "1f8b0800ea98056b02ffedc6b10900200c00b057bcc7b517547014c1fa3f3ee1984c897b66aebe47"
            + "b5505555555555555555555555555555555555555555555555555555555555555555555555555555"
            + "55555555555555555555555555555555555555555555555555555555555555555555555555555555"
            + "55555555555555555555555555555555555555555555555555555555555555555555555555555555"
            + "55555555555555555555555555555555d53f7df682a3e870110100")

    /// `gzip.compress(events[:100], mtime=0) + gzip.compress(events[100:], mtime=0)`
    static let gzipMembers = bytes(
        "1f8b0800000000000203730d0faa31323034d6353004a21a032e5754014374012374016374011374"
            + "010061017727640000001f8b080000000000020365ceb90d002010c4c09c5e906ef9298006486886"
            + "e2213e4b8e26720debec9b4c399a7eb779e81e8687e9410611244132a4402a04c3c2b1b0ac191ee2"
            + "11ddcbfa000000")

    /// `snappy_encode(events)`
    static let snappyEvents = bytes(
        "82534e4150505900000000010000000100000073de02404557527c323031332d30312d30317c300a"
            + "3a110000313e110000323e110000333e110000343e110000353e110000363e110000373e11000038"
            + "3e110000393e1100003146ab0042ac00003142ad00003142ae00003142af00003142b000003142b1"
            + "00003142b200003142b3000831390a")

    /// `snappy_encode(text)`
    static let snappyText = bytes(
        "82534e415050590000000001000000010000060f8080022853747265616d4a6f627320fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00d20b000000060f808002282053747265616d4a6f6273fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00d20b00000000e0f02228732053747265616d4a6f62fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00"
            + "fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe"
            + "0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b"
            + "00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00920b00")

    /// `snappy_encode(events, xerial_compatible=False)`
    static let snappyRaw = bytes(
        "de02404557527c323031332d30312d30317c300a3a110000313e110000323e110000333e11000034"
            + "3e110000353e110000363e110000373e110000383e110000393e1100003146ab0042ac00003142ad"
            + "00003142ae00003142af00003142b000003142b100003142b200003142b3000831390a")

    /// `lz4_encode(events)`
    static let lz4Events = bytes(
        "04224d1868405e010000000000002962000000fb024557527c323031332d30312d30317c300a1100"
            + "1c3111001c3211001c3311001c3411001c3511001c3611001c3711001c3811001c3911001e31ab00"
            + "0dac001d31ad001d31ae001d31af001d31b0001d31b1001d31b2001b31b30050317c31390a000000"
            + "00")

    /// `lz4_encode(text)`
    static let lz4Text = bytes(
        "04224d18684070110100000000006115010000bf53747265616d4a6f6273200b00ffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffdd50616d4a6f6226000000bf732053747265616d4a6f620b00ffffffffffff"
            + "ffffffffffffffffffffff5e507265616d4a00000000")

    /// `lz4_encode(text, content_checksum=True, block_checksum=True)`
    static let lz4Checksums = bytes(
        "04224d187c407011010000000000ca15010000bf53747265616d4a6f6273200b00ffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffdd50616d4a6f62dc0e315926000000bf732053747265616d4a6f620b00ffff"
            + "ffffffffffffffffffffffffffffff5e507265616d4a9f56467500000000bc2f72f8")

    /// `zstd_encode(events)`
    static let zstdEvents = bytes(
        "28b52ffd605e00b5020054024557527c323031332d30312d30317c300a3132333435363738393131"
            + "31313131313131390a1300369ba566f3d16c66339b4566f3c56c66309be56533b88c770061001180"
            + "1c40184004200710061001c84ddd5c02")

    /// `zstd_encode(text)`
    static let zstdText = bytes(
        "28b52ffda0701101009d00005853747265616d4a6f62732001006211ce8b17")

    /// `zstd_encode(events[:100]) + zstd_encode(events[100:])`
    static let zstdFrames = bytes(
        "28b52ffd20641d0100a84557527c323031332d30312d30317c300a3132333405000011801c401840"
            + "44eae61228b52ffd20fa1502002402350a4557527c323031332d30312d30317c3637383931303131"
            + "32333435363738390a0d006016301f98199805cc0766066651336304230810061001c845c80c03")

    /// A streamed frame without content size, window_log=30.
    static let zstdWindow = bytes(
        "28b52ffd00a0b5020054024557527c323031332d30312d30317c300a313233343536373839313131"
            + "313131313131390a1300369ba566f3d16c66339b4566f3c56c66309be56533b88c7700610011801c"
            + "40184004200710061001c84ddd5c02")

    /// `lz4.frame.compress(text, block_linked=True)`, which Kafka refuses.
    static let lz4Linked = bytes(
        "04224d18484070110100000000007715010000bf53747265616d4a6f6273200b00ffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            + "ffffffffffffffffffdd50616d4a6f621b0000000ff7ffffffffffffffffffffffffffffffffffff"
            + "69507265616d4a00000000")
}
