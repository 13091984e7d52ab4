/// Joins declared stages to a plan, and reports every mistake of the whole.
struct PlanBuilder {
    /// An edge as far as it is known.
    struct Link {
        /// Index of the declaration that gives.
        var stage: Int
        /// Index of its output port; nil where the port or the stage's kind is unknown.
        var port: Int?
        var location: SourceLocation
    }

    let file: PipelineFile
    var declarations: [StageDeclaration]
    var diagnostics: Diagnostics
    private(set) var indices: [String: Int]
    /// For each declaration what it reads.
    var links: [[Link]] = []
    /// Declarations that a misspelt reference probably means: "nothing reads it" would mislead.
    var guessedReads: Set<Int> = []
    private var tests: [PipelineTest] = []

    init(_ file: PipelineFile) {
        self.file = file
        declarations = file.declarations
        diagnostics = file.diagnostics
        let names = file.declarations.map(\.name)
        indices = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func build() -> PipelinePlan? {
        checkOptions()
        links = declarations.indices.map { resolve($0) }
        let cyclic = reportCycles()
        reportUnreachable(cyclic: cyclic)
        let hasUnread = reportUnread()
        reportMissingEnds(hasUnread: hasUnread)
        guard cyclic.isEmpty else {
            readTests()
            return nil
        }
        if !diagnostics.hasErrors, expand() { links = declarations.indices.map { resolve($0) } }
        let order = topologicalOrder()
        let chains = scrubberChains(in: order)
        readTests()
        if !diagnostics.hasErrors { inlineFiles() }
        return diagnostics.hasErrors ? nil : plan(order: order, chains: chains)
    }

    /// Puts the content of files that stages name into their settings. Checked before; a file that has changed since is reported.
    private mutating func inlineFiles() {
        for index in declarations.indices {
            guard let definition = declarations[index].definition else { continue }
            do {
                declarations[index].value = try definition.inlined(settings(of: index, definition))
            } catch {
                diagnostics.error("\(subject(index)): \(error)", at: declarations[index].location)
            }
        }
    }

    /// After expansion: tests may name stages that the plan has added.
    private mutating func readTests() {
        let stages = declarations.indices.map { index in
            let types = links[index].compactMap { link in
                link.port.flatMap { declarations[link.stage].definition?.outputs[$0].type }
            }
            return PipelineTestReader.Stage(
                name: declarations[index].name, role: declarations[index].definition?.role,
                inputs: PortType.allCases.filter(types.contains))
        }
        let reader = PipelineTestReader(file.tests, stages: stages, unresolved: file.document.unresolved)
        diagnostics.append(reader.diagnostics)
        tests = reader.tests
    }

    mutating func replaceDeclarations(_ new: [StageDeclaration]) {
        declarations = new
        indices = Dictionary(new.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func subject(_ index: Int) -> String { "stage \(Wording.quoted(declarations[index].name))" }

    func settings(of index: Int, _ definition: StageDefinition) -> StageSettings {
        StageSettings(
            name: declarations[index].name, value: declarations[index].value, definition: definition.options)
    }

    /// Options first, then what the definition itself checks; all mistakes of both. Where both complain of the same place the
    /// first says more exactly what is wrong.
    private mutating func checkOptions() {
        for index in declarations.indices {
            let declaration = declarations[index]
            guard let definition = declaration.definition else { continue }
            var checker = OptionChecker(
                subject: subject(index), owner: "kind \(definition.kind)", unresolved: file.document.unresolved)
            checker.check(
                declaration.value, options: definition.options, at: declaration.location,
                ignoring: PipelineFile.reservedKeys)
            diagnostics.append(checker.diagnostics)
            var own = Diagnostics()
            definition.check(settings(of: index, definition), &own)
            // A value that an unset variable should have given is unknown, not wrong.
            let known = Set(checker.diagnostics.all.map(\.location)).union(file.document.unresolved)
            diagnostics.append(own.all.filter { !known.contains($0.location) })
        }
    }

    private func plan(order: [Int], chains: [[Int]]) -> PipelinePlan? {
        var position = [Int](repeating: 0, count: declarations.count)
        for (place, index) in order.enumerated() { position[index] = place }
        var consumers = declarations.map { Array(repeating: [Int](), count: $0.definition?.outputs.count ?? 0) }
        for index in order {
            for link in links[index] {
                guard let port = link.port else { return nil }
                consumers[link.stage][port].append(position[index])
            }
        }
        var stages: [PipelinePlan.Stage] = []
        for index in order {
            guard let definition = declarations[index].definition else { return nil }
            let settings = settings(of: index, definition)
            stages.append(
                PipelinePlan.Stage(
                    name: declarations[index].name, definition: definition, settings: settings,
                    inputs: links[index].compactMap { link in
                        link.port.map {
                            PipelinePlan.Edge(stage: position[link.stage], port: $0, location: link.location)
                        }
                    },
                    consumers: consumers[index], location: declarations[index].location,
                    configurationHash: ConfigurationHash.hash(kind: definition.kind, settings: settings.value)))
        }
        return PipelinePlan(
            name: file.name, file: file.document.file, stages: stages, tests: tests,
            scrubberChains: order.map { chains[$0].map { position[$0] } })
    }
}
