import Pipeline
import Sampling

/// The pipeline that every simulated worker runs: source, tail sampler, segments.
enum SimulatedPipeline {
    static let name = "simulation"
    static let taskSettings = PartitionTask.Settings(
        encoding: .otlpProto, maximumRecordBytes: 1 << 20, sourceName: "spans")

    private static let registry: StageRegistry = {
        var registry = StageRegistry()
        registry.register(TailSamplerStage.definition)
        registry.register(
            StageDefinition(
                kind: "input", role: .source, summary: "", inputs: [],
                outputs: [OutputPort("spans", .spans, summary: "")], options: [],
                make: .source { _, _ in throw StageError("records are given by hand") }))
        registry.register(
            StageDefinition(
                kind: "output", role: .sink, summary: "", inputs: [.traces], outputs: [], options: [],
                make: .sink { _, _ in throw StageError("sinks are given by hand") }))
        return registry
    }()

    /// - Parameter version: of the policy file; each keeps other traces.
    static func plan(_ world: WorldPlan, version: Int) throws -> PipelinePlan {
        let window = world.window
        let text = """
            pipeline: \(name)
            stages:
              spans: { kind: input }
              sample:
                kind: tail_sampler
                from: spans
                window: { max: \(window.max)ms, settle: \(window.settle)ms, idle: \(window.idle)ms, tick: \(window.tick)ms, spill: never }
                decision_horizon: \(window.horizon)ms
                policies:
                  - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
                  - { name: some, type: probabilistic, probabilistic: { sampling_percentage: \(version % 2 == 0 ? 50 : 40), hash_salt: "\(version)" } }
              out: { kind: output, from: sample }
            """
        let (plan, diagnostics) = PipelinePlan.load(text: text, registry: registry, environment: [:])
        guard let plan else { throw StageError(diagnostics.sorted.map(\.description).joined(separator: "\n")) }
        return plan
    }
}
