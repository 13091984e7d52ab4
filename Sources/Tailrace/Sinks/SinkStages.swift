import Kafka
import OTLP
import Pipeline
import Storage

/// Definition of the stage kind `segments`: the file-backed store of kept traces.
enum SegmentsStage {
    static let definition = StageDefinition(
        kind: "segments", role: .sink,
        summary: "Stores kept traces in immutable segment files with their index, and counts dropped ones.",
        inputs: [.traces, .summaries], outputs: [],
        options: [
            StageOption("path", .string, default: "./data", summary: "directory of the store; --store overrides it"),
            StageOption("flush_interval", .duration, default: "2s", summary: "a segment is written after this time"),
            StageOption("flush_bytes", .size, default: "64MiB", summary: "or when so much is waiting"),
            StageOption("compression_level", .integer(1...19), default: "3", summary: "zstd level"),
        ],
        make: .sink { settings, environment in
            SegmentSink(
                layout: StoreLayout(root: environment.storeDirectory), incarnation: environment.incarnation,
                thread: environment.worker, compressionLevel: Int32(settings.integer("compression_level") ?? 3),
                countsDropped: environment.inputTypes.contains(.summaries))
        })
}

/// Definition of the stage kind `discard`.
enum DiscardStage {
    static let definition = StageDefinition(
        kind: "discard", role: .sink, summary: "Takes everything and keeps nothing.",
        inputs: PortType.allCases, outputs: [], options: [], make: .sink { _, _ in DiscardSink() })
}

final class DiscardSink: Sink {
    func write(_ trace: KeptTrace) {}
    func write(_ spans: SpanPayload) {}
    func write(_ dropped: DroppedTrace) {}
    func write(_ rejected: RejectedRecord) {}
    var bufferedBytes: Int { 0 }
    func seal() -> (any SinkFlush)? { nil }
}

/// Definition of the stage kind `file_sink`: JSON lines.
enum FileSinkStage {
    static let definition = StageDefinition(
        kind: "file_sink", role: .sink,
        summary: "Appends to a file of JSON lines: OTLP requests of traces and spans, summaries, dead letters.",
        inputs: PortType.allCases, outputs: [],
        options: [
            StageOption(
                "path", .string, required: true,
                summary: "the file; each worker thread writes its own, with its number before the ending")
        ],
        make: .sink { settings, environment in
            FileSink(
                path: threadPath(settings.string("path") ?? "", environment.worker),
                pipeline: environment.pipelineName)
        })

    /// `spans.jsonl` for the first thread, `spans.1.jsonl` for the second.
    private static func threadPath(_ path: String, _ worker: Int) -> String {
        if worker == 0 { return path }
        let directoryEnd = path.lastIndex(of: "/") ?? path.startIndex
        guard let dot = path[directoryEnd...].lastIndex(of: "."), dot != directoryEnd else {
            return "\(path).\(worker)"
        }
        return "\(path[..<dot]).\(worker)\(path[dot...])"
    }
}

/// Definition of the stage kind `kafka_sink`.
enum KafkaSinkStage {
    static let definition = StageDefinition(
        kind: "kafka_sink", role: .sink,
        summary: "Writes to a Kafka topic, keyed by trace id; a flush waits until the brokers have acknowledged.",
        inputs: PortType.allCases, outputs: [],
        options: [
            KafkaOptions.brokers,
            StageOption("topic", .string, required: true, summary: "the topic to write"),
            StageOption(
                "compression", .enumeration(["none", "gzip", "snappy", "lz4", "zstd"]), default: "none",
                summary: "how batches are compressed"),
            StageOption(
                "max_message_bytes", .size, default: "16MiB", summary: "largest message; the broker has its own limit"),
            KafkaOptions.client,
        ],
        make: .sink { settings, environment in
            var configuration = KafkaProducer.Configuration(client: KafkaOptions.client(settings))
            configuration.compression = settings.string("compression") ?? "none"
            configuration.maxMessageBytes = Int(settings.size("max_message_bytes") ?? 16 << 20)
            return KafkaSink(
                producer: try KafkaProducer(configuration), topic: settings.string("topic") ?? "",
                pipeline: environment.pipelineName)
        })
}
