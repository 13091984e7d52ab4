import Pipeline

/// Stage kinds like the built-in ones, which can be planned but not run.
enum TestRegistry {
    static let registry: StageRegistry = {
        var registry = StageRegistry()
        for definition in definitions { registry.register(definition) }
        return registry
    }()

    private static let rejected = OutputPort("rejected", .rejects, isSide: true, summary: "records that are no spans")

    private static let definitions = [
        StageDefinition(
            kind: "kafka", role: .source, summary: "reads a topic", inputs: [],
            outputs: [OutputPort("spans", .spans, summary: "all spans"), rejected],
            options: [
                StageOption("topic", .string, required: true, summary: "the topic to read"),
                StageOption("group", .string, summary: "the consumer group"),
                StageOption("brokers", .list(.string), summary: "first brokers to ask"),
                StageOption(
                    "encoding", .enumeration(["otlp_proto", "otlp_json"]), default: "otlp_proto",
                    summary: "how records are encoded"),
            ],
            make: .source { _, _ in throw StageError("not here") }),
        StageDefinition(
            kind: "validate", role: .filter, summary: "rejects spans over limits", inputs: [.spans],
            outputs: [OutputPort("valid", .spans, summary: "spans within the limits"), rejected],
            options: [
                StageOption("max_attributes", .integer(1...1000), default: "128", summary: "attributes per span"),
                StageOption("max_key_length", .integer(1...(.max)), summary: "bytes of a key"),
                StageOption("max_value_length", .integer((.min)...4096), summary: "bytes of a value"),
                StageOption("strict", .boolean, summary: "whether warnings reject"),
                StageOption("ratio", .number(0...1), summary: "share that is checked"),
            ],
            make: .filter { _, _ in throw StageError("not here") }),
        StageDefinition(
            kind: "filter", role: .filter, summary: "sorts spans by a query", inputs: [.spans],
            outputs: [
                OutputPort("matched", .spans, summary: "spans that match"),
                OutputPort("unmatched", .spans, isSide: true, summary: "the others"),
            ],
            options: [StageOption("where", .string, required: true, summary: "a TraceQL span filter")],
            make: .filter { _, _ in throw StageError("not here") }),
        StageDefinition(
            kind: "scrub", role: .scrubber, summary: "removes sensitive data", inputs: [.spans],
            outputs: [OutputPort("scrubbed", .spans, summary: "scrubbed spans")],
            options: [StageOption("rules", .string, summary: "file of rules")],
            make: .scrubber { _, _ in throw StageError("not here") }),
        StageDefinition(
            kind: "tail_sampler", role: .sampler, summary: "decides traces", inputs: [.spans],
            outputs: [
                OutputPort("kept", .traces, summary: "kept traces"),
                OutputPort("dropped", .summaries, isSide: true, summary: "one summary per dropped trace"),
            ],
            options: [
                StageOption(
                    "window",
                    .object([
                        StageOption("max", .duration, default: "30s", summary: "the hard cap"),
                        StageOption("settle", .duration, default: "10s", summary: "wait after the root"),
                        StageOption("idle", .duration, summary: "wait after the last span"),
                        StageOption(
                            "buffer", .enumeration(["memory", "disk"]), default: "memory", summary: "where spans wait"),
                        StageOption("max_bytes", .size, default: "1GiB", summary: "limit of the window"),
                    ]), summary: "how long traces wait"),
                StageOption(
                    "limits",
                    .list(
                        .object([
                            StageOption("service", .string, required: true, summary: "whom it limits"),
                            StageOption("bytes", .size, summary: "bytes per trace"),
                        ])), summary: "limits by service"),
                StageOption("labels", .map(.integer(0...9)), summary: "digits by name"),
                StageOption("policies", .any, summary: "the policies, in order"),
            ],
            check: { settings, diagnostics in
                for policy in settings.value["policies"]?.elements ?? [] where policy["type"] == nil {
                    diagnostics.error(
                        "stage \"\(settings.name)\": policies: missing key \"type\"", at: policy.location)
                }
            },
            make: .sampler { _, _ in throw StageError("not here") }),
        StageDefinition(
            kind: "indexer", role: .indexer, summary: "finds searchable attributes", inputs: [.traces],
            outputs: [OutputPort("indexed", .traces, summary: "annotated traces")],
            options: [StageOption("attributes", .string, summary: "file of attributes")],
            make: .trace { _, _ in throw StageError("not here") }),
        StageDefinition(
            kind: "segments", role: .sink, summary: "stores traces", inputs: [.traces], outputs: [],
            options: [StageOption("path", .string, required: true, summary: "the directory of the store")],
            make: .sink { _, _ in throw StageError("not here") }),
        StageDefinition(
            kind: "kafka_sink", role: .sink, summary: "writes a topic", inputs: [.spans, .traces, .rejects],
            outputs: [],
            options: [StageOption("topic", .string, required: true, summary: "the topic to write")],
            make: .sink { _, _ in throw StageError("not here") }),
        StageDefinition(
            kind: "discard", role: .sink, summary: "counts and forgets", inputs: PortType.allCases, outputs: [],
            options: [], make: .sink { _, _ in throw StageError("not here") }),
    ]
}

/// Loads with the test kinds.
func load(
    _ text: String, environment: [String: String] = [:]
) -> (plan: PipelinePlan?, diagnostics: Diagnostics) {
    PipelinePlan.load(text: text, file: "p.yaml", registry: TestRegistry.registry, environment: environment)
}

/// Everything a user sees, one line each.
func messages(_ text: String, environment: [String: String] = [:]) -> [String] {
    load(text, environment: environment).diagnostics.sorted.map(\.description)
}

/// DESIGN.md, section 6, word for word.
let designExample = """
    pipeline: checkout
    stages:
      spans:    { kind: kafka, topic: otlp_spans, group: tailrace, encoding: otlp_proto }
      limits:   { kind: validate, from: spans, max_attributes: 100, max_key_length: 256, max_value_length: 4096 }
      scrub:    { kind: scrub, from: limits, rules: config/scrub.yaml }
      sample:
        kind: tail_sampler
        from: scrub
        window: { max: 30s, settle: 10s, idle: 15s, buffer: memory, max_bytes: 2GiB }
        policies:
          - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
          - { name: slow-checkout, type: traceql, query: '{ resource.service.name = "checkout" && duration > 800ms }' }
          - { name: rest, type: budget, rate: 2000 spans/s, key: [resource.service.name, name] }
      index:    { kind: indexer, from: sample, attributes: config/searchable.yaml }
      store:    { kind: segments, from: index, path: ./data }
      rejects:  { kind: kafka_sink, from: [spans.rejected, limits.rejected], topic: otlp_spans.dead }

    """
