/// How one source's records run through a plan: worked out once, shared by the source's tasks.
package struct TaskPlan: Sendable {
    package let plan: PipelinePlan
    package let source: Int
    /// Stages that the source reaches, in topological order, the source left out.
    package let stages: [Int]
    /// Scrubbers that must be applied before some stage behind them looks at the spans.
    package let eagerScrubbers: Set<Int>

    package init(plan: PipelinePlan, source: Int) {
        self.plan = plan
        self.source = source
        var reached: Set<Int> = [source]
        // The stages of a plan are in topological order: one pass finds everything behind the source.
        for index in plan.stages.indices where plan.stages[index].inputs.contains(where: { reached.contains($0.stage) })
        {
            reached.insert(index)
        }
        reached.remove(source)
        stages = reached.sorted()
        eagerScrubbers = []
    }

    package init(_ other: TaskPlan, eagerScrubbers: Set<Int>) {
        plan = other.plan
        source = other.source
        stages = other.stages
        self.eagerScrubbers = eagerScrubbers
    }

    /// Scrubbers before a stage that were not applied on the way: whoever writes the spans applies them.
    func lazyScrubbers(before stage: Int) -> [Int] {
        plan.scrubbers(before: stage).filter { !eagerScrubbers.contains($0) }
    }

    /// Finds the scrubbers that change what a filter or sampler behind them reads.
    package static func make(
        plan: PipelinePlan, source: Int, environment: StageEnvironment
    ) throws -> TaskPlan {
        let base = TaskPlan(plan: plan, source: source)
        var eager: Set<Int> = []
        for stage in base.stages {
            let stageDefinition = plan.stages[stage].definition
            guard stageDefinition.role == .filter || stageDefinition.role == .sampler else { continue }
            let keys = stageDefinition.attributeKeysRead(plan.stages[stage].settings)
            for scrubberIndex in plan.scrubbers(before: stage) where !eager.contains(scrubberIndex) {
                guard let keys else {
                    eager.insert(scrubberIndex)
                    continue
                }
                guard case .scrubber(let make) = plan.stages[scrubberIndex].definition.make else { continue }
                let scrubber = try make(plan.stages[scrubberIndex].settings, environment)
                if keys.contains(where: scrubber.canChange(attributeKey:)) { eager.insert(scrubberIndex) }
            }
        }
        // Scrubbers are applied in their order: what stands before an eager one cannot wait either.
        for scrubber in eager { eager.formUnion(plan.scrubbers(before: scrubber)) }
        return TaskPlan(base, eagerScrubbers: eager)
    }
}
