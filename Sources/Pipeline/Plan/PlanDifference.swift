/// What changed from one plan to the next, by stage name: the basis of a reload.
public struct PlanDifference: Sendable, Equatable {
    /// Stages of both plans whose kind, settings or inputs differ.
    public private(set) var changed: [String] = []
    public private(set) var added: [String] = []
    public private(set) var removed: [String] = []

    public init(from old: PipelinePlan, to new: PipelinePlan) {
        for stage in new.stages {
            guard let before = old.stage(named: stage.name) else {
                added.append(stage.name)
                continue
            }
            let isSame =
                before.configurationHash == stage.configurationHash
                && Self.inputs(of: before, in: old) == Self.inputs(of: stage, in: new)
            if !isSame { changed.append(stage.name) }
        }
        removed = old.stages.map(\.name).filter { new.stage(named: $0) == nil }
    }

    public var isEmpty: Bool { changed.isEmpty && added.isEmpty && removed.isEmpty }

    /// Whether the stage is there in both plans with the same kind and settings, wherever it reads from.
    static func isSame(_ name: String, in old: PipelinePlan, and new: PipelinePlan) -> Bool {
        guard let before = old.stage(named: name), let after = new.stage(named: name) else { return false }
        return before.configurationHash == after.configurationHash
    }

    private static func inputs(of stage: PipelinePlan.Stage, in plan: PipelinePlan) -> [String] {
        stage.inputs.map { "\(plan.stages[$0.stage].name).\(plan.port(of: $0).name)" }.sorted()
    }
}
