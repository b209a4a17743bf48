// `produce` without --csv: a line is a record, as with Kafka's console producer.

/// The lines of a file or of standard input as records.
package struct LineSource {
    private let source: any ByteSource
    private let keySeparator: [UInt8]?

    /// - Parameter keySeparator: What stands between key and value, `\t` for a tab; the whole line is the
    ///   value, and the key null, if nil.
    package init(_ source: any ByteSource, keySeparator: String?) {
        self.source = source
        self.keySeparator = keySeparator.map {
            Array($0.replacing("\\t", with: "\t").utf8)
        }
    }

    /// Sends all lines. What has come is on the disk before more is waited for.
    func send(to writer: TopicWriter) throws {
        var lines = LineReader(source)
        while true {
            if !lines.hasLine(), !source.isReady { try writer.flush() }
            guard let line = try lines.next() else { return }
            let (key, value) = try split(line, number: lines.count)
            try writer.send(value, key: key, timestamp: nil)
        }
    }

    /// Key and value: what is before the first separator and behind it. Throws `badInput` with the line's
    /// number, where there is none or where it is too large for a record.
    package func split(_ line: ArraySlice<UInt8>, number: Int) throws -> (
        key: [UInt8]?, value: [UInt8]
    ) {
        guard line.count <= Limits.recordBytesMax else {
            throw CommandError.badInput(
                "\(source.name) line \(number): a record of \(line.count) bytes is over the limit of "
                    + "\(Limits.recordBytesMax) bytes")
        }
        guard let keySeparator else { return (nil, Array(line)) }
        guard let separator = line.firstRange(of: keySeparator) else {
            throw CommandError.badInput(
                "\(source.name) line \(number): there is no key separator "
                    + "'\(String(decoding: keySeparator, as: UTF8.self))'")
        }
        return (Array(line[..<separator.lowerBound]), Array(line[separator.upperBound...]))
    }
}
