/// A pipeline that was checked and can run: its stages in topological order, joined by typed edges.
public struct PipelinePlan: Sendable {
    /// One edge, seen from the stage that reads.
    public struct Edge: Sendable, Equatable {
        /// Index into `PipelinePlan.stages` of the stage that gives.
        public let stage: Int
        /// Index into that stage's `definition.outputs`.
        public let port: Int
        /// Where `from` names it.
        public let location: SourceLocation
    }

    public struct Stage: Sendable {
        public let name: String
        public let definition: StageDefinition
        public let settings: StageSettings
        /// What it reads, in the order of `from`.
        public let inputs: [Edge]
        /// For each of `definition.outputs`, the indices of the stages that read it, ascending.
        public let consumers: [[Int]]
        /// Where its name stands in the file.
        public let location: SourceLocation
        /// See `PipelinePlan.configurationHash(of:)`.
        public let configurationHash: UInt32

        public var kind: String { definition.kind }
        public var role: StageRole { definition.role }
    }

    public let name: String
    /// The file it came from, as named by the caller.
    public let file: String
    /// Every stage stands after all stages it reads from; otherwise in the order of the file.
    public let stages: [Stage]
    /// The file's `tests`: what `tailrace test` runs. A worker ignores them.
    public let tests: [PipelineTest]
    /// Changes when anything changes that a stage is, is told or reads; not with comments, the order of keys or of
    /// stages. Stable across processes and versions: FNV-1a over the canonical content.
    /// The contents of files that options name are not part of it.
    public let configurationHash: UInt32

    /// For each stage the scrubbers its input has passed.
    private let scrubberChains: [[Int]]
    private let indices: [String: Int]

    init(name: String, file: String, stages: [Stage], tests: [PipelineTest], scrubberChains: [[Int]]) {
        self.name = name
        self.file = file
        self.stages = stages
        self.tests = tests
        self.scrubberChains = scrubberChains
        indices = Dictionary(stages.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        configurationHash = ConfigurationHash.hash(of: stages)
    }

    /// The index of the stage with a name.
    public func index(of name: String) -> Int? { indices[name] }

    /// The stage with a name.
    public func stage(named name: String) -> Stage? { indices[name].map { stages[$0] } }

    /// Indices of the stages with a role, in topological order.
    public func stages(with role: StageRole) -> [Int] { stages.indices.filter { stages[$0].role == role } }

    public var sources: [Int] { stages(with: .source) }
    public var samplers: [Int] { stages(with: .sampler) }
    public var sinks: [Int] { stages(with: .sink) }

    /// The output port an edge starts at.
    public func port(of edge: Edge) -> OutputPort { stages[edge.stage].definition.outputs[edge.port] }

    /// Types of what a stage reads, each once, in the order of `from`.
    public func inputTypes(of stage: Int) -> [PortType] {
        var types: [PortType] = []
        for edge in stages[stage].inputs where !types.contains(port(of: edge).type) {
            types.append(port(of: edge).type)
        }
        return types
    }

    /// Indices of the scrubbers between the source and a stage, in the order they are applied. The same on every path:
    /// the plan was refused otherwise. Rejects are raw and have passed none.
    public func scrubbers(before stage: Int) -> [Int] { scrubberChains[stage] }

    /// Changes when the stage's kind or settings change, not with its name, its edges, comments or the order of keys:
    /// the version of a sampler's policies.
    public func configurationHash(of stage: Int) -> UInt32 { stages[stage].configurationHash }
}
