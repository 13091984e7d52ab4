extension PartitionTask {
    /// Decides what samplers hold that the new plan does not have. To be called before the group of the old plan is sealed, so
    /// that these decisions are recorded.
    package func closeSamplers(missingIn plan: TaskPlan) {
        for lane in lanes where Self.place(of: lane, in: plan, old: taskPlan) == nil {
            isDirty = true
            lane.sampler.closeAll(output: lane)
            lane.ledger.popFinished()
        }
    }

    /// Takes over a new plan between two records. Open traces, decisions and offsets stay; stages that keep nothing are made
    /// anew.
    ///
    /// - Throws: when a stage cannot be made; nothing has changed then, unless a sampler refused settings that it had accepted
    ///   in the trial before (`PlanReload`).
    package func adopt(
        _ plan: TaskPlan, settings: Settings, environment: StageEnvironment, sinks: WorkerSinks
    ) throws {
        let made = try TaskStages(plan, environment)
        let old = taskPlan
        taskPlan = plan
        stages = made
        self.settings = settings
        self.sinks = sinks
        inputs = Array(repeating: [], count: plan.plan.stages.count)
        var kept: [TaskLane] = []
        for index in plan.stages where plan.plan.stages[index].role == .sampler {
            let lane = lanes.first { Self.place(of: $0, in: plan, old: old) == index }
            let context = made.samplerContext(index, plan, environment, partition)
            if let lane {
                lane.stage = index
                lane.wantsDropped = wantsDropped(index)
                kept.append(lane)
                if try lane.sampler.reconfigure(plan.plan.stages[index].settings, context) { continue }
                lane.sampler.closeAll(output: lane)
                guard case .sampler(let make) = plan.plan.stages[index].definition.make else { continue }
                let state = lane.sampler.state
                lane.sampler = ordered(try make(plan.plan.stages[index].settings, context))
                lane.sampler.restore(state: state)
            } else {
                kept.append(try makeLane(index, environment))
            }
        }
        lanes = kept
        isDirty = isDirty || isPositioned
    }

    /// The stage of a new plan that goes on with a lane's sampler: same name, same kind.
    private static func place(of lane: TaskLane, in plan: TaskPlan, old: TaskPlan) -> Int? {
        guard let index = plan.plan.index(of: lane.name), plan.stages.contains(index),
            plan.plan.stages[index].kind == old.plan.stages[lane.stage].kind
        else { return nil }
        return index
    }
}
