internal import Pipeline

/// Makes stages of a Collector's trace pipelines, and notes of everything else.
struct CollectorTranslator {
    typealias Component = CollectorConfiguration.Component

    /// What flows at a point of a pipeline: ports that give spans, and ports of samplers that give whole traces. A stage reads
    /// one kind only.
    struct Flow {
        var spans: [String] = []
        var traces: [String] = []

        var isEmpty: Bool { spans.isEmpty && traces.isEmpty }
    }

    let configuration: CollectorConfiguration
    let file: String
    let options: ImportOptions

    var notes: [ImportNote] = []
    private(set) var sources: [PipelineDraft.Stage] = []
    private var stages: [PipelineDraft.Stage] = []
    var allStages: [PipelineDraft.Stage] { sources + stages + sinks }
    /// Stages between sources and sinks.
    var stagesSoFar: [PipelineDraft.Stage] { stages }
    var sinks: [PipelineDraft.Stage] = []
    private var usedNames: Set<String> = []
    /// Stages of receivers, by id.
    var sourceStages: [String: [String]] = [:]
    /// The stage that stands for everything that is pushed to the Collector.
    var pushedSource: String?
    /// The topic for what is pushed, where it is not the usual one.
    var chosenTopic: String?
    /// What pipelines hand to connectors, by id.
    var connectorFlows: [String: Flow] = [:]
    /// Index in `sinks` by exporter and type of what it takes.
    var sinkIndices: [String: Int] = [:]
    /// Ports that the built-in store takes.
    var storedTraces: [String] = []
    /// Comments of the store, by what they are about.
    var storeComments: [(subject: String, lines: [String])] = []
    /// The scrubbers that what leaves a stage has passed: all inputs of a stage must have passed the same.
    var scrubbersPassed: [String: [String]] = [:]
    /// Components that some trace pipeline uses.
    var usedComponents: Set<String> = []

    init(_ configuration: CollectorConfiguration, file: String, options: ImportOptions) {
        self.configuration = configuration
        self.file = file
        self.options = options
    }

    /// False where there is no pipeline of traces.
    mutating func translate() -> Bool {
        var pipelines = configuration.pipelines.filter { $0.signal == "traces" }
        if pipelines.isEmpty {
            guard !configuration.hasService, let assembled = assembledPipeline() else { return false }
            pipelines = [assembled]
        }
        chooseTopic(pipelines)
        for pipeline in ordered(pipelines) { translate(pipeline) }
        finishStore()
        noteLoops()
        noteTheRest()
        return true
    }

    /// A part of a configuration, as documentation shows them: everything it has in one pipeline.
    private mutating func assembledPipeline() -> CollectorConfiguration.Pipeline? {
        let parts = configuration.components.filter { $0.section != .extensions && $0.section != .connectors }
        guard let first = parts.first else { return nil }
        var pipeline = CollectorConfiguration.Pipeline(id: "traces", location: first.location)
        for part in parts {
            let reference = CollectorConfiguration.Reference(id: part.id, location: part.location)
            switch part.section {
            case .receivers: pipeline.receivers.append(reference)
            case .processors: pipeline.processors.append(reference)
            default: pipeline.exporters.append(reference)
            }
        }
        note(
            .changed, "service",
            "there is no service::pipelines: all components are put into one pipeline, in the order "
                + "of the file", at: first.location)
        return pipeline
    }

    /// Pipelines in such an order that what feeds a connector comes before what reads it. The Collector refuses cycles; here
    /// their last pipelines simply come last.
    private func ordered(_ pipelines: [CollectorConfiguration.Pipeline]) -> [CollectorConfiguration.Pipeline] {
        var result: [CollectorConfiguration.Pipeline] = []
        var rest = pipelines
        while !rest.isEmpty {
            let pending = Set(rest.flatMap { $0.exporters.map(\.id) })
            let ready = rest.firstIndex { pipeline in
                pipeline.receivers.allSatisfy { receiver in
                    configuration.component(.connectors, receiver.id) == nil || !pending.contains(receiver.id)
                }
            }
            result.append(rest.remove(at: ready ?? 0))
        }
        return result
    }

