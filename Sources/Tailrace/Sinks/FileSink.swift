import OTLP
import Pipeline
import Storage

/// Appends JSON lines to a file. What was written counts once it is durable.
final class FileSink: Sink {
    private let path: String
    private let fileSystem = LocalFileSystem()
    private let length: FileLength
    private let pipeline: String
    private var lines: [UInt8] = []

    init(path: String, pipeline: String) {
        self.path = path
        self.pipeline = pipeline
        length = FileLength((try? fileSystem.size(path)) ?? 0)
    }

    func write(_ trace: KeptTrace) throws { try append(payload: trace.payload) }

    func write(_ spans: SpanPayload) throws { try append(payload: spans.payload) }

    func write(_ dropped: DroppedTrace) { lines += JSONLines.summary(dropped) }

    func write(_ rejected: RejectedRecord) {
        lines += JSONLines.deadLetter(rejected, pipeline: pipeline)
    }

    private func append(payload: [UInt8]) throws {
        lines += OTLPJSONEncoder.encode(try OTLPDecoder.decode(payload))
        lines.append(0x0a)
    }

    var bufferedBytes: Int { lines.count }

    func seal() -> (any SinkFlush)? {
        guard !lines.isEmpty else { return nil }
        defer { lines = [] }
        return AppendFlush(bytes: lines, path: path, length: length, isPrivate: true, fileSystem: fileSystem)
    }
}
