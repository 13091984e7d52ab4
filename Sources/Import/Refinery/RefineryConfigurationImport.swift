internal import Pipeline

/// Reads Refinery's main configuration file: its times and sizes become those of a sampler, and for everything else it says what
/// to do instead. The rules are in another file.
enum RefineryConfigurationImport {
    /// Sections that only this file has.
    static let sections: Set<String> = [
        "General", "Network", "AccessKeys", "RefineryTelemetry", "Traces", "Debugging", "HoneycombLogger",
        "StdoutLogger",
        "PrometheusMetrics", "LegacyMetrics", "OTelMetrics", "OTelTracing", "PeerManagement", "RedisPeerManagement",
        "Collection", "BufferSizes", "Specialized", "IDFields", "GRPCServerParameters", "SampleCache", "StressRelief",
        "Logger",
    ]

    /// The part of a file that has the configuration.
    static func configuration(in root: ConfigValue) -> ConfigValue? {
        if root["General"]?["ConfigurationVersion"] != nil { return root }
        if root.entries.filter({ sections.contains($0.key) }).count >= 2 { return root }
        return root["config"].flatMap(configuration)
    }

    /// What to do about sections that have no counterpart.
    private static let advice: [String: String] = [
        "General": "versions of the file; nothing to do",
        "Network":
            "spans come from Kafka: let a Collector listen where Refinery did and write the topic; the page and the API "
            + "listen where `tailrace run --listen` says",
        "GRPCServerParameters": "spans come from Kafka: a Collector listens for them",
        "AccessKeys": "keys are checked where spans are received: in the Collector that writes the topic",
        "RefineryTelemetry":
            "kept spans have ot=th, and roots tailrace.policy (annotate: true); the rule is in the decision's reason: "
            + "`tailrace explain`, `tailrace decide`",
        "Debugging":
            "try rules on recorded spans first: `tailrace decide` shows what they do",
        "Logger": "logs go to stderr", "HoneycombLogger": "logs go to stderr", "StdoutLogger": "logs go to stderr",
        "PrometheusMetrics": "metrics are at /metrics of the listening address: docs/metrics.md",
        "LegacyMetrics": "metrics are at /metrics of the listening address, for Prometheus",
        "OTelMetrics":
            "metrics are at /metrics of the listening address; a Collector's prometheus receiver sends them on",
        "OTelTracing": "there is no tracing of the worker itself",
        "PeerManagement": "workers share the partitions of a Kafka consumer group; they need no peers and no Redis",
        "RedisPeerManagement":
            "workers share the partitions of a Kafka consumer group; they need no peers and no Redis",
        "BufferSizes": "there are no such buffers: when memory is used up, spans spill to disk and Kafka waits",
        "StressRelief":
            "under load spans spill to disk and Kafka waits; nothing is dropped. `type: budget` bounds what is kept",
        "Specialized": "compression and additional attributes are the business of what writes the topic",
        "IDFields": "spans are OTLP: ids have fields of their own",
    ]

