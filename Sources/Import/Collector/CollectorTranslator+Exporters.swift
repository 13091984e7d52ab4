internal import Pipeline

extension CollectorTranslator {
    /// Ends a pipeline: its exporters and the connectors it feeds.
    mutating func outputs(_ flow: Flow, of pipeline: CollectorConfiguration.Pipeline) {
        var flow = flow
        for component in components(pipeline.exporters, [.exporters, .connectors], of: pipeline) {
            if component.section == .connectors {
                connect(component, flow, of: pipeline)
                continue
            }
            switch component.type {
            case "kafka": writeToKafka(component, flow)
            case "file": writeToFile(component, flow)
            case "nop": discard(component, flow)
            default: store(component, &flow, of: pipeline)
            }
        }
        // A port that nobody reads is an error, and spans would be lost without a word.
        if !isRead(flow) {
            note(
                .attention, "service::pipelines::\(pipeline.id)",
                "it has no exporter that can be carried over: what it gives is stored", at: pipeline.location)
            storeTraces(&flow, of: pipeline)
        }
    }

    private func isRead(_ flow: Flow) -> Bool {
        let read = Set(
            (stagesSoFar + sinks).flatMap(\.from) + storedTraces
                + connectorFlows.values.flatMap { $0.spans + $0.traces })
        return (flow.spans + flow.traces).allSatisfy { read.contains($0) }
    }

    // MARK: - Connectors

    private mutating func connect(
        _ component: Component, _ flow: Flow, of pipeline: CollectorConfiguration.Pipeline
    ) {
        let readers = configuration.pipelines.filter { other in
            other.signal == "traces" && other.receivers.contains { $0.id == component.id }
        }
        if component.type == "forward" || !readers.isEmpty {
            var handed = connectorFlows[component.id] ?? Flow()
            handed.spans += flow.spans.filter { !handed.spans.contains($0) }
            handed.traces += flow.traces.filter { !handed.traces.contains($0) }
            connectorFlows[component.id] = handed
            if component.type == "forward" {
                return note(.info, component, "the pipelines it joins are joined here too")
            }
        }
        let advice =
            CollectorAdvice.connectors[component.type]
            ?? "is left out: run it in a Collector in front of Kafka, where it sees every span"
        note(.attention, component, advice)
    }

    // MARK: - Kafka and files

    private mutating func writeToKafka(_ component: Component, _ flow: Flow) {
        sink(component, flow, isNew: { translator in translator.kafkaSink(component) })
    }

    private mutating func writeToFile(_ component: Component, _ flow: Flow) {
        sink(component, flow, isNew: { translator in translator.fileSink(component) })
    }

    private mutating func discard(_ component: Component, _ flow: Flow) {
        sink(
            component, flow,
            isNew: { translator in
                ("discard", [], ["\(translator.origin(component))"])
            })
    }

    /// Adds the flow to the sink of an exporter. Spans and whole traces go to sinks of their own.
    private mutating func sink(
        _ component: Component, _ flow: Flow,
        isNew make: (inout CollectorTranslator) -> (kind: String, options: [DraftEntry], comments: [String])
    ) {
        var made: (kind: String, options: [DraftEntry], comments: [String])?
        for (type, ports) in [("spans", flow.spans), ("traces", flow.traces)] where !ports.isEmpty {
            let passed = ports.first.flatMap { scrubbersPassed[$0] } ?? []
            let key = "\(component.id) \(type) \(passed)"
            if let index = sinkIndices[key] {
                sinks[index].from += ports.filter { !sinks[index].from.contains($0) }
                continue
            }
            var parts = made ?? make(&self)
            made = parts
            sinkIndices[key] = sinks.count
            if parts.kind == "file_sink" { givePathOfItsOwn(component, &parts.options) }
            let name = stageName(component.id, otherwise: "exporter")
            sinks.append(
                PipelineDraft.Stage(
                    name, kind: parts.kind, from: ports, options: parts.options, comments: parts.comments))
        }
    }

    /// Two stages cannot write one file.
    private mutating func givePathOfItsOwn(_ component: Component, _ options: inout [DraftEntry]) {
        guard case .scalar(let path, let isQuoted)? = options.first?.value else { return }
        let taken = Set(
            sinks.filter { $0.kind == "file_sink" }.compactMap { sink -> String? in
                guard case .scalar(let other, _)? = sink.options.first?.value else { return nil }
                return other
            })
        var free = path
        var number = 2
        while taken.contains(free) {
            let file = path.split(separator: "/").last ?? ""
            let stem = file.lastIndex(of: ".").map { path[..<$0] } ?? Substring(path)
            free = "\(stem)-\(number)\(path.dropFirst(stem.count))"
            number += 1
        }
        if free == path { return }
        options[0] = DraftEntry(
            "path", .scalar(free, isQuoted: isQuoted), remark: "was \(path), which another stage writes")
        note(.changed, component, "single spans and whole traces go to files of their own; the second is \(free)")
    }