    // MARK: - One pipeline

    private mutating func translate(_ pipeline: CollectorConfiguration.Pipeline) {
        let branches = branches(of: inputs(of: pipeline))
        let plan = processorPlan(pipeline)
        if branches.count > 1 {
            note(
                .changed, "service::pipelines::\(pipeline.id)",
                "what it reads was scrubbed in different ways before: its stages are written once for each way",
                at: pipeline.location)
        }
        for branch in branches {
            var flow = branch
            for step in plan.steps { apply(step, plan: plan, pipeline: pipeline, to: &flow) }
            outputs(flow, of: pipeline)
        }
    }

    /// The flow divided by the scrubbers that its ports have passed.
    private func branches(of flow: Flow) -> [Flow] {
        var order: [[String]] = []
        var branches: [[String]: Flow] = [:]
        func branch(_ port: String, _ add: (inout Flow) -> Void) {
            let passed = scrubbersPassed[port] ?? []
            if branches[passed] == nil { order.append(passed) }
            add(&branches[passed, default: Flow()])
        }
        for port in flow.spans { branch(port) { $0.spans.append(port) } }
        for port in flow.traces { branch(port) { $0.traces.append(port) } }
        return order.compactMap { branches[$0] }
    }

    /// Components that a pipeline names, each marked as used; a name that is not configured is noted.
    mutating func components(
        _ references: [CollectorConfiguration.Reference], _ sections: [CollectorConfiguration.Section],
        of pipeline: CollectorConfiguration.Pipeline
    ) -> [Component] {
        references.compactMap { reference in
            for section in sections {
                if let component = configuration.component(section, reference.id) {
                    usedComponents.insert(component.subject)
                    return component
                }
            }
            note(
                .attention, "service::pipelines::\(pipeline.id)",
                "\(reference.id) is not among the \(sections[0].rawValue); the Collector would refuse to start",
                at: reference.location)
            return nil
        }
    }

    // MARK: - Stages

    /// A free name for a stage, as near to the component's id as can be.
    mutating func stageName(_ id: String, otherwise second: String) -> String {
        let wanted = PipelineImport.identifier(id, otherwise: second)
        let candidates = [wanted, PipelineImport.identifier("\(id)-\(second)", otherwise: second)]
        if let free = candidates.first(where: { !usedNames.contains($0) }) {
            usedNames.insert(free)
            return free
        }
        var number = 2
        while usedNames.contains("\(candidates[1])-\(number)") { number += 1 }
        let name = "\(candidates[1])-\(number)"
        usedNames.insert(name)
        return name
    }

    mutating func addSource(_ stage: PipelineDraft.Stage) { sources.append(stage) }

    mutating func addStage(_ stage: PipelineDraft.Stage) {
        let before = stage.from.first.flatMap { scrubbersPassed[$0] } ?? []
        scrubbersPassed[stage.name] = stage.kind == "scrub" ? before + [stage.name] : before
        stages.append(stage)
    }

    /// Lets `change` rewrite every stage; what it reports is noted as a reference that only the Collector resolves.
    mutating func rewriteStages(_ change: (inout PipelineDraft.Stage, inout [String]) -> Void) {
        func rewrite(_ list: inout [PipelineDraft.Stage]) -> [(stage: String, reference: String)] {
            var result: [(stage: String, reference: String)] = []
            for index in list.indices {
                var found: [String] = []
                change(&list[index], &found)
                result += found.map { (list[index].name, $0) }
            }
            return result
        }
        let found = rewrite(&sources) + rewrite(&stages) + rewrite(&sinks)
        for (stage, reference) in found {
            note(
                .attention, "stage \(stage)",
                "\(reference) is a reference that only the Collector resolves: put the value into an environment variable "
                    + "and write ${NAME}", at: SourceLocation(file: file, line: 1, column: 1))
        }
    }