    static func read(
        _ document: YAMLDocument, options: ImportOptions
    ) -> (pipeline: ImportedPipeline?, diagnostics: Diagnostics) {
        guard let root = document.value, let configuration = configuration(in: root) else {
            var diagnostics = document.diagnostics
            diagnostics.error("no configuration of Refinery", at: document.start)
            return (nil, diagnostics)
        }
        var notes: [ImportNote] = []
        func note(_ kind: ImportNote.Kind, _ subject: String, _ message: String, _ location: SourceLocation) {
            notes.append(ImportNote(kind, subject, message, at: location))
        }
        note(
            .attention, "Samplers",
            "the rules are in Refinery's other file: import it (`tailrace import rules.yaml`) and "
                + "put its policies in the place of the one that keeps everything", configuration.location)
        var window = RefineryPipeline.Window()
        window.max = duration(configuration["Traces"]?["TraceTimeout"]) ?? window.max
        window.settle = duration(configuration["Traces"]?["SendDelay"]) ?? window.settle
        if let limit = configuration["Traces"]?["SpanLimit"]?.scalar.flatMap({ Int64($0.filter { $0 != "_" }) }),
            limit > 0
        {
            window.maximumSpans = String(limit)
        }
        let collection = configuration["Collection"]
        window.maximumBytes = memory(collection, note: note)
        for (section, keys) in [
            ("Traces", ["TraceTimeout", "SendDelay", "SpanLimit"]),
            ("Collection", ["AvailableMemory", "MaxMemoryPercentage", "MaxMemory", "MaxAlloc"]),
        ] {
            let others = configuration[section]?.entries.filter { !keys.contains($0.key) } ?? []
            if !others.isEmpty, let place = configuration[section]?.location {
                note(
                    .info, section,
                    others.map(\.key).joined(separator: ", ")
                        + ": not needed; windows are bounded by time and memory, what is decided is written at once",
                    place)
            }
        }
        if let cache = configuration["SampleCache"] {
            note(
                .changed, "SampleCache",
                "decisions are remembered for a time (decision_horizon, 1h), not for a number of "
                    + "traces", cache.location)
        }
        if configuration["Debugging"]?["DryRun"]?.scalar.flatMap(Units.boolean) ?? false {
            note(
                .attention, "Debugging.DryRun",
                "is on in Refinery: here the rules decide. Try them first: `tailrace decide "
                    + "FILE --input RECORDING`",
                configuration["Debugging"]?["DryRun"]?.location ?? configuration.location)
        }
        for entry in configuration.entries where !["Traces", "Collection", "SampleCache"].contains(entry.key) {
            let message = advice[entry.key] ?? "not known to Refinery either; not carried over"
            note(advice[entry.key] == nil ? .attention : .info, entry.key, message, entry.keyLocation)
        }
        let draft = PipelineDraft(
            name: options.name ?? PipelineImport.name(forFile: document.file),
            header: [
                "Imported from Refinery's configuration \(document.file): when traces are decided, and how much memory they may "
                    + "take. Refinery's rules are in another file:", "  tailrace import rules.yaml",
                "Put its policies below.", "",
            ] + notes.filter { $0.kind == .info || $0.kind == .changed }.map { "\($0.subject): \($0.message)." },
            stages: RefineryPipeline.stages(
                options: options,
                policies: [
                    DraftElement(
                        .map([
                            DraftEntry("name", .text("put-the-imported-rules-here")),
                            DraftEntry("type", .text("always_sample")),
                        ]))
                ], window: window,
                samplerComments: [
                    "max is Refinery's TraceTimeout, settle its SendDelay, both with its defaults if not set."
                ]))
        return (ImportedPipeline(draft: draft, notes: notes), document.diagnostics)
    }

    /// Go's durations are ours, but for a leading zero time.
    private static func duration(_ value: ConfigValue?) -> String? {
        guard let text = value?.scalar, let milliseconds = Units.duration(text), milliseconds > 0 else { return nil }
        return text
    }

    /// Refinery's memory for spans: a size, or a share of what is available.
    private static func memory(
        _ collection: ConfigValue?, note: (ImportNote.Kind, String, String, SourceLocation) -> Void
    ) -> String? {
        // From a byte to an exabyte.
        let possible = 1.0...1e18
        func bytes(_ key: String) -> Double? {
            guard let text = collection?[key]?.scalar else { return nil }
            // Refinery also takes Kubernetes' forms without the B.
            let size = Double(text) ?? (Units.size(text) ?? Units.size(text + "B")).map { Double($0) }
            if let size, size == 0 || possible.contains(size) { return size > 0 ? size : nil }
            note(
                .attention, "Collection.\(key)", "\(Wording.quoted(text)) is no amount of memory",
                collection?[key]?.location ?? SourceLocation(file: "", line: 1, column: 1))
            return nil
        }
        let fixed = bytes("MaxAlloc") ?? bytes("MaxMemory")
        let share =
            collection?["MaxMemoryPercentage"]?.scalar.flatMap { Double($0) }.flatMap {
                (0.001...100).contains($0) ? $0 : nil
            } ?? 75
        guard let total = fixed ?? bytes("AvailableMemory").map({ $0 * share / 100 }) else { return nil }
        note(
            .changed, "Collection",
            "the windows' memory (max_bytes) is what Refinery gives its trace cache; beyond it spans spill "
                + "to disk", collection?.location ?? SourceLocation(file: "", line: 1, column: 1))
        return "\(max(64, Int64(total / 1_048_576)))MiB"
    }
}
