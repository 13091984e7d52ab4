internal import Pipeline

/// Reads Refinery's rules files (RulesVersion 2), alone or in the values of its Helm chart.
enum RefineryRulesImport {
    static let defaultTarget = "__default__"

    /// The part of a file that has the rules.
    static func rules(in root: ConfigValue) -> ConfigValue? {
        if root["Samplers"] != nil || root["RulesVersion"] != nil { return root }
        // Values of the Helm chart.
        for key in ["rules", "refinery"] {
            if let inner = root[key], let rules = rules(in: inner) { return rules }
        }
        return nil
    }

    static func read(
        _ document: YAMLDocument, options: ImportOptions
    ) -> (pipeline: ImportedPipeline?, diagnostics: Diagnostics) {
        var diagnostics = document.diagnostics
        guard let root = document.value, let rules = rules(in: root) else {
            diagnostics.error("no rules of Refinery: RulesVersion and Samplers are missing", at: document.start)
            return (nil, diagnostics)
        }
        if let version = rules["RulesVersion"], version.scalar != "2" {
            diagnostics.error(
                "RulesVersion \(Wording.kind(of: version)) is not known; this reads version 2. Refinery's own "
                    + "`convert` makes it of older files", at: version.location)
        }
        guard let samplers = rules["Samplers"], case .map(let entries) = samplers.content, !entries.isEmpty else {
            diagnostics.error("Samplers is missing or empty", at: rules["Samplers"]?.location ?? rules.location)
            return (nil, diagnostics)
        }
        if diagnostics.hasErrors { return (nil, diagnostics) }
        var translator = RefineryTranslator(options: options)
        if rules["RulesVersion"] == nil {
            translator.note(.info, "RulesVersion", "missing; read as version 2", at: rules.location)
        }
        for entry in rules.entries where !["RulesVersion", "Samplers", "ConfigVersion"].contains(entry.key) {
            translator.note(.attention, entry.key, "unknown key, not carried over", at: entry.keyLocation)
        }
        guard let policy = translator.policy(samplers) else {
            diagnostics.error("no sampler that could be carried over", at: samplers.location)
            return (nil, diagnostics)
        }
        let name = options.name ?? PipelineImport.name(forFile: document.file)
        let draft = PipelineDraft(
            name: name,
            header: [
                "Imported from Refinery's rules \(document.file).", "",
                "docs/coming-from-refinery.md says what Refinery's fields and samplers mean here. Check with",
                "  tailrace validate FILE        what it would do with recorded spans: tailrace decide FILE --input RECORDING",
            ] + translator.header,
            stages: RefineryPipeline.stages(
                options: options, policies: [policy], window: RefineryPipeline.Window(),
                samplerComments: [
                    "Refinery's default times: a trace is decided 2 s after its root span (SendDelay), or 60 s after its "
                        + "first span (TraceTimeout). Yours are in Refinery's other file; tailrace import reads it too."
                ]))
        return (ImportedPipeline(draft: draft, notes: translator.notes), diagnostics)
    }
}

/// The stages around the sampler.
enum RefineryPipeline {
    /// When traces are decided, as texts of a pipeline file.
    struct Window {
        var max = "60s"
        var settle = "2s"
        var maximumBytes: String?
        var maximumSpans: String?
        var horizon: String?
    }

    static func stages(
        options: ImportOptions, policies: [DraftElement], window: Window, samplerComments: [String]
    ) -> [PipelineDraft.Stage] {
        var times = [
            DraftEntry("max", .text(window.max)), DraftEntry("settle", .text(window.settle)),
            // Refinery knows no time of silence.
            DraftEntry("idle", .text(window.max)),
        ]
        if let bytes = window.maximumBytes { times.append(DraftEntry("max_bytes", .text(bytes))) }
        var sampler = [DraftEntry("window", .map(times))]
        if let spans = window.maximumSpans { sampler.append(DraftEntry("max_spans_per_trace", .text(spans))) }
        if let horizon = window.horizon { sampler.append(DraftEntry("decision_horizon", .text(horizon))) }
        sampler.append(DraftEntry("policies", .list(policies)))
        return [
            PipelineDraft.Stage(
                "spans", kind: "kafka",
                options: [
                    DraftEntry("brokers", .text(options.brokers)), DraftEntry("topic", .text(options.topic)),
                    DraftEntry("group", .text("tailrace")),
                ],
                comments: [
                    "Refinery is sent spans over the network; Tailrace reads them from a topic. A Collector writes it (kafka "
                        + "exporter, partition_traces_by_id: true), so that all spans of a trace are in one partition."
                ]),
            PipelineDraft.Stage(
                "sample", kind: "tail_sampler", from: ["spans"], options: sampler, comments: samplerComments),
            PipelineDraft.Stage(
                "store", kind: "segments", from: ["sample"],
                options: [DraftEntry("path", .text("${TAILRACE_STORE:-./data}"))],
                comments: [
                    "Refinery sends what it keeps to Honeycomb. Here it is stored and searched; to send it on as well, write it "
                        + "to a topic (kafka_sink) that a Collector with Honeycomb's exporter reads. Kept spans carry their "
                        + "probability as ot=th in the tracestate, from which Honeycomb takes the sample rate."
                ]),
        ]
    }
}