    private mutating func kafkaSink(
        _ component: Component
    ) -> (kind: String, options: [DraftEntry], comments: [String]) {
        let settings = component.settings
        let traces = settings["traces"]
        var comments = [origin(component)]
        var options = brokers(settings["brokers"])
        options.append(DraftEntry("topic", .text(Self.exportedTopic(component))))
        if let encoding = (traces?["encoding"] ?? settings["encoding"])?.scalar, encoding != "otlp_proto" {
            note(
                .attention, component,
                "encoding \(encoding): here records are OTLP protobuf (otlp_proto); let readers expect it")
            comments.append("Records are OTLP protobuf; encoding was \(encoding).")
        }
        if let compression = settings["producer"]?["compression"] {
            options.append(DraftEntry("compression", DraftValue(compression)))
        }
        if let size = settings["producer"]?["max_message_bytes"]?.scalar {
            options.append(DraftEntry("max_message_bytes", .text(CollectorValue.plainNumber(size) + "B")))
        }
        let client = KafkaClientSettings(component)
        for problem in client.problems { note(.attention, component, problem) }
        if !client.entries.isEmpty { options.append(DraftEntry("options", .map(client.entries))) }
        noteLeftovers(
            component,
            handled: KafkaClientSettings.keys.union(["brokers", "traces", "topic", "encoding", "producer"]),
            unneeded: [
                "protocol_version", "resolve_canonical_bootstrap_servers_only", "metadata", "timeout",
                "retry_on_failure", "sending_queue", "logs", "metrics", "profiles", "partition_traces_by_id",
                "partition_metrics_by_resource_attributes", "partition_logs_by_resource_attributes",
                "partition_logs_by_trace_id", "conn_idle_timeout", "record_partitioner",
            ])
        if CollectorValue.boolean(settings["partition_traces_by_id"]) != true {
            comments.append("Records are always keyed by trace id.")
        }
        let acknowledgements = settings["producer"]?["required_acks"]?.scalar
        note(
            .changed, component,
            "a flush waits until all replicas have acknowledged"
                + (acknowledgements.map { " (required_acks was \($0))" } ?? "")
                + ", and is repeated until it succeeds; after a crash messages can come twice")
        comments.append("At least once: a flush waits for all replicas, and after a crash messages can come twice.")
        return ("kafka_sink", options, comments)
    }

    private mutating func fileSink(
        _ component: Component
    ) -> (kind: String, options: [DraftEntry], comments: [String]) {
        let settings = component.settings
        var comments = [origin(component)]
        let path = settings["path"].map(DraftValue.init) ?? .text("./spans.jsonl")
        if settings["path"] == nil { note(.attention, component, "it has no path; ./spans.jsonl was put in") }
        if let format = settings["format"]?.scalar, format != "json" {
            note(.attention, component, "format \(format): lines are OTLP/JSON here")
        }
        if let compression = settings["compression"]?.scalar, !compression.isEmpty {
            note(
                .attention, component,
                "compression \(compression): the file is written uncompressed; compress it when it is rotated")
        }
        if settings["rotation"] != nil {
            note(.attention, component, "rotation: files are not rotated here; let logrotate do it (copytruncate)")
        }
        if settings["group_by"] != nil {
            note(
                .attention, component,
                "group_by: everything goes into one file; use a route stage and several file_sink stages")
        }
        noteLeftovers(
            component, handled: ["path", "format", "compression", "rotation", "group_by", "encoding"],
            unneeded: ["append", "flush_interval", "create_directory", "directory_permissions"])
        if settings["encoding"] != nil { note(.attention, component, "encoding: lines are OTLP/JSON here") }
        comments.append(
            "Appends lines of OTLP/JSON; the second worker thread writes a file of its own (.1 before the ending).")
        note(.changed, component, "lines are appended, and each worker thread has a file of its own")
        return ("file_sink", [DraftEntry("path", path)], comments)
    }

    // MARK: - The store

