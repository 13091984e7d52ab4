import Spelling

/// The form of a pipeline file: `pipeline`, `stages` and `tests`. Reads what each stage declares; edges are the
/// `PlanBuilder`'s.
struct PipelineFile {
    static let reservedKeys = PipelineFileKeys.stage.map(\.name)

    let document: YAMLDocument
    let registry: StageRegistry
    private(set) var name = ""
    private(set) var declarations: [StageDeclaration] = []
    private(set) var tests: ConfigValue?
    /// Where `stages` stands.
    private(set) var stagesLocation: SourceLocation
    private(set) var diagnostics: Diagnostics
    /// False where the stages could not be read at all.
    private(set) var hasStages = false

    init(_ document: YAMLDocument, registry: StageRegistry) {
        self.document = document
        self.registry = registry
        diagnostics = document.diagnostics
        stagesLocation = document.start
        // What is no YAML was reported as such.
        guard let root = document.value else {
            if !diagnostics.hasErrors { reportEmpty() }
            return
        }
        guard case .map(let entries) = root.content else {
            guard root.content != .null else {
                reportEmpty()
                return
            }
            let found = Wording.kind(of: root)
            diagnostics.error("expected a map with the keys pipeline and stages, found \(found)", at: root.location)
            return
        }
        checkKeys(entries)
        readName(root)
        tests = root["tests"]
        readStages(root)
    }

    private mutating func reportEmpty() {
        diagnostics.error("the file is empty; expected the keys pipeline and stages", at: document.start)
    }

    private mutating func checkKeys(_ entries: [ConfigEntry]) {
        let known = PipelineFileKeys.file.map(\.name)
        for entry in entries
        where !known.contains(entry.key) && !entry.key.hasPrefix(PipelineFileKeys.ignoredPrefix) {
            let suggestion = Wording.suggestion(for: entry.key, among: known)
            let rest = suggestion.isEmpty ? "; known keys: \(Wording.list(known))" : ".\(suggestion)"
            diagnostics.error("unknown key \(Wording.quoted(entry.key))\(rest)", at: entry.keyLocation)
        }
    }

    private mutating func readName(_ root: ConfigValue) {
        guard let entry = root.entries.first(where: { $0.key == "pipeline" }) else {
            // `pipelin: x` is reported as an unknown key; a second message would say the same.
            let isMisspelt = root.entries.contains { NearestName.nearest(to: $0.key, among: ["pipeline"]) != nil }
            if !isMisspelt {
                diagnostics.error("missing key \"pipeline\": the name of the pipeline", at: document.start)
            }
            return
        }
        guard !document.unresolved.contains(entry.value.location) else { return }
        guard case .scalar(let text, _) = entry.value.content else {
            let found = Wording.kind(of: entry.value)
            return diagnostics.error("pipeline: expected a name, found \(found)", at: entry.value.location)
        }
        name = text
        if !PipelineFileKeys.isName(text) {
            diagnostics.error(
                "pipeline name \(Wording.quoted(text)) may have letters, digits, \"-\" and \"_\" only",
                at: entry.value.location)
        }
    }

    private mutating func readStages(_ root: ConfigValue) {
        guard let entry = root.entries.first(where: { $0.key == "stages" }) else {
            let isMisspelt = root.entries.contains { NearestName.nearest(to: $0.key, among: ["stages"]) != nil }
            if !isMisspelt {
                diagnostics.error("missing key \"stages\": the stages of the pipeline by name", at: document.start)
            }
            return
        }
        stagesLocation = entry.keyLocation
        guard case .map(let stages) = entry.value.content, !stages.isEmpty else {
            let found = Wording.kind(of: entry.value)
            diagnostics.error(
                "stages: expected a map of stages, for example spans: { kind: \(exampleKind) }, found \(found)",
                at: entry.value.content == .null ? entry.keyLocation : entry.value.location)
            return
        }
        guard stages.count <= PipelineFileKeys.maximumStageCount else {
            diagnostics.error(
                "stages: \(stages.count) stages are too many; a pipeline has at most \(PipelineFileKeys.maximumStageCount)",
                at: entry.keyLocation)
            return
        }
        hasStages = true
        for stage in stages { declarations.append(declaration(stage)) }
    }

