import Kafka
import Pipeline

/// Definition of the stage kind `repartition`: spans of a topic that is not keyed by trace id, into one that is.
enum RepartitionStage {
    static let definition = StageDefinition(
        kind: "repartition", role: .sink,
        summary: "Writes the spans of a topic to another one, one record per trace and batch, keyed by trace id.",
        inputs: [.spans], outputs: [],
        options: [
            KafkaOptions.brokers,
            StageOption("topic", .string, required: true, summary: "the internal topic; made where it is missing"),
            StageOption(
                "compression", .enumeration(["none", "gzip", "snappy", "lz4", "zstd"]), default: "lz4",
                summary: "how batches are compressed"),
            StageOption(
                "max_record_bytes", .size, default: "900KiB",
                summary: "spans of one trace and batch that are larger are divided into several records"),
            KafkaOptions.client,
        ],
        make: .sink { settings, _ in
            var configuration = KafkaProducer.Configuration(client: KafkaOptions.client(settings))
            configuration.compression = settings.string("compression") ?? "lz4"
            // A single span cannot be divided; the broker says what is too large for it.
            configuration.maxMessageBytes = 64 << 20
            return RepartitionSink(
                topic: InternalTopic(name: settings.string("topic") ?? "", configuration: configuration),
                maximumRecordBytes: Int(settings.size("max_record_bytes") ?? 900 << 10))
        })
}
