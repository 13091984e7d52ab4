/// A new plan on its way to one worker thread.
package struct PlanReload: @unchecked Sendable {
    package var plan: PipelinePlan
    /// By the name of the source.
    package var taskPlans: [String: TaskPlan]
    package var taskSettings: [String: PartitionTask.Settings]
    package var settings: WorkerSettings
    /// Sinks that are new or told something else, by their index in the new plan. Handed over with the reload: the thread that
    /// made them does not touch them again, which is why this type may call itself Sendable.
    package var madeSinks: [Int: any Sink]

    package init(
        plan: PipelinePlan, taskPlans: [String: TaskPlan], taskSettings: [String: PartitionTask.Settings],
        settings: WorkerSettings, madeSinks: [Int: any Sink]
    ) {
        self.plan = plan
        self.taskPlans = taskPlans
        self.taskSettings = taskSettings
        self.settings = settings
        self.madeSinks = madeSinks
    }

    /// Makes every stage once and lets it go: what cannot be made is found before anything is changed.
    package static func tryStages(of plan: PipelinePlan, environment: StageEnvironment) throws {
        for index in plan.stages.indices {
            let stage = plan.stages[index]
            do {
                switch stage.definition.make {
                // Sources and sinks are made for real before the reload.
                case .source, .sink: break
                case .filter(let make): _ = try make(stage.settings, environment)
                case .scrubber(let make): _ = try make(stage.settings, environment)
                case .trace(let make): _ = try make(stage.settings, environment)
                case .sampler(let make):
                    let context = SamplerContext(
                        environment: environment, partition: PartitionID(cluster: "", topic: "", partition: 0),
                        scrubbers: [], policyVersion: plan.configurationHash(of: index))
                    _ = try make(stage.settings, context)
                }
            } catch {
                throw StageError("stage \(stage.name): \(error)")
            }
        }
    }
}
