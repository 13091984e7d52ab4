import Pipeline
import Testing

/// A pipeline file with mistakes and what is said about it, in full.
struct Mistake: CustomTestStringConvertible, Sendable {
    let name: String
    let yaml: String
    let expected: String

    init(_ name: String, _ yaml: String, says expected: String) {
        self.name = name
        self.yaml = yaml
        self.expected = expected
    }

    var testDescription: String { name }
}

@Suite("Every mistake is told at its place, with what was expected")
struct MistakeTests {
    private func check(_ mistake: Mistake) {
        let environment = ["GROUP": "", "MANY": "many", "GROUPE": "x"]
        let (plan, diagnostics) = load(mistake.yaml, environment: environment)
        #expect(diagnostics.sorted.map(\.description).joined(separator: "\n") == mistake.expected)
        #expect((plan == nil) == diagnostics.hasErrors)
    }

    @Test("in the form of the file", arguments: Mistake.file) func file(_ mistake: Mistake) { check(mistake) }
    @Test("in YAML itself", arguments: Mistake.yaml) func yaml(_ mistake: Mistake) { check(mistake) }
    @Test("in a stage", arguments: Mistake.stage) func stage(_ mistake: Mistake) { check(mistake) }
    @Test("in an edge", arguments: Mistake.edge) func edge(_ mistake: Mistake) { check(mistake) }
    @Test("in the graph", arguments: Mistake.graph) func graph(_ mistake: Mistake) { check(mistake) }
    @Test("in an option", arguments: Mistake.option) func option(_ mistake: Mistake) { check(mistake) }
    @Test("in a variable", arguments: Mistake.environment) func environment(_ mistake: Mistake) { check(mistake) }
    @Test("in many places at once", arguments: Mistake.many) func many(_ mistake: Mistake) { check(mistake) }

    @Test func aWarningAloneDoesNotRefuseAPlan() {
        var registry = TestRegistry.registry
        registry.register(
            StageDefinition(
                kind: "discard", role: .sink, summary: "counts", inputs: PortType.allCases, outputs: [], options: [],
                check: { settings, diagnostics in diagnostics.warning("odd", at: settings.value.location) },
                make: .sink { _, _ in throw StageError("not here") }))
        let text = "pipeline: p\nstages:\n  in: { kind: kafka, topic: t }\n  out: { kind: discard, from: in }\n"
        let (plan, diagnostics) = PipelinePlan.load(text: text, file: "p.yaml", registry: registry, environment: [:])
        #expect(plan != nil)
        #expect(diagnostics.sorted.map(\.description) == ["p.yaml:4:8: warning: odd"])
    }

    @Test func tooManyStagesAreRefused() {
        let stages = (0...500).map { "  s\($0): { kind: kafka, topic: t }\n" }.joined()
        #expect(
            messages("pipeline: p\nstages:\n" + stages)
                == ["p.yaml:2:1: error: stages: 501 stages are too many; a pipeline has at most 500"])
    }
}
