import Pipeline

@testable import Sampling

/// A registry with the real `tail_sampler` between a source and a sink that only stand there.
enum TestPipeline {
    static let registry: StageRegistry = {
        var registry = StageRegistry()
        registry.register(
            StageDefinition(
                kind: "input", role: .source, summary: "", inputs: [],
                outputs: [OutputPort("spans", .spans, summary: "")], options: [],
                make: .source { _, _ in throw StageError("not here") }))
        registry.register(TailSamplerStage.definition)
        registry.register(
            StageDefinition(
                kind: "output", role: .sink, summary: "", inputs: [.traces, .summaries], outputs: [], options: [],
                make: .sink { _, _ in throw StageError("not here") }))
        return registry
    }()

    /// A pipeline whose sampler has these lines; they stand in line 5 and after, with four spaces before them.
    static func load(_ lines: String) -> (plan: PipelinePlan?, diagnostics: Diagnostics) {
        let body = lines.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)" }
        let text = """
            pipeline: p
            stages:
              spans: { kind: input }
              sample:
                kind: tail_sampler
                from: spans
            \(body.joined(separator: "\n"))
              out: { kind: output, from: sample }

            """
        return PipelinePlan.load(text: text, file: "p.yaml", registry: registry, environment: [:])
    }

    static func messages(_ lines: String) -> [String] { load(lines).diagnostics.sorted.map(\.description) }

    /// The sampler that the lines declare.
    static func sampler(_ lines: String) throws -> (settings: WindowSettings, policies: [any SamplingPolicy]) {
        let (plan, diagnostics) = load(lines)
        guard let plan, let index = plan.index(of: "sample") else {
            throw StageError(diagnostics.sorted.map(\.description).joined(separator: "\n"))
        }
        let settings = plan.stages[index].settings
        return (TailSamplerStage.windowSettings(settings), PolicyParser.make(settings))
    }
}
