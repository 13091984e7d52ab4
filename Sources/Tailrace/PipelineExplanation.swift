public import Pipeline
import Sampling

extension PipelinePlan {
    /// How each sampler evaluates its policies, for people: a line with the stage's name, then one per policy.
    public var explanation: String {
        stages.filter { $0.kind == TailSamplerStage.definition.kind }.map { stage in
            ([stage.name] + PolicyExplanation.lines(of: stage.settings).map { "  \($0)" }).joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
