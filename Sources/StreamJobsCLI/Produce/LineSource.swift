// `produce` without --csv: a line is a record, as with Kafka's console producer.

package import StreamJobsLog

/// How a line holds a record.
package struct LineFormat: Sendable {
    /// What stands between key and value; the whole line is the value, and the key null, if nil.
    package var keySeparator: [UInt8]?
    /// Headers stand first, as `name:value,name:value` and then this (parse.headers).
    package var headersDelimiter: [UInt8]?
    package var headersSeparator: [UInt8] = Array(",".utf8)
    package var headersKeySeparator: [UInt8] = Array(":".utf8)
    /// A key or value that is this is null (null.marker).
    package var nullMarker: [UInt8]?

    /// Of every record whose line has none.
    package var key: [UInt8]?

    package init() {}

    package static let propertyNames =
        "parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, "
        + "headers.key.separator, null.marker"

    /// `\t` is a tab.
    package static func bytes(_ text: String) -> [UInt8] {
        Array(text.replacing("\\t", with: "\t").utf8)
    }

    /// The properties of Kafka's console producer. Throws `usage`.
    package mutating func set(_ properties: [(name: String, value: String)]) throws {
        var parsesKey = false
        var parsesHeaders = false
        var keySeparator: [UInt8] = [UInt8(ascii: "\t")]
        var delimiter: [UInt8] = [UInt8(ascii: "\t")]
        for (name, value) in properties {
            let bytes = Self.bytes(value)
            switch (name, Bool(value)) {
            case ("parse.key", let flag?): parsesKey = flag
            case ("parse.headers", let flag?): parsesHeaders = flag
            case ("null.marker", _): nullMarker = Array(value.utf8)
            case ("key.separator", _) where !bytes.isEmpty: keySeparator = bytes
            case ("headers.delimiter", _) where !bytes.isEmpty: delimiter = bytes
            case ("headers.separator", _) where !bytes.isEmpty: headersSeparator = bytes
            case ("headers.key.separator", _) where !bytes.isEmpty: headersKeySeparator = bytes
            default:
                throw CommandError.usage(
                    "'\(name)=\(value)' is no property: use \(Self.propertyNames)")
            }
        }
        if parsesKey { self.keySeparator = keySeparator }
        if parsesHeaders { headersDelimiter = delimiter }
    }
}

/// A record in its parts.
package struct LineRecord {
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [Header] = []
}

/// The lines of a file or of standard input as records.
package struct LineSource {
    private let source: any ByteSource
    private let format: LineFormat

    package init(_ source: any ByteSource, _ format: LineFormat) {
        self.source = source
        self.format = format
    }

    /// Sends all lines. What has come is on the disk before more is waited for.
    func send(to writer: TopicWriter) throws {
        var lines = LineReader(source, lineBytesMax: writer.rowBytesMax)
        while true {
            if !lines.hasLine(), !source.isReady { try writer.flush() }
            guard let line = try lines.next() else { return }
            let record = try record(line, number: lines.count)
            try writer.send(
                record.value, key: record.key, timestamp: nil, headers: record.headers,
                from: place(lines.count))
        }
    }

    /// The line's record: the key is what is before the first separator, the value what is behind it. Throws
    /// `badInput` with the line's number where a separator is missing.
    package func record(_ line: ArraySlice<UInt8>, number: Int) throws -> LineRecord {
        var record = LineRecord(key: format.key)
        var rest = line
        if let delimiter = format.headersDelimiter {
            record.headers = try headers(
                try take(&rest, upTo: delimiter, "headers delimiter", number), number)
        }
        if let separator = format.keySeparator {
            record.key = orNull(try take(&rest, upTo: separator, "key separator", number))
        }
        record.value = orNull(rest)
        return record
    }

    private func orNull(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        if let marker = format.nullMarker, bytes.elementsEqual(marker) { return nil }
        return Array(bytes)
    }

    private func headers(_ text: ArraySlice<UInt8>, _ number: Int) throws -> [Header] {
        if text.isEmpty || text.elementsEqual("NO_HEADERS".utf8) { return [] }
        var headers: [Header] = []
        var rest: ArraySlice<UInt8>? = text
        while let part = rest {
            let end = part.firstRange(of: format.headersSeparator)
            var header = part[..<(end?.lowerBound ?? part.endIndex)]
            rest = end.map { part[$0.upperBound...] }
            let name = try take(
                &header, upTo: format.headersKeySeparator, "separator in a header", number)
            headers.append(Header(String(decoding: name, as: UTF8.self), orNull(header)))
        }
        return headers
    }

    /// What is before `separator`; `rest` is what is behind it.
    private func take(
        _ rest: inout ArraySlice<UInt8>, upTo separator: [UInt8], _ what: String, _ number: Int
    ) throws -> ArraySlice<UInt8> {
        guard let found = rest.firstRange(of: separator) else {
            throw refusal(
                number, "there is no \(what) '\(String(decoding: separator, as: UTF8.self))'")
        }
        defer { rest = rest[found.upperBound...] }
        return rest[..<found.lowerBound]
    }

    private func refusal(_ number: Int, _ message: String) -> CommandError {
        CommandError.badInput("\(place(number)): \(message)")
    }

    private func place(_ number: Int) -> String { "\(source.name) line \(number)" }
}