    private var exampleKind: String {
        registry.kinds.first { registry[$0]?.role == .source } ?? "kafka"
    }

    private mutating func declaration(_ entry: ConfigEntry) -> StageDeclaration {
        var stage = StageDeclaration(name: entry.key, location: entry.keyLocation, value: entry.value)
        let subject = "stage \(Wording.quoted(entry.key))"
        if !PipelineFileKeys.isName(entry.key) {
            stage.hasName = false
            let dot = entry.key.contains(".") ? "; a dot separates stage and port in \"from\"" : ""
            diagnostics.error(
                "stage name \(Wording.quoted(entry.key)) may have letters, digits, \"-\" and \"_\" only\(dot)",
                at: entry.keyLocation)
        }
        guard case .map = entry.value.content else {
            let found = Wording.kind(of: entry.value)
            diagnostics.error("\(subject): expected a map with kind and options, found \(found)", at: entry.keyLocation)
            stage.isBroken = true
            return stage
        }
        stage.definition = definition(of: stage, subject: subject)
        readReferences(of: &stage, subject: subject)
        return stage
    }

    private mutating func definition(of stage: StageDeclaration, subject: String) -> StageDefinition? {
        let known = "Known kinds: \(Wording.list(registry.kinds))"
        guard let value = stage.value["kind"] else {
            diagnostics.error("\(subject): missing key \"kind\". \(known)", at: stage.location)
            return nil
        }
        guard !document.unresolved.contains(value.location) else { return nil }
        guard case .scalar(let kind, _) = value.content else {
            let found = Wording.kind(of: value)
            diagnostics.error("\(subject): kind: expected text, found \(found)", at: value.location)
            return nil
        }
        guard let definition = registry[kind] else {
            let suggestion = Wording.suggestion(for: kind, among: registry.kinds)
            diagnostics.error(
                "\(subject): unknown kind \(Wording.quoted(kind)).\(suggestion) \(known)", at: value.location)
            return nil
        }
        return definition
    }

    private mutating func readReferences(of stage: inout StageDeclaration, subject: String) {
        guard let entry = stage.value.entries.first(where: { $0.key == "from" }) else {
            if let definition = stage.definition, definition.role != .source {
                let isMisspelt = stage.value.entries.contains {
                    $0.key != "kind" && definition.options.map(\.name).contains($0.key) == false
                        && NearestName.nearest(to: $0.key, among: ["from"]) != nil
                }
                if !isMisspelt {
                    diagnostics.error(
                        "\(subject): missing key \"from\": the stage it reads from", at: stage.location)
                }
                stage.isBroken = true
            }
            return
        }
        stage.fromLocation = entry.keyLocation
        if let definition = stage.definition, definition.role == .source {
            diagnostics.error(
                "\(subject): kind \(definition.kind) is a source and reads from no stage; remove \"from\"",
                at: entry.keyLocation)
            return
        }
        var values = [entry.value]
        if case .list(let elements) = entry.value.content { values = elements }
        if values.isEmpty {
            diagnostics.error("\(subject): from: expected at least one stage, found none", at: entry.value.location)
            stage.isBroken = true
        }
        for value in values {
            guard !document.unresolved.contains(value.location) else {
                stage.isBroken = true
                continue
            }
            let reference = value.scalar.map { StageReference($0, at: value.location) }
            if let reference, !reference.stage.isEmpty, reference.port != "" {
                stage.references.append(reference)
            } else {
                let found = Wording.kind(of: value)
                let location = value.content == .null ? entry.keyLocation : value.location
                diagnostics.error(
                    "\(subject): from: expected stage, stage.port or a list of these, found \(found)", at: location)
                stage.isBroken = true
            }
        }
    }
}
