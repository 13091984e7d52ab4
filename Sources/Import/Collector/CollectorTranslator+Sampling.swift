internal import Pipeline
import Sampling

extension CollectorTranslator {
    /// The sampler of a pipeline: `tail_sampling`, or `probabilistic_sampler`s, or both.
    mutating func samplerStage(
        _ components: [Component], _ from: [String], _ plan: ProcessorPlan, _ pipeline: CollectorConfiguration.Pipeline
    ) -> PipelineDraft.Stage? {
        let main = components[0]
        var comments = [origin(main)]
        var options: [DraftEntry] = []
        var policies: [DraftElement] = []
        for gate in components.dropFirst() {
            policies.append(gatePolicy(gate))
            comments.append("\(origin(gate)) is the first policy: what it would not let through is dropped.")
        }
        if main.type == "tail_sampling" {
            options += windowOptions(main, plan, &comments)
            policies += tailPolicies(main)
        } else {
            policies.append(DraftElement(.map(probabilisticPolicy(main, &comments))))
            options += [DraftEntry("window", .map(windowEntries(max: "30s", plan, isCollectors: false)))]
                .filter { $0.value != .map([]) }
        }
        options.append(DraftEntry("policies", .list(policies)))
        let name = stageName(main.id, otherwise: pipeline.id)
        return PipelineDraft.Stage(name, kind: "tail_sampler", from: from, options: options, comments: comments)
    }

    // MARK: - probabilistic_sampler

    private mutating func gatePolicy(_ component: Component) -> DraftElement {
        var comments: [String] = []
        let inner = probabilisticPolicy(component, &comments)
        let name = PipelineImport.identifier(component.id, otherwise: "probabilistic")
        return DraftElement(
            .map([
                DraftEntry("name", .text("not-by-\(name)")), DraftEntry("type", .text("drop")),
                DraftEntry(
                    "drop",
                    .map([
                        DraftEntry(
                            "drop_sub_policy",
                            .list([
                                DraftElement(
                                    .map([
                                        DraftEntry("name", .text("not")), DraftEntry("type", .text("not")),
                                        DraftEntry("not", .map([DraftEntry("not_sub_policy", .map(inner))])),
                                    ]))
                            ]))
                    ])),
            ]), comments: comments)
    }

    private mutating func probabilisticPolicy(_ component: Component, _ comments: inout [String]) -> [DraftEntry] {
        let settings = component.settings
        var percentage = settings["sampling_percentage"].map(CollectorValue.draft) ?? .text("0")
        if settings["sampling_percentage"] == nil {
            note(.attention, component, "it has no sampling_percentage, which lets nothing through: 0 was put in")
        }
        if case .scalar(let text, _) = percentage, let number = Double(text), number > 100 { percentage = .text("100") }
        var block = [DraftEntry("sampling_percentage", percentage)]
        let seed = settings["hash_seed"]
        switch settings["mode"]?.scalar ?? "hash_seed" {
        case "proportional", "equalizing":
            block.append(DraftEntry("mode", .text(settings["mode"]?.scalar ?? "proportional")))
            note(
                .changed, component,
                "decides once for a whole trace, by the same bits of its id and tracestate; the ratio of a "
                    + "trace whose spans have different tracestates is that of the trace")
            comments.append("Decides once for a whole trace, by the same bits of the trace id and tracestate.")
        default:
            if let seed { block.append(DraftEntry("hash_salt", .scalar(seed.scalar ?? "0", isQuoted: true))) }
            note(
                .changed, component,
                "keeps the same share of traces, but not the same ones: the hash is another. Where several tiers must agree, "
                    + "use mode: proportional in all of them")
            comments.append(
                "The same share of traces as with the Collector's hash_seed, but not the same traces: the hash is another."
            )
        }
        comments.append(
            "Spans with sampling.priority are not treated apart. To honour it, add before this: "
                + "{ name: priority, type: numeric_attribute, numeric_attribute: { key: sampling.priority, min_value: 1 } }"
        )
        note(.changed, component, "sampling.priority on spans is not looked at; the comment has a policy that does")
        noteLeftovers(
            component, handled: ["sampling_percentage", "hash_seed", "mode"],
            unneeded: ["sampling_precision", "fail_closed", "attribute_source", "from_attribute", "sampling_priority"])
        let name = PipelineImport.identifier(component.id, otherwise: "probabilistic")
        return [
            DraftEntry("name", .text(name)), DraftEntry("type", .text("probabilistic")),
            DraftEntry("probabilistic", .map(block)),
        ]
    }

