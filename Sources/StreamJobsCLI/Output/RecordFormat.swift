// How a record is printed as text: kcat's formats, Kafka's properties, or value by value. All become pieces.

package import StreamJobsLog

/// A record as text.
package struct RecordFormat {
    private enum Piece {
        case text([UInt8])
        case topic, partition, offset, timestamp
        case key, keyCount, value, valueCount
        /// - Parameter none: What stands where there are none.
        case headers(binding: String, separator: String, none: String)
    }

    private var pieces: [Piece] = []
    private let nullText: [UInt8]

    package static let tokens =
        "%s value, %S its length, %k key, %K its length, %t topic, %p partition, %o offset, %T "
        + "timestamp, %h headers, %% a percent sign"
    package static let propertyNames =
        "print.key, print.value, print.headers, print.timestamp, print.partition, print.offset, "
        + "key.separator, headers.separator, line.separator, null.literal"

    // MARK: kcat

    /// Throws `usage` for a token or an escape that is none.
    package init(kcat format: String, nullText: String) throws {
        self.nullText = Array(nullText.utf8)
        var text: [UInt8] = []
        var rest = Array(format.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let piece = Self.piece(rest.popFirst()) else {
                    throw CommandError.usage(
                        "'\(format)' is no format: use \(Self.tokens)")
                }
                if !text.isEmpty { pieces.append(.text(text)) }
                text = []
                pieces.append(piece)
            case UInt8(ascii: "\\"): text.append(try Self.escaped(&rest, in: format))
            default: text.append(byte)
            }
        }
        if !text.isEmpty { pieces.append(.text(text)) }
    }

    private static func piece(_ letter: UInt8?) -> Piece? {
        switch letter {
        case UInt8(ascii: "s"): .value
        case UInt8(ascii: "S"): .valueCount
        case UInt8(ascii: "k"): .key
        case UInt8(ascii: "K"): .keyCount
        case UInt8(ascii: "t"): .topic
        case UInt8(ascii: "p"): .partition
        case UInt8(ascii: "o"): .offset
        case UInt8(ascii: "T"): .timestamp
        case UInt8(ascii: "h"): .headers(binding: "=", separator: ",", none: "")
        case UInt8(ascii: "%"): .text([UInt8(ascii: "%")])
        default: nil
        }
    }

    private static func escaped(_ rest: inout ArraySlice<UInt8>, in format: String) throws -> UInt8
    {
        switch rest.popFirst() {
        case UInt8(ascii: "n"): return UInt8(ascii: "\n")
        case UInt8(ascii: "r"): return UInt8(ascii: "\r")
        case UInt8(ascii: "t"): return UInt8(ascii: "\t")
        case UInt8(ascii: "\\"): return UInt8(ascii: "\\")
        case UInt8(ascii: "x"):
            if let byte = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
                rest.count >= 2
            {
                rest.removeFirst(2)
                return byte
            }
        default: break
        }
        throw CommandError.usage(
            "'\(format)' has an escape other than \\n, \\r, \\t, \\\\ and \\xNN")
    }

    // MARK: Kafka

    /// The properties of Kafka's console consumer, in the order in which it prints them. Throws `usage`.
    package init(properties: [(name: String, value: String)], nullText: String?) throws {
        var texts = [
            "key.separator": "\t", "line.separator": "\n", "headers.separator": ",",
            "null.literal": nullText ?? "null",
        ]
        var flags = [
            "print.timestamp": false, "print.partition": false, "print.offset": false,
            "print.headers": false, "print.key": false, "print.value": true,
        ]
        for (name, value) in properties {
            if texts[name] != nil {
                texts[name] = value.replacing("\\t", with: "\t").replacing("\\n", with: "\n")
            } else if flags[name] != nil, let flag = Bool(value) {
                flags[name] = flag
            } else {
                throw CommandError.usage(
                    "'\(name)=\(value)' is no property: use \(Self.propertyNames)")
            }
        }
        self.nullText = Array(texts["null.literal", default: ""].utf8)
        let fields: [(name: String, pieces: [Piece])] = [
            ("print.timestamp", [.text(Array("CreateTime:".utf8)), .timestamp]),
            ("print.partition", [.text(Array("Partition:".utf8)), .partition]),
            ("print.offset", [.text(Array("Offset:".utf8)), .offset]),
            (
                "print.headers",
                [
                    .headers(
                        binding: ":", separator: texts["headers.separator", default: ","],
                        none: "NO_HEADERS")
                ]
            ), ("print.key", [.key]), ("print.value", [.value]),
        ]
        for field in fields where flags[field.name] == true {
            if !pieces.isEmpty {
                pieces.append(.text(Array(texts["key.separator", default: "\t"].utf8)))
            }
            pieces += field.pieces
        }
        pieces.append(.text(Array(texts["line.separator", default: "\n"].utf8)))
    }

    // MARK: Lines that `produce` reads

    /// A line: headers and a tab, key and separator, value.
    /// - Parameter keySeparator: Nil: no key.
    package init(keySeparator: String?, withHeaders: Bool, nullText: String) {
        self.nullText = Array(nullText.utf8)
        if withHeaders {
            pieces += [
                .headers(binding: ":", separator: ",", none: ""), .text([UInt8(ascii: "\t")]),
            ]
        }
        if let keySeparator {
            pieces += [.key, .text(Array(keySeparator.replacing("\\t", with: "\t").utf8))]
        }
        pieces += [.value, .text([UInt8(ascii: "\n")])]
    }

    // MARK: Printing

    /// Appends the record's text. Throws `corrupted` where headers cannot be true.
    package func append(
        _ record: borrowing RecordView, in name: TopicPartition, to text: inout [UInt8]
    ) throws {
        for piece in pieces {
            switch piece {
            case .text(let bytes): text += bytes
            case .topic: text += name.topic.utf8
            case .partition: text += "\(name.partition)".utf8
            case .offset: text += "\(record.offset)".utf8
            case .timestamp: text += "\(record.timestamp)".utf8
            case .key:
                record.withKey { if let key = $0 { text += key } else { text += nullText } }
            case .value:
                record.withValue { if let value = $0 { text += value } else { text += nullText } }
            case .keyCount: text += "\(record.withKey { $0?.count ?? -1 })".utf8
            case .valueCount: text += "\(record.withValue { $0?.count ?? -1 })".utf8
            case .headers(let binding, let separator, let none):
                let headers = try record.headers()
                if headers.isEmpty { text += none.utf8 }
                for (index, header) in headers.enumerated() {
                    if index > 0 { text += separator.utf8 }
                    text += header.key.utf8
                    text += binding.utf8
                    text += header.value ?? nullText
                }
            }
        }
    }
}
