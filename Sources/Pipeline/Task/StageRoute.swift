/// What a task does with what reaches a stage, worked out once: a plan's stages are large values, and copying one for every
/// record would cost more than the record.
final class StageRoute {
    enum Action {
        case sampler
        case scrubber(any SpanScrubber, isEager: Bool)
        case filter
        case sink
        /// Sources, and stages of traces, which are asked where a trace leaves a sampler.
        case none
    }

    let stage: Int
    let name: String
    let action: Action
    /// Consumers of each port that spans leave by, in the order of the ports; side outputs included.
    let spanConsumers: [[Int]]
    /// Consumers of the source's main port.
    let mainConsumers: [Int]
    let traceConsumers: [Int]
    let summaryConsumers: [Int]
    let rejectConsumers: [Int]

    init(_ stage: Int, in plan: PipelinePlan, _ action: Action) {
        let declared = plan.stages[stage]
        self.stage = stage
        self.action = action
        name = declared.name
        let ports = Array(zip(declared.definition.outputs, declared.consumers))
        func consumers(_ type: PortType) -> [[Int]] { ports.filter { $0.0.type == type }.map(\.1) }
        spanConsumers = consumers(.spans)
        mainConsumers = ports.first { !$0.0.isSide }?.1 ?? []
        traceConsumers = consumers(.traces).flatMap { $0 }
        summaryConsumers = consumers(.summaries).flatMap { $0 }
        rejectConsumers = consumers(.rejects).flatMap { $0 }
    }
}