    // MARK: - Options of tail_sampling

    private static let unneededOptions: [String: String] = [
        "num_traces": "memory is bounded by window.max_bytes, and no trace is evicted undecided",
        "expected_new_traces_per_sec": "nothing is sized in advance",
        "block_on_overflow": "a full window always slows its source, and loses nothing",
        "num_shards": "each partition has a task of its own",
        "decision_cache": "decisions are always remembered, for decision_horizon (1h)",
        "drop_pending_traces_on_shutdown":
            "undecided traces are neither dropped nor decided early at shutdown: they are read again after the restart",
        "sampling_strategy": "",
        "policies": "", "decision_wait": "", "decision_wait_after_root_received": "", "sample_on_first_match": "",
        "maximum_trace_size_bytes": "", "tail_storage": "",
    ]

    private mutating func windowOptions(
        _ component: Component, _ plan: ProcessorPlan, _ comments: inout [String]
    ) -> [DraftEntry] {
        let settings = component.settings
        for entry in settings.entries {
            guard let reason = Self.unneededOptions[entry.key] else {
                note(
                    .attention, "\(component.subject)::\(entry.key)",
                    "is no option that is known here; it was left out",
                    at: entry.keyLocation)
                continue
            }
            if !reason.isEmpty {
                note(
                    entry.key == "drop_pending_traces_on_shutdown" && CollectorValue.boolean(entry.value) == true
                        ? .changed : .info, "\(component.subject)::\(entry.key)", "left out: \(reason)",
                    at: entry.keyLocation)
            }
        }
        noteStrategy(component, &comments)
        comments.append(
            "Times are those of the records (stream time), not of the clock: the same records give the same decisions, also "
                + "read late.")
        var entries: [DraftEntry] = []
        let wait = duration(settings["decision_wait"], component) ?? "30s"
        let settle = duration(settings["decision_wait_after_root_received"], component).flatMap {
            $0 == "0s" ? nil : $0
        }
        // Both forms close windows at the same times; only the own one has room for a memory bound.
        if plan.memoryLimit != nil, let milliseconds = Units.duration(wait), milliseconds >= 1000 {
            entries.append(
                DraftEntry(
                    "window",
                    .map(
                        windowEntries(max: wait, settle: settle, plan, isCollectors: true)
                            + (settings["tail_storage"] == nil ? [] : [DraftEntry("buffer", .text("disk"))])),
                    comments: ["decision_wait is max; settle and idle as long as max never count, as in the Collector."]
                ))
            if let storage = settings["tail_storage"] { noteStorage(component, storage) }
        } else {
            entries.append(
                DraftEntry(
                    "decision_wait", .text(wait),
                    remark: settings["decision_wait"] == nil ? "the Collector's default" : nil))
            if let settle { entries.append(DraftEntry("decision_wait_after_root_received", .text(settle))) }
            if let storage = settings["tail_storage"] {
                entries.append(
                    DraftEntry("tail_storage", DraftValue(storage), remark: "undecided spans are held on disk"))
                noteStorage(component, storage)
            }
        }
        for key in ["sample_on_first_match", "maximum_trace_size_bytes"] {
            if let value = settings[key] { entries.append(DraftEntry(key, CollectorValue.draft(value))) }
        }
        return entries
    }

    private mutating func noteStorage(_ component: Component, _ storage: ConfigValue) {
        note(
            .changed, "\(component.subject)::tail_storage",
            "undecided spans are held on disk by Tailrace itself (window.buffer: disk); the extension "
                + "\(storage.scalar ?? "") is not needed", at: storage.location)
    }

    private mutating func noteStrategy(_ component: Component, _ comments: inout [String]) {
        guard let strategy = component.settings["sampling_strategy"], strategy.scalar == "span-ingest" else { return }
        note(
            .changed, "\(component.subject)::sampling_strategy",
            "span-ingest decides on each batch of spans alone. Here a trace is decided when its window closes, on all its "
                + "spans: policies that look for one span keep the same traces; latency, span_count, and, not and "
                + "invert_match judge the whole trace. For earlier decisions shorten decision_wait_after_root_received",
            at: strategy.location)
        comments.append(
            "sampling_strategy was span-ingest. Here a trace is decided when its window closes, on all its spans.")
    }

    private func windowEntries(
        max: String, settle: String? = nil, _ plan: ProcessorPlan, isCollectors: Bool
    ) -> [DraftEntry] {
        var entries: [DraftEntry] = []
        if isCollectors {
            entries = [
                DraftEntry("max", .text(max)), DraftEntry("settle", .text(settle ?? max)),
                DraftEntry("idle", .text(max)),
            ]
        }
        if let limit = plan.memoryLimit { entries.append(DraftEntry("max_bytes", .text(limit))) }
        return entries
    }

