public import Pipeline

/// Dead letters in a file of JSON lines, one per record: reason, where it came from, and the untouched bytes in base64.
///
/// The bytes are raw by nature (a record that cannot be read cannot be scrubbed), so the file has mode 0600.
public final class DeadLetterSink: Sink {
    private let path: String
    private let fileSystem: any FileSystem
    private let pipeline: String
    private var pending: [UInt8] = []
    private let length: FileLength

    /// - Parameters:
    ///   - path: appended to when it exists.
    public init(
        path: String, pipeline: String, fileSystem: any FileSystem = LocalFileSystem()
    ) {
        self.path = path
        self.pipeline = pipeline
        self.fileSystem = fileSystem
        length = FileLength((try? fileSystem.size(path)) ?? 0)
    }

    public func write(_ rejected: RejectedRecord) throws {
        pending += JSONLines.deadLetter(rejected, pipeline: pipeline)
    }

    public var bufferedBytes: Int { pending.count }

    public func seal() -> (any SinkFlush)? {
        guard !pending.isEmpty else { return nil }
        defer { pending = [] }
        return AppendFlush(
            bytes: pending, path: path, length: length, isPrivate: true, fileSystem: fileSystem)
    }
}
