internal import Pipeline

extension CollectorTranslator {
    /// What a pipeline reads.
    mutating func inputs(of pipeline: CollectorConfiguration.Pipeline) -> Flow {
        var flow = Flow()
        for component in components(pipeline.receivers, [.receivers, .connectors], of: pipeline) {
            if component.section == .connectors {
                let before = connectorFlows[component.id] ?? Flow()
                flow.spans += before.spans.filter { !flow.spans.contains($0) }
                flow.traces += before.traces.filter { !flow.traces.contains($0) }
                continue
            }
            for stage in source(component) where !flow.spans.contains(stage) { flow.spans.append(stage) }
        }
        if flow.isEmpty { flow.spans = [placeholderSource(pipeline)] }
        return flow
    }

    /// The stages that stand for a receiver.
    private mutating func source(_ component: Component) -> [String] {
        if let known = sourceStages[component.id] { return known }
        let made: [String]
        switch component.type {
        case "kafka": made = kafkaSources(component)
        default: made = [pushed(component)]
        }
        sourceStages[component.id] = made
        return made
    }

    // MARK: - Kafka

    private mutating func kafkaSources(_ component: Component) -> [String] {
        let settings = component.settings
        let traces = settings["traces"]
        var topics = CollectorValue.texts(traces?["topics"]) + CollectorValue.texts(traces?["topic"])
        if topics.isEmpty { topics = CollectorValue.texts(settings["topic"]) }
        if topics.isEmpty { topics = ["otlp_spans"] }
        var comments = [origin(component)]
        if topics.contains(where: { $0.hasPrefix("^") }) {
            let patterns = topics.filter { $0.hasPrefix("^") }
            note(
                .attention, component,
                "topics by pattern (\(patterns.joined(separator: ", "))) are not supported: write one kafka stage for each "
                    + "topic", at: traces?["topics"]?.location)
            topics = topics.map {
                $0.hasPrefix("^") ? String($0.dropFirst().prefix { !"[](){}*+?|\\$".contains($0) }) : $0
            }
            topics = topics.map { topic in
                var bare = Substring(topic)
                while let last = bare.last, ".-_".contains(last) { bare = bare.dropLast() }
                return bare.isEmpty ? "otlp_spans" : String(bare)
            }
            comments.append("Topics by pattern are not supported: put in the topics' names, one stage for each.")
        }
        var shared: [DraftEntry] = []
        let group = settings["group_id"].map(DraftValue.init) ?? .text("otel-collector")
        shared += encoding(component, traces?["encoding"] ?? settings["encoding"])
        let start = settings["initial_offset"]?.scalar ?? "latest"
        shared.append(
            DraftEntry(
                "start", .text(start),
                remark: settings["initial_offset"] == nil ? "the Collector's default; ours is earliest" : nil))
        shared += consumerSettings(component)
        let client = KafkaClientSettings(component)
        for problem in client.problems { note(.attention, component, problem) }
        if !client.entries.isEmpty { shared.append(DraftEntry("options", .map(client.entries))) }
        noteLeftovers(
            component,
            handled: KafkaClientSettings.keys.union([
                "traces", "topic", "topics", "encoding", "group_id", "initial_offset", "session_timeout",
                "group_instance_id", "group_rebalance_strategy", "group_rebalance_strategies", "brokers",
                "min_fetch_size", "max_fetch_size", "max_fetch_wait", "max_partition_fetch_size", "header_extraction",
                "rack_id",
            ]),
            unneeded: [
                "protocol_version", "resolve_canonical_bootstrap_servers_only", "autocommit", "message_marking",
                "metadata", "heartbeat_interval", "error_backoff", "logs", "metrics", "profiles", "telemetry",
                "use_leader_epoch", "conn_idle_timeout", "default_fetch_size", "partition_processing",
            ])
        if CollectorValue.boolean(settings["header_extraction"]?["extract_headers"]) == true {
            note(
                .attention, "\(component.subject)::header_extraction",
                "Kafka's headers do not become attributes here: set them in the Collector that writes the topic",
                at: settings["header_extraction"]?.location ?? component.location)
        }
        comments += [
            "All spans of a trace must be in one partition: write the topic with partition_traces_by_id: true (kafka "
                + "exporter of the Collector), or set keyed_by: nothing here.",
            "Offsets are committed when spans are stored or dropped by a decision, not when they were read. Stop the "
                + "Collector first: in one consumer group it would take partitions away.",
        ]
        note(
            .changed, component,
            "the topic must be keyed by trace id (or set keyed_by: nothing); offsets are committed when spans are done "
                + "with; stop the Collector first, or choose another group")
        return topics.enumerated().map { index, topic in
            let name = stageName(index == 0 ? component.id : "\(component.id)-\(topic)", otherwise: "source")
            var options: [DraftEntry] = []
            options += brokers(settings["brokers"])
            options.append(DraftEntry("topic", .text(topic)))
            options.append(DraftEntry("group", group))
            options += shared
            addSource(
                PipelineDraft.Stage(
                    name, kind: "kafka", options: options,
                    comments: index == 0 ? comments : ["\(origin(component)): the next of its topics"]))
            return name
        }
    }

