import OTLP
public import Pipeline

/// Dead letters in a file of JSON lines, one per record: reason, where it came from, and the untouched bytes in base64.
///
/// The bytes are raw by nature (a record that cannot be read cannot be scrubbed), so the file has mode 0600.
public final class DeadLetterSink: Sink {
    private let path: String
    private let fileSystem: any FileSystem
    private let pipeline: String
    private var pending = JSONWriter()
    private let length: FileLength

    /// - Parameter path: appended to when it exists.
    public init(path: String, pipeline: String, fileSystem: any FileSystem = LocalFileSystem()) {
        self.path = path
        self.pipeline = pipeline
        self.fileSystem = fileSystem
        length = FileLength((try? fileSystem.size(path)) ?? 0)
    }

    public func write(_ rejected: RejectedRecord) throws {
        pending.beginObject()
        pending.key("pipeline")
        pending.string(pipeline)
        pending.key("stage")
        pending.string(rejected.stage)
        pending.key("code")
        pending.string(rejected.code)
        pending.key("reason")
        pending.string(rejected.reason)
        pending.key("topic")
        pending.string(rejected.partition.topic)
        pending.key("partition")
        pending.int(Int64(rejected.partition.partition))
        pending.key("offset")
        pending.int(rejected.offset)
        pending.key("timestamp_ms")
        pending.int(rejected.timestamp)
        pending.key("key")
        pending.base64(rejected.key)
        pending.key("payload")
        pending.base64(rejected.payload)
        pending.endObject()
        pending.endLine()
    }

    public var bufferedBytes: Int { pending.bytes.count }

    public func seal() -> (any SinkFlush)? {
        guard !pending.bytes.isEmpty else { return nil }
        defer { pending = JSONWriter() }
        return AppendFlush(
            bytes: pending.bytes, path: path, length: length, isPrivate: true, fileSystem: fileSystem)
    }
}
