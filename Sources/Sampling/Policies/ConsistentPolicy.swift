import TraceModel

/// `probabilistic` in the modes of OpenTelemetry's consistent sampling: keeps a trace when its 56 random bits are not below
/// a threshold, so that samplers with different shares keep subsets of each other's traces.
public final class ConsistentPolicy: SamplingPolicy {
    public enum Mode: Sendable {
        /// The share is of the traces that were there in the first place: what was sampled more before is kept whole.
        case equalizing
        /// The share is of the traces that come here, whatever was sampled before.
        case proportional
    }

    public let name: String
    private let mode: Mode
    private let share: Double

    public init(name: String, percentage: Double, mode: Mode) {
        self.name = name
        self.mode = mode
        share = min(1, max(0, percentage / 100))
    }

    public var randomness: String? { "w3c" }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        let before = trace.upstream.probability
        let after = mode == .equalizing ? min(before, share) : before * share
        let threshold = SamplingThreshold.threshold(probability: after)
        // What is reported is the part that this sampler adds.
        let probability = before > 0 ? after / before : 0
        return trace.upstream.randomness(of: trace.traceID) >= threshold
            ? .keep(probability: probability) : .pass(probability: probability)
    }
}

/// `upstream`: keeps what samplers before this one chose to keep, as they say so in the sampled flag or in a threshold.
public final class UpstreamPolicy: SamplingPolicy {
    public let name: String
    public let conditions: [any SpanCondition]
    private let honoursFlag: Bool
    private let honoursThreshold: Bool

    public init(name: String, honoursFlag: Bool, honoursThreshold: Bool) {
        self.name = name
        self.honoursFlag = honoursFlag
        self.honoursThreshold = honoursThreshold
        conditions = honoursFlag ? [SampledFlagCondition()] : []
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        // A threshold that contradicts the random bits was not what decided.
        if honoursThreshold, let threshold = trace.upstream.threshold,
            trace.upstream.randomness(of: trace.traceID) >= threshold
        {
            return .keep(probability: 1)
        }
        if honoursFlag, matched[0] { return .keep(probability: 1) }
        return .pass(probability: 0)
    }
}