    func brokers(_ value: ConfigValue?) -> [DraftEntry] {
        let brokers = CollectorValue.texts(value)
        return [DraftEntry("brokers", .text(brokers.isEmpty ? options.brokers : brokers.joined(separator: ",")))]
    }

    private mutating func encoding(_ component: Component, _ value: ConfigValue?) -> [DraftEntry] {
        guard let value, let encoding = value.scalar, encoding != "otlp_proto" else { return [] }
        if encoding == "otlp_json" || CollectorValue.hasReference(encoding) {
            return [DraftEntry("encoding", .text(encoding))]
        }
        note(
            .attention, component,
            "encoding \(encoding) is not read here: let a Collector write OTLP to the topic (encoding: otlp_proto)",
            at: value.location)
        return []
    }

    private mutating func consumerSettings(_ component: Component) -> [DraftEntry] {
        let settings = component.settings
        var entries: [DraftEntry] = []
        if let value = settings["session_timeout"], case .text(let text) = CollectorValue.duration(value) {
            if let milliseconds = Units.duration(text), milliseconds < 6000 {
                entries.append(
                    DraftEntry("session_timeout", .text("6s"), remark: "was \(text); a last flush must fit into it"))
                note(
                    .changed, component, "session_timeout is raised to 6s, the least that is allowed",
                    at: value.location)
            } else {
                entries.append(DraftEntry("session_timeout", .text(text)))
            }
        }
        if let value = settings["group_instance_id"], value.scalar?.isEmpty == false {
            entries.append(DraftEntry("instance_id", DraftValue(value)))
        }
        let strategies =
            CollectorValue.texts(settings["group_rebalance_strategies"])
            + CollectorValue.texts(settings["group_rebalance_strategy"])
        if let strategy = strategies.first, strategy != "cooperative-sticky" {
            entries.append(DraftEntry("assignment", .text("eager"), remark: "was \(strategy)"))
        }
        return entries
    }

    // MARK: - What is pushed

    /// Receivers that listen, or fetch from elsewhere: their spans come through Kafka.
    private mutating func pushed(_ component: Component) -> String {
        let isFurther = pushedSource != nil
        let stage = pushedSource ?? addPushedSource(component)
        let topic = pushedTopic
        let advice = CollectorAdvice.receivers[component.type]
        if isFurther {
            note(
                .attention, component,
                (advice.map { $0 + " " } ?? "")
                    + "Its spans come through Kafka, too: keep it in the Collector in front "
                    + "(see stage \(stage))")
            return stage
        }
        note(
            .attention, component,
            (advice.map { $0 + " " } ?? "")
                + "Tailrace reads spans from Kafka: keep a Collector in front with this receiver and the exporter kafka: "
                + "{ brokers: [\(options.brokers)], partition_traces_by_id: true, traces: { topic: \(topic) } }")
        return stage
    }

    private mutating func addPushedSource(_ component: Component) -> String {
        let name = stageName(component.id, otherwise: "source")
        pushedSource = name
        addSource(
            PipelineDraft.Stage(
                name, kind: "kafka",
                options: [
                    DraftEntry("brokers", .text(options.brokers)), DraftEntry("topic", .text(pushedTopic)),
                    DraftEntry("group", .text("tailrace")),
                ],
                comments: [
                    "What was received directly (\(origin(component))) comes through Kafka: spans are not lost when a "
                        + "worker ends, and all spans of a trace meet in one worker. Keep a small Collector in front:",
                    "  receivers: { \(component.id): … as it was … }",
                    "  exporters:",
                    "    kafka:",
                    "      brokers: [\(options.brokers)]",
                    "      partition_traces_by_id: true",
                    "      traces: { topic: \(pushedTopic) }",
                ]))
        return name
    }

    private mutating func placeholderSource(_ pipeline: CollectorConfiguration.Pipeline) -> String {
        if let pushedSource { return pushedSource }
        let name = stageName("spans", otherwise: "source")
        pushedSource = name
        note(
            .attention, "service::pipelines::\(pipeline.id)",
            "it has no receiver that can be carried over: a kafka stage that reads the topic \(pushedTopic) stands in",
            at: pipeline.location)
        addSource(
            PipelineDraft.Stage(
                name, kind: "kafka",
                options: [
                    DraftEntry("brokers", .text(options.brokers)), DraftEntry("topic", .text(pushedTopic)),
                    DraftEntry("group", .text("tailrace")),
                ], comments: ["The configuration names no receiver: put in where the spans are."]))
        return name
    }
}

extension CollectorTranslator {
    /// The topic for what was pushed: never one that the same configuration writes, which would be an endless loop.
    var pushedTopic: String { chosenTopic ?? options.topic }

    mutating func chooseTopic(_ pipelines: [CollectorConfiguration.Pipeline]) {
        let written = pipelines.flatMap(\.exporters).compactMap { reference -> String? in
            guard let exporter = configuration.component(.exporters, reference.id), exporter.type == "kafka" else {
                return nil
            }
            return Self.exportedTopic(exporter)
        }
        if written.contains(options.topic) { chosenTopic = options.topic + ".received" }
    }

    static func exportedTopic(_ exporter: Component) -> String {
        exporter.settings["traces"]?["topic"]?.scalar ?? exporter.settings["topic"]?.scalar ?? "otlp_spans"
    }
}