    /// Exporters to a backend: kept traces are stored and served by Tailrace itself.
    private mutating func store(
        _ component: Component, _ flow: inout Flow, of pipeline: CollectorConfiguration.Pipeline
    ) {
        storeTraces(&flow, of: pipeline)
        let target = component.settings["endpoint"]?.scalar ?? component.settings["traces_endpoint"]?.scalar
        switch component.type {
        case "debug", "logging":
            note(
                .changed, component,
                "prints spans there; here look at what is stored with tailrace search and tailrace trace")
            addStoreComment(
                component, ["Instead of \(origin(component)), which prints: look with `tailrace search`."])
        default:
            let topic = "\(options.topic).kept"
            let place = target.map { " (\($0))" } ?? ""
            note(
                .attention, component,
                "nothing is sent to it\(place): kept traces are stored here and served by `tailrace serve`. To go on feeding "
                    + "it, add a kafka_sink and a Collector that reads its topic and has this exporter"
                    + (CollectorAdvice.exporters[component.type].map { ". " + $0 } ?? ""))
            let reader = flow.traces.first ?? "sampler"
            let name = PipelineImport.identifier(component.id, otherwise: "exporter")
            addStoreComment(
                component,
                [
                    "Instead of \(origin(component))\(place). To go on feeding it, add this stage, and a Collector with a kafka "
                        + "receiver of the topic and the exporter as it was:",
                    "  \(name): { kind: kafka_sink, from: \(reader), topic: \(topic) }",
                ])
        }
    }

    private mutating func addStoreComment(_ component: Component, _ lines: [String]) {
        if storeComments.contains(where: { $0.subject == component.subject }) { return }
        storeComments.append((component.subject, lines))
    }

    /// Hands the flow to the store, which takes whole traces: where no sampler made them, one that keeps everything does.
    private mutating func storeTraces(_ flow: inout Flow, of pipeline: CollectorConfiguration.Pipeline) {
        if !flow.spans.isEmpty {
            let name = stageName("assemble-\(pipeline.id)", otherwise: "sampler")
            addStage(
                PipelineDraft.Stage(
                    name, kind: "tail_sampler", from: flow.spans,
                    options: [
                        DraftEntry(
                            "policies",
                            .list([
                                DraftElement(
                                    .map([
                                        DraftEntry("name", .text("everything")),
                                        DraftEntry("type", .text("always_sample")),
                                    ]))
                            ]))
                    ],
                    comments: [
                        "\(pipeline.id) has no sampler. The store takes whole traces: this one puts them together and keeps all."
                    ]))
            note(
                .changed, "service::pipelines::\(pipeline.id)",
                "it samples nothing: a tail_sampler that keeps everything puts spans together as traces for the store",
                at: pipeline.location)
            flow.traces.append(name)
            flow.spans = []
        }
        for port in flow.traces where !storedTraces.contains(port) { storedTraces.append(port) }
    }

    /// Attributes that searches ask for most; the semantic conventions' names.
    private static let searchable = [
        "http.request.method", "http.response.status_code", "http.route", "url.path", "rpc.service", "rpc.method",
        "db.system.name", "db.namespace", "db.operation.name", "messaging.destination.name", "error.type",
        "deployment.environment.name", "k8s.namespace.name", "k8s.pod.name",
    ]

    /// Writes the store's stages: one index and store for all ports that have passed the same scrubbers.
    mutating func finishStore() {
        var groups: [(passed: [String], ports: [String])] = []
        for port in storedTraces {
            let passed = scrubbersPassed[port] ?? []
            if let index = groups.firstIndex(where: { $0.passed == passed }) {
                groups[index].ports.append(port)
            } else {
                groups.append((passed, [port]))
            }
        }
        var made: [PipelineDraft.Stage] = []
        for (position, group) in groups.enumerated() {
            let index = stageName("index", otherwise: "indexer")
            let comments =
                position == 0
                ? ["What kept traces can be found by, besides service, operation, error, duration and time."]
                : ["The same for traces that were scrubbed in another way."]
            made.append(
                PipelineDraft.Stage(
                    index, kind: "indexer", from: group.ports,
                    options: [DraftEntry("attributes", .texts(Self.searchable))], comments: comments))
            made.append(
                PipelineDraft.Stage(
                    stageName("store", otherwise: "segments"), kind: "segments", from: [index],
                    options: [DraftEntry("path", .text("./data"))],
                    comments: position == 0 ? storeComments.flatMap(\.lines) : []))
        }
        sinks.insert(contentsOf: made, at: 0)
    }

    /// Notes topics that a pipeline reads and writes: what it writes would come back without end.
    mutating func noteLoops() {
        let all = allStages
        func option(_ stage: PipelineDraft.Stage, _ key: String) -> DraftValue? {
            stage.options.first { $0.key == key }?.value
        }
        for sink in all where sink.kind == "kafka_sink" {
            var reached: Set<String> = [sink.name]
            for stage in all.reversed() where reached.contains(stage.name) { reached.formUnion(stage.from) }
            for source in all where source.kind == "kafka" && reached.contains(source.name) {
                guard option(source, "topic") == option(sink, "topic"),
                    option(source, "brokers") == option(sink, "brokers")
                else { continue }
                note(
                    .attention, "stage \(sink.name)",
                    "writes the topic that stage \(source.name) reads: spans would go round without end; write another topic",
                    at: configuration.pipelines.first?.location ?? SourceLocation(file: file, line: 1, column: 1))
            }
        }
    }
}
