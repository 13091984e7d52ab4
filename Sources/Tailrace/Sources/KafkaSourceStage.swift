import Kafka
import Pipeline

/// Definition of the stage kind `kafka`.
enum KafkaSourceStage {
    static let definition = StageDefinition(
        kind: "kafka", role: .source, summary: "Reads records of spans from a Kafka topic in a consumer group.",
        inputs: [],
        outputs: [
            OutputPort("spans", .spans, summary: "spans of the records"),
            OutputPort("rejected", .rejects, isSide: true, summary: "records that cannot be decoded, unchanged"),
        ],
        options: [
            KafkaOptions.brokers,
            StageOption("topic", .string, required: true, summary: "the topic to read"),
            StageOption(
                "group", .string, default: "tailrace", summary: "the consumer group; workers of one pipeline share it"),
            StageOption(
                "encoding", .enumeration(RecordEncoding.allCases.map(\.rawValue)), default: "otlp_proto",
                summary: "how records are encoded"),
            StageOption(
                "keyed_by", .enumeration(["trace_id", "nothing", "repartition"]), default: "trace_id",
                summary: "what keeps the spans of a trace in one partition"),
            StageOption(
                "max_record_bytes", .size, default: "16MiB", summary: "a larger record goes to the dead letters"),
            StageOption(
                "start", .enumeration(["earliest", "latest"]), default: "earliest",
                summary: "where a group starts that has committed nothing"),
            StageOption(
                "on_data_loss", .enumeration(["stop", "continue"]), default: "stop",
                summary: "what to do when records that were not read yet are gone from the log"),
            StageOption(
                "assignment", .enumeration(["cooperative", "eager"]), default: "cooperative",
                summary: "how partitions move in a rebalance; all workers must agree"),
            StageOption(
                "instance_id", .string,
                summary: "static membership: a restart within the session timeout keeps its partitions"),
            StageOption(
                "session_timeout", .duration, default: "45s",
                summary: "after this silence a worker has lost its partitions"),
            StageOption(
                "fetch_queue_bytes", .size,
                summary: "bytes fetched ahead of the worker; 64MiB, or 256MiB with librdkafka before 2.2.0"),
            StageOption(
                "max_drift", .duration, default: "30s",
                summary: "with keyed_by: nothing: how far, in record time, a partition is read ahead of the slowest one"
            ),
            KafkaOptions.client,
        ],
        check: { settings, diagnostics in
            if let timeout = settings.duration("session_timeout"), timeout < 6000,
                let place = settings.value["session_timeout"]
            {
                diagnostics.error(
                    "session_timeout must be at least 6s, so that a last flush fits into it", at: place.location)
            }
        },
        expansion: { settings in settings.string("keyed_by") == "nothing" ? repartition(settings) : nil },
        make: .source { settings, environment in
            var configuration = KafkaConsumer.Configuration(
                client: KafkaOptions.client(settings), groupID: settings.string("group"))
            configuration.startAt = settings.string("start") == "latest" ? .latest : .earliest
            configuration.assignmentStrategy = settings.string("assignment") == "eager" ? .eager : .cooperativeSticky
            configuration.groupInstanceID = settings.string("instance_id")
            if let timeout = settings.duration("session_timeout") {
                configuration.sessionTimeoutMs = Int(timeout)
                configuration.heartbeatIntervalMs = min(3000, Int(timeout) / 3)
            }
            if let bytes = settings.size("fetch_queue_bytes") {
                configuration.queuedMaxKBytes = max(1024, Int(bytes >> 10))
            }
            let keyedBy = settings.string("keyed_by")
            return KafkaSource(
                topic: settings.string("topic") ?? "", configuration: configuration,
                clusterName: environment.clusterName, continuesAfterLoss: settings.string("on_data_loss") == "continue",
                maximumDrift: keyedBy == "nothing" ? settings.duration("max_drift") : nil,
                waitsForTopic: keyedBy == "repartition",
                partitionShare: environment.shared.object(PartitionShare.name) { PartitionShare() })
        })

    /// What a source of an unkeyed topic stands for: the topic as it is, a repartition, and the source of the internal topic
    /// in the place of the declared one.
    private static func repartition(_ settings: StageSettings) -> StageExpansion {
        let topic = settings.string("topic") ?? ""
        let internalTopic = topic + ".by-trace"
        let outer = settings.name + "-unkeyed"
        let sink = settings.name + "-by-trace"
        let location = settings.value.location
        func entry(_ key: String, _ text: String) -> ConfigEntry {
            ConfigEntry(
                key: key, keyLocation: location, value: ConfigValue(.scalar(text, isQuoted: true), at: location))
        }
        let declared = settings.value.entries.filter { $0.key != "kind" }
        let client = declared.filter { ["brokers", "options"].contains($0.key) }
        // An internal record is never much larger than the outer one it comes from; converted JSON may be.
        let largest = 2 * (settings.size("max_record_bytes") ?? 16 << 20)
        let shared = declared.filter {
            [
                "brokers", "options", "on_data_loss", "assignment", "instance_id", "session_timeout",
                "fetch_queue_bytes",
            ].contains($0.key)
        }
        let inner =
            [
                entry("topic", internalTopic), entry("group", (settings.string("group") ?? "tailrace") + ".by-trace"),
                entry("keyed_by", "repartition"), entry("max_record_bytes", "\(largest)B"),
            ] + shared
        return StageExpansion(
            stages: [
                StageExpansion.Stage(name: outer, kind: definition.kind, options: declared),
                StageExpansion.Stage(
                    name: sink, kind: RepartitionStage.definition.kind, from: outer,
                    options: [entry("topic", internalTopic)] + client),
                StageExpansion.Stage(name: settings.name, kind: definition.kind, options: inner),
            ], rejecting: [outer])
    }
}