    /// A duration for the window; what cannot be one is noted.
    private mutating func duration(_ value: ConfigValue?, _ component: Component) -> String? {
        guard let value, value.content != .null else { return nil }
        switch CollectorValue.duration(value) {
        case .text(let text): return text
        case .nanoseconds(let text):
            note(
                .attention, component,
                "\(text) has no unit: the Collector reads nanoseconds, and decides with its next tick; 1s was put in. Write "
                    + "\(text)s if seconds are meant", at: value.location)
            return "1s"
        case .unreadable:
            note(
                .attention, component, "\(Wording.kind(of: value)) is no duration; it was left out", at: value.location)
            return nil
        }
    }

    // MARK: - Policies

    private mutating func tailPolicies(_ component: Component) -> [DraftElement] {
        var kept: [DraftElement] = []
        var refused: [String] = []
        for policy in component.settings["policies"]?.elements ?? [] {
            let plain = Self.plain(policy)
            let problems = Self.problems(with: plain)
            let comments = CollectorPolicyNotes.comments(policy)
            let name = policy["name"]?.scalar ?? "without a name"
            for comment in comments {
                note(.changed, "\(component.subject)::policies::\(name)", comment, at: policy.location)
            }
            if problems.isEmpty {
                kept.append(DraftElement(CollectorValue.draft(plain), comments: refused + comments))
                refused = []
            } else {
                note(
                    .attention, "\(component.subject)::policies::\(name)",
                    "is left out: \(problems.joined(separator: "; "))", at: policy.location)
                refused += ["Left out: \(problems.joined(separator: "; "))"] + Self.asComment(plain)
            }
        }
        if kept.isEmpty {
            note(
                .attention, component,
                "no policy could be carried over: a policy that keeps everything stands in, so that nothing is lost")
            kept.append(
                DraftElement(
                    .map([DraftEntry("name", .text("everything")), DraftEntry("type", .text("always_sample"))]),
                    comments: refused + ["Stands in, so that nothing is lost."]))
        } else if !refused.isEmpty {
            kept[kept.count - 1].comments += refused
        }
        return kept
    }

    /// A policy without what the Collector ignores: keys without a value.
    private static func plain(_ policy: ConfigValue) -> ConfigValue {
        var result = policy
        if let type = policy["type"]?.scalar, type == "always_sample" || type == "trace_flags" {
            result.content = .map(policy.entries.filter { $0.key != type })
        }
        return result
    }

    /// What the sampler says of a policy that stands alone; nothing where that depends on variables.
    private static func problems(with policy: ConfigValue) -> [String] {
        let normal = YAMLLoader.load(
            text: PipelineDraft(
                name: "x",
                stages: [
                    PipelineDraft.Stage(
                        "x", kind: "tail_sampler",
                        options: [DraftEntry("policies", .list([DraftElement(CollectorValue.draft(policy))]))])
                ]
            ).text, file: "policy", environment: CollectorValue.stand(for: policy))
        guard let settings = normal.value?["stages"]?["x"] else { return normal.diagnostics.sorted.map(\.message) }
        let definition = TailSamplerStage.definition
        var diagnostics = normal.diagnostics
        definition.check(
            StageSettings(name: "x", value: settings, definition: definition.options), &diagnostics)
        let name = policy["name"]?.scalar ?? ""
        return diagnostics.sorted.filter { $0.severity == .error }.map { diagnostic in
            let prefix = "policy \(Wording.quoted(name)): "
            let message =
                diagnostic.message.hasPrefix(prefix)
                ? String(diagnostic.message.dropFirst(prefix.count)) : diagnostic.message
            return shortened(message)
        }
    }

    /// Without the list of everything that is known, which helps nobody in a comment.
    static func shortened(_ message: String) -> String {
        for mark in ["; known ", " Known types: "] {
            if let range = message.firstRange(of: mark) {
                let isType = message.hasPrefix("unknown type ")
                return String(message[..<range.lowerBound])
                    + (isType
                        ? "; policies of extensions are not loaded here: write it as traceql or ottl_condition" : "")
            }
        }
        return message
    }

    private static func asComment(_ policy: ConfigValue) -> [String] {
        PipelineDraft.lines(DraftElement(CollectorValue.draft(policy))).map { "  " + $0 }
    }
}
