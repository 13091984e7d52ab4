import OTLP

/// A record, or one span of a record, that a pipeline could not use, as a dead-letter file or topic keeps it.
public struct DeadLetter: Sendable, Equatable {
    public var pipeline: String
    /// Hash of the configuration that refused it, eight hex digits; empty in old files.
    public var configVersion: String
    public var stage: String
    /// A stable snake_case word, for example `truncated`.
    public var code: String
    public var reason: String
    public var cluster: String
    public var topic: String
    public var partition: Int32
    public var offset: Int64
    /// Of the record, milliseconds since the Unix epoch.
    public var timestamp: Int64
    /// The record's key, untouched; empty where it had none.
    public var key: [UInt8]
    /// The untouched bytes, or (for one rejected span) an OTLP request of that span alone.
    public var payload: [UInt8]

    public init(
        pipeline: String = "", configVersion: String = "", stage: String = "", code: String = "", reason: String = "",
        cluster: String = "", topic: String = "", partition: Int32 = 0, offset: Int64 = 0, timestamp: Int64 = 0,
        key: [UInt8] = [], payload: [UInt8] = []
    ) {
        self.pipeline = pipeline
        self.configVersion = configVersion
        self.stage = stage
        self.code = code
        self.reason = reason
        self.cluster = cluster
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.payload = payload
    }

    /// `topic/partition/offset`: where it came from. Several rejected spans of one record share it.
    public var place: String { "\(topic)/\(partition)/\(offset)" }

    /// 16 hex digits that name this letter: a hash of where it came from and of its bytes. A letter that a crash made a
    /// worker write twice has the same one, in a file as in a topic.
    public var id: String {
        var bytes = Array("\(topic)\u{0}\(partition)\u{0}\(offset)\u{0}\(stage)\u{0}".utf8)
        bytes += payload
        let digits = String(Checksum.of(bytes), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension DeadLetter {
    /// Reads a line of a dead-letter file. Nil for one that is no dead letter; members that are not known are skipped.
    public init?(jsonLine: [UInt8]) {
        self.init()
        var isWhole = false
        do {
            try jsonLine.withUnsafeBufferPointer { buffer throws(OTLPJSONError) in
                guard let base = buffer.baseAddress else { return }
                var reader = JSONReader(base: base, count: buffer.count)
                isWhole = try read(&reader)
                try reader.finish()
            }
        } catch { return nil }
        if !isWhole { return nil }
    }

    private mutating func read(_ reader: inout JSONReader) throws(OTLPJSONError) -> Bool {
        var hasPlace = false
        var hasPayload = false
        try reader.beginObject()
        while try reader.nextKey() {
            if reader.keyIs("pipeline") {
                pipeline = try Self.text(&reader)
            } else if reader.keyIs("config_version") {
                configVersion = try Self.text(&reader)
            } else if reader.keyIs("stage") {
                stage = try Self.text(&reader)
            } else if reader.keyIs("code") {
                code = try Self.text(&reader)
            } else if reader.keyIs("reason") {
                reason = try Self.text(&reader)
            } else if reader.keyIs("cluster") {
                cluster = try Self.text(&reader)
            } else if reader.keyIs("topic") {
                topic = try Self.text(&reader)
            } else if reader.keyIs("partition") {
                partition = Int32(truncatingIfNeeded: try reader.int64())
            } else if reader.keyIs("offset") {
                offset = try reader.int64()
                hasPlace = true
            } else if reader.keyIs("timestamp_ms") {
                timestamp = try reader.int64()
            } else if reader.keyIs("key") {
                guard let bytes = try Self.base64(&reader) else { return false }
                key = bytes
            } else if reader.keyIs("payload") {
                guard let bytes = try Self.base64(&reader) else { return false }
                payload = bytes
                hasPayload = true
            } else {
                try reader.skipValue()
            }
        }
        return hasPlace && hasPayload
    }

    static func text(_ reader: inout JSONReader) throws(OTLPJSONError) -> String {
        var bytes: [UInt8] = []
        reader.append(try reader.string(), to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func base64(_ reader: inout JSONReader) throws(OTLPJSONError) -> [UInt8]? {
        var bytes: [UInt8] = []
        return Base64.decode(reader.rawBytes(try reader.string()), into: &bytes) ? bytes : nil
    }
}
