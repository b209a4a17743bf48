// What can be set for a topic, by Kafka's names. A setting that is not given has the default here, which
// is Kafka's but for retention: a topic keeps its records for ever unless told otherwise.

package import StreamJobsCompression

/// The settings of a topic. A value.
public struct TopicSettings: Hashable, Sendable {
    /// What becomes of old records.
    public struct CleanupPolicy: OptionSet, Hashable, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }
        /// Segments beyond the retention are removed.
        public static let delete = CleanupPolicy(rawValue: 1)
        /// Of each key the last record is kept.
        public static let compact = CleanupPolicy(rawValue: 2)
    }

    public enum TimestampType: String, Hashable, Sendable {
        case createTime = "CreateTime"
        case logAppendTime = "LogAppendTime"
    }

    /// How a topic's batches are stored.
    public enum Compression: String, Hashable, Sendable, CaseIterable {
        /// As their producer has made them.
        case producer
        case uncompressed, gzip, snappy, lz4, zstd

        /// What every batch is stored with; nil where that is left to its producer.
        package var codec: CompressionCodec? { CompressionCodec(name: rawValue) }
    }

    /// `retention.ms`: records older than that are removed; nil: never (-1).
    public var retention: Duration?
    /// `retention.bytes`: what a partition keeps; nil: everything (-1).
    public var retentionBytes: Int?
    /// `segment.bytes`
    public var segmentBytes = Limits.segmentBytes
    /// `segment.ms`: a segment that began so long ago, by its records' time, is ended; nil: only by size.
    public var segmentSpan: Duration?
    /// `cleanup.policy`
    public var cleanupPolicy: CleanupPolicy = .delete
    /// `max.message.bytes`: of a batch as it is stored. A producer counts a record's bytes before it
    /// compresses them.
    public var batchBytesMax = Limits.batchBytesMax
    /// `message.timestamp.type`
    public var timestampType = TimestampType.createTime
    /// `compression.type`: what comes with another codec is stored with this one, but for batches of which
    /// that would take them over `max.message.bytes`.
    public var compression = Compression.producer
    /// `min.compaction.lag.ms`: so long a record is not compacted.
    public var compactionLagMin = Duration.zero
    /// `max.compaction.lag.ms`: after so long it is, however little there is to gain; nil: never.
    public var compactionLagMax: Duration?
    /// `delete.retention.ms`: how long tombstones stay behind a compaction.
    public var deleteRetention = Duration.seconds(86_400)
    /// `min.cleanable.dirty.ratio`: the part of a partition that must be new before it is compacted.
    public var cleanableRatioMin = 0.5
    /// `index.interval.bytes`
    public var indexIntervalBytes = Limits.indexIntervalBytes

    public init() {}
}

extension TopicSettings {
    /// A setting as text: Kafka's name, its value, and whether it is the default.
    public struct Entry: Hashable, Sendable {
        public let name: String
        public let value: String
        public let isDefault: Bool
    }

    /// All settings, sorted by name.
    public var entries: [Entry] {
        let defaults = TopicSettings()
        return Setting.all.map { setting in
            let value = setting.read(self)
            return Entry(
                name: setting.name, value: value, isDefault: value == setting.read(defaults))
        }
    }

    /// Sets one by Kafka's name and text. Throws `invalidArgument`, naming the names that there are or the
    /// values that it takes.
    public mutating func set(_ name: String, to value: String) throws {
        let setting = try Self.setting(name)
        var changed = self
        guard setting.write(&changed, value) else {
            throw LogError(
                .invalidArgument, "'\(value)' is no value for \(name), which takes \(setting.takes)"
            )
        }
        self = changed
    }

    /// Sets one back to its default. Throws `invalidArgument`.
    public mutating func reset(_ name: String) throws {
        let setting = try Self.setting(name)
        precondition(setting.write(&self, setting.read(TopicSettings())), "a default is a value")
    }

    /// These as the catalogue gives them back: whole milliseconds. Throws `invalidArgument` for a value that
    /// `set` would not take: a catalogue with it could not be read.
    func asWritten() throws -> TopicSettings {
        var written = TopicSettings()
        for entry in entries { try written.set(entry.name, to: entry.value) }
        return written
    }

    private static func setting(_ name: String) throws -> Setting {
        if let setting = Setting.all.first(where: { $0.name == name }) { return setting }
        let names = Setting.all.map(\.name).joined(separator: ", ")
        throw LogError(.invalidArgument, "there is no setting '\(name)'; there are: \(names)")
    }