    /// The comment that says what a stage was.
    func origin(_ component: Component) -> String { "\(component.subject), line \(component.location.line)" }

    mutating func note(_ kind: ImportNote.Kind, _ subject: String, _ message: String, at location: SourceLocation) {
        let note = ImportNote(kind, subject, message, at: location)
        if !notes.contains(note) { notes.append(note) }
    }

    mutating func note(
        _ kind: ImportNote.Kind, _ component: Component, _ message: String, at location: SourceLocation? = nil
    ) {
        note(kind, component.subject, message, at: location ?? component.location)
    }

    /// Notes settings of a component that nothing was made of.
    ///
    /// - Parameters:
    ///   - handled: keys that were looked at.
    ///   - unneeded: keys that need no counterpart.
    mutating func noteLeftovers(_ component: Component, handled: Set<String>, unneeded: Set<String> = []) {
        var unneededFound: [String] = []
        for entry in component.settings.entries where !handled.contains(entry.key) {
            if unneeded.contains(entry.key) {
                unneededFound.append(entry.key)
            } else {
                note(
                    .attention, "\(component.subject)::\(entry.key)", "has no counterpart here and was left out",
                    at: entry.keyLocation)
            }
        }
        if !unneededFound.isEmpty {
            note(
                .info, component,
                "\(unneededFound.joined(separator: ", ")): not needed here, left out")
        }
    }

    // MARK: - The file

    var result: ImportedPipeline {
        let name = options.name ?? PipelineImport.name(forFile: file)
        var draft = PipelineDraft(
            name: PipelineImport.identifier(name, otherwise: "imported"), header: [], stages: allStages, footer: [])
        draft.header = header(draft)
        draft.footer = footer
        return ImportedPipeline(draft: draft, notes: notes.sorted { $0.location < $1.location })
    }

    private func header(_ draft: PipelineDraft) -> [String] {
        let shown = file.split(separator: "/").last.map(String.init) ?? file
        var lines = [
            "Made by `tailrace import` of \(shown), an OpenTelemetry Collector configuration. Lines refer to that file."
        ]
        let variables = Set(draft.stages.flatMap { $0.options.flatMap { $0.value.requiredVariables } }).sorted()
        if !variables.isEmpty { lines.append("Variables that must be set: \(variables.joined(separator: ", ")).") }
        let open = notes.filter { $0.kind == .attention }.sorted { $0.location < $1.location }
        if open.isEmpty {
            lines.append("Everything could be carried over.")
        } else {
            lines += ["", "What is left for you to do:"]
            lines += open.map { "- \($0.subject) (line \($0.location.line)): \($0.message)" }
        }
        return lines
    }

    private var footer: [String] {
        func listed(_ title: String, _ notes: [ImportNote]) -> [String] {
            if notes.isEmpty { return [] }
            return [title]
                + notes.sorted { $0.location < $1.location }.map {
                    "- \($0.subject) (line \($0.location.line)): \($0.message)"
                }
        }
        // What changed in a policy stands above it.
        let changed = notes.filter { $0.kind == .changed && !$0.subject.contains("::policies::") }
        let groups = [
            listed("What means something else here:", changed),
            listed("Nothing to do for these:", notes.filter { $0.kind == .info }),
        ]
        return Array(groups.filter { !$0.isEmpty }.joined(separator: [""]))
    }
}

extension DraftValue {
    /// Names of the variables that must be set, in all texts below.
    var requiredVariables: [String] {
        switch self {
        case .scalar(let text, _): CollectorValue.requiredVariables(in: text)
        case .list(let elements): elements.flatMap { $0.value.requiredVariables }
        case .map(let entries): entries.flatMap { $0.value.requiredVariables }
        case .null: []
        }
    }
}
