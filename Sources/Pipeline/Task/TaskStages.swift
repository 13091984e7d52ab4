/// The stages of one task that keep no spans: made from a plan, made anew when it changes.
struct TaskStages {
    var filters: [Int: (filter: any SpanFilter, outputs: SpanFilterOutputs)] = [:]
    private(set) var scrubbers: [Int: any SpanScrubber] = [:]
    private(set) var traceStages: [Int: any TraceStage] = [:]
    /// By stage index of the plan; nil for stages that the source does not reach.
    private(set) var routes: [StageRoute?] = []
    /// The routes in topological order, the source left out.
    private(set) var order: [StageRoute] = []

    init() {}

    init(_ taskPlan: TaskPlan, _ environment: StageEnvironment) throws {
        for index in taskPlan.stages {
            let stage = taskPlan.plan.stages[index]
            switch stage.definition.make {
            case .source, .sink, .sampler: break
            case .filter(let make):
                let ports = stage.definition.outputs.filter { $0.type == .spans }.count
                filters[index] = (try make(stage.settings, environment), SpanFilterOutputs(portCount: ports))
            case .scrubber(let make): scrubbers[index] = try make(stage.settings, environment)
            case .trace(let make): traceStages[index] = try make(stage.settings, environment)
            }
        }
        routes = Array(repeating: nil, count: taskPlan.plan.stages.count)
        for index in [taskPlan.source] + taskPlan.stages {
            routes[index] = StageRoute(index, in: taskPlan.plan, action(index, taskPlan))
        }
        order = taskPlan.stages.compactMap { routes[$0] }
    }

    private func action(_ index: Int, _ taskPlan: TaskPlan) -> StageRoute.Action {
        if let scrubber = scrubbers[index] {
            return .scrubber(scrubber, isEager: taskPlan.eagerScrubbers.contains(index))
        }
        return switch taskPlan.plan.stages[index].role {
        case .sampler: .sampler
        case .sink: .sink
        default: filters[index] == nil ? .none : .filter
        }
    }

    /// What a sampler of the task is told besides its settings.
    func samplerContext(
        _ index: Int, _ taskPlan: TaskPlan, _ environment: StageEnvironment, _ partition: PartitionID
    ) -> SamplerContext {
        SamplerContext(
            environment: environment, partition: partition,
            scrubbers: taskPlan.lazyScrubbers(before: index).compactMap { scrubbers[$0] },
            policyVersion: taskPlan.plan.configurationHash(of: index))
    }
}