    /// How a setting is read and written as text.
    private struct Setting: Sendable {
        let name: String
        let takes: String
        let read: @Sendable (TopicSettings) -> String
        /// False for a text that is no value.
        let write: @Sendable (inout TopicSettings, String) -> Bool

        static let all: [Setting] = [
            Setting(
                name: "cleanup.policy", takes: "delete, compact or both with a comma",
                read: { settings in
                    let policy = settings.cleanupPolicy
                    return [
                        policy.contains(.compact) ? "compact" : nil,
                        policy.contains(.delete) ? "delete" : nil,
                    ]
                    .compactMap { $0 }.joined(separator: ",")
                },
                write: { settings, text in
                    var policy: CleanupPolicy = []
                    for word in text.split(separator: ",") {
                        switch word {
                        case "delete": policy.insert(.delete)
                        case "compact": policy.insert(.compact)
                        default: return false
                        }
                    }
                    settings.cleanupPolicy = policy
                    return !policy.isEmpty
                }),
            Setting(
                name: "compression.type",
                takes: "producer, uncompressed, gzip, snappy, lz4 or zstd",
                read: { $0.compression.rawValue },
                write: { settings, text in
                    guard let type = Compression(rawValue: text) else { return false }
                    settings.compression = type
                    return true
                }),
            .duration("delete.retention.ms", \.deleteRetention),
            .count("index.interval.bytes", \.indexIntervalBytes, 0...Int(Int32.max)),
            .optionalDuration("max.compaction.lag.ms", \.compactionLagMax),
            .count("max.message.bytes", \.batchBytesMax, 1...Limits.batchBytesMaxMax),
            Setting(
                name: "message.timestamp.type", takes: "CreateTime or LogAppendTime",
                read: { $0.timestampType.rawValue },
                write: { settings, text in
                    guard let type = TimestampType(rawValue: text) else { return false }
                    settings.timestampType = type
                    return true
                }),
            Setting(
                name: "min.cleanable.dirty.ratio", takes: "a number from 0 to 1",
                read: { String($0.cleanableRatioMin) },
                write: { settings, text in
                    guard let ratio = Double(text), (0...1).contains(ratio) else { return false }
                    settings.cleanableRatioMin = ratio
                    return true
                }),
            .duration("min.compaction.lag.ms", \.compactionLagMin),
            Setting(
                name: "retention.bytes", takes: "a number of bytes, or -1 for no limit",
                read: { $0.retentionBytes.map(String.init) ?? "-1" },
                write: { settings, text in
                    guard let count = Int(text), count >= -1 else { return false }
                    settings.retentionBytes = count == -1 ? nil : count
                    return true
                }),
            .optionalDuration("retention.ms", \.retention),
            .count(
                "segment.bytes", \.segmentBytes, Limits.segmentBytesMin...Limits.segmentBytesMax),
            .optionalDuration("segment.ms", \.segmentSpan),
        ]

        static func duration(
            _ name: String, _ path: any WritableKeyPath<TopicSettings, Duration> & Sendable
        ) -> Setting {
            Setting(
                name: name, takes: "a number of milliseconds",
                read: { String($0[keyPath: path].milliseconds) },
                write: { settings, text in
                    guard let count = Int64(text), count >= 0 else { return false }
                    settings[keyPath: path] = .milliseconds(count)
                    return true
                })
        }

        static func optionalDuration(
            _ name: String, _ path: any WritableKeyPath<TopicSettings, Duration?> & Sendable
        ) -> Setting {
            Setting(
                name: name, takes: "a number of milliseconds, or -1 for no limit",
                read: { $0[keyPath: path].map { String($0.milliseconds) } ?? "-1" },
                write: { settings, text in
                    guard let count = Int64(text), count >= -1 else { return false }
                    settings[keyPath: path] = count == -1 ? nil : .milliseconds(count)
                    return true
                })
        }

        static func count(
            _ name: String, _ path: any WritableKeyPath<TopicSettings, Int> & Sendable,
            _ range: ClosedRange<Int>
        ) -> Setting {
            Setting(
                name: name, takes: "a number from \(range.lowerBound) to \(range.upperBound)",
                read: { String($0[keyPath: path]) },
                write: { settings, text in
                    guard let count = Int(text), range.contains(count) else { return false }
                    settings[keyPath: path] = count
                    return true
                })
        }
    }
}

extension TopicSettings {
    /// Bytes of a batch that is gathered for the topic, at most; a record that is larger is refused alone.
    package var builderBytesMax: Int { max(BatchHeader.byteCount, batchBytesMax) }

    /// A record without key could be neither replaced nor deleted.
    package var requiresKeys: Bool { cleanupPolicy.contains(.compact) }
}
