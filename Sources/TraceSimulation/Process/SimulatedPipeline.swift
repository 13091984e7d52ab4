import Pipeline
import Sampling
import Synchronization

/// The pipeline that every simulated worker of a world runs: source, tail sampler, segments; in front of them another source
/// and a repartition where the topic is not keyed.
final class SimulatedPipeline: Sendable {
    /// A source with what its tasks need.
    struct Source {
        var stage: Int
        var settings: PartitionTask.Settings
        /// Writes the internal topic.
        var isOuter: Bool
    }

    static let name = "simulation"
    /// The arena's chunks where spans go to disk, bytes: so small that a world fills them.
    private static let chunkSize = 4096

    private let world: WorldPlan
    private let registry: StageRegistry
    private let plans = Mutex<[Int: PipelinePlan]>([:])
    /// By the process's incarnation.
    private let spillFiles = SpillFilesOfProcesses()

    private final class SpillFilesOfProcesses: @unchecked Sendable {
        // A world is run by one thread at a time.
        var files: [String: SimulatedSpillFiles] = [:]
    }

    init(_ world: WorldPlan) {
        self.world = world
        registry = SimulatedRegistry.make(sampler: Self.sampler(world, spillFiles))
    }

    private static func sampler(_ world: WorldPlan, _ files: SpillFilesOfProcesses) -> StageDefinition {
        let real = TailSamplerStage.definition
        let chunkSize = world.spill == .never ? nil : Self.chunkSize
        return StageDefinition(
            kind: real.kind, role: real.role, summary: real.summary, inputs: real.inputs, outputs: real.outputs,
            options: real.options, check: real.check, attributeKeysRead: real.attributeKeysRead,
            make: .sampler { settings, context in
                TailSamplerStage.sampler(
                    settings, context, spillFiles: files.files[context.environment.incarnation], chunkSize: chunkSize)
            })
    }

    /// A process of this name has this way to the disk.
    func add(_ process: SimulatedProcess) {
        if world.spill != .never { spillFiles.files[process.name] = Self.files(of: process) }
    }

    private static func files(of process: SimulatedProcess) -> SimulatedSpillFiles {
        SimulatedSpillFiles(gate: process) { [unowned process] in process.world.reach($0) }
    }

    /// - Parameter version: of the policy file; each keeps other traces.
    func plan(version: Int) throws -> PipelinePlan {
        try plans.withLock { plans in
            if let known = plans[version] { return known }
            let made = try SimulatedRegistry.load(text(version: version), registry)
            plans[version] = made
            return made
        }
    }

    private func text(version: Int) -> String {
        let window = world.window
        let spill = world.spill == .always ? "buffer: disk" : world.spill == .auto ? "spill: auto" : "spill: never"
        let outer =
            world.isRepartitioned ? "unkeyed: { kind: input }\n  rekey: { kind: spans_output, from: unkeyed }" : ""
        return """
            pipeline: \(Self.name)
            stages:
              \(outer)
              spans: { kind: input }
              sample:
                kind: tail_sampler
                from: spans
                window: { max: \(window.max)ms, settle: \(window.settle)ms, idle: \(window.idle)ms, tick: \(window.tick)ms, \(spill) }
                decision_horizon: \(window.horizon)ms
                policies: \(policies(version: version))
              out: { kind: output, from: sample }
            """
    }

    private func policies(version: Int) -> String {
        // So little that most traces with an error are kept in outline.
        if world.hasBudget {
            return "[{ name: some, type: budget, rate: \(version % 2 == 0 ? 3 : 2) spans/s, cover: { interval: 2s } }]"
        }
        return "[{ name: errors, type: status_code, status_code: { status_codes: [ERROR] } }, "
            + "{ name: some, type: probabilistic, probabilistic: "
            + "{ sampling_percentage: \(version % 2 == 0 ? 50 : 40), hash_salt: \"\(version)\" } }]"
    }

    /// The sources of a plan, the sampled one first.
    func sources(of plan: PipelinePlan) throws -> [Source] {
        var sources: [Source] = []
        for (name, isOuter) in [("spans", false), ("unkeyed", true)] {
            guard let stage = plan.index(of: name) else { continue }
            var settings = PartitionTask.Settings(
                encoding: .otlpProto, maximumRecordBytes: 1 << 20, sourceName: name)
            settings.isRepartitioned = world.isRepartitioned && !isOuter
            sources.append(Source(stage: stage, settings: settings, isOuter: isOuter))
        }
        return sources
    }
}

/// Stages of simulated pipelines: a source whose records and sinks whose flushes are given by hand. For tests too.
package enum SimulatedRegistry {
    /// - Parameters:
    ///   - sampler: of the kind `tail_sampler`.
    ///   - source: of the kind `input`.
    ///   - sink: of the kind `output`.
    package static func make(
        sampler: StageDefinition = TailSamplerStage.definition,
        source: @escaping @Sendable () throws -> any Pipeline.Source = {
            throw StageError("records are given by hand")
        },
        sink: @escaping @Sendable () throws -> any Sink = { throw StageError("sinks are given by hand") }
    ) -> StageRegistry {
        var registry = StageRegistry()
        registry.register(sampler)
        registry.register(
            StageDefinition(
                kind: "input", role: .source, summary: "", inputs: [],
                outputs: [OutputPort("spans", .spans, summary: "")], options: [],
                make: .source { _, _ in try source() }))
        for (kind, input) in [("output", PortType.traces), ("spans_output", .spans)] {
            registry.register(
                StageDefinition(
                    kind: kind, role: .sink, summary: "", inputs: [input], outputs: [], options: [],
                    make: .sink { _, _ in try sink() }))
        }
        return registry
    }

    package static func load(_ text: String, _ registry: StageRegistry) throws -> PipelinePlan {
        let (plan, diagnostics) = PipelinePlan.load(text: text, registry: registry, environment: [:])
        guard let plan else { throw StageError(diagnostics.sorted.map(\.description).joined(separator: "\n")) }
        return plan
    }
}
