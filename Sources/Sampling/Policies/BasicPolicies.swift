public import TraceModel

/// `always_sample`: keeps every trace.
public final class AlwaysSamplePolicy: SamplingPolicy {
    public let name: String

    public init(name: String) { self.name = name }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote { .keep(probability: 1) }
}

/// `status_code`: keeps traces in which some span has one of the status codes.
public final class StatusCodePolicy: DirectPolicy {
    public let name: String
    let directVote: DirectVote

    public init(name: String, statusCodes: Set<StatusCode>) {
        self.name = name
        directVote = .status(statusCodes.reduce(0) { $0 | 1 << $1.rawValue })
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        directVote.vote(on: trace, matched: matched)
    }
}

/// `latency`: keeps traces that took longer than a threshold, from the earliest start to the latest end of all spans.
///
/// As in the Collector the duration is truncated to whole milliseconds and the lower bound is exclusive, the upper inclusive;
/// unlike there the upper bound is tested on the whole trace, not on a prefix of its spans.
public final class LatencyPolicy: DirectPolicy {
    public let name: String
    let directVote: DirectVote

    /// - Parameters:
    ///   - threshold: milliseconds.
    ///   - upperThreshold: milliseconds; 0 means none.
    public init(name: String, threshold: UInt64, upperThreshold: UInt64) {
        self.name = name
        directVote = .latency(threshold: threshold, upperThreshold: upperThreshold)
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        directVote.vote(on: trace, matched: matched)
    }
}

/// `span_count`: keeps traces with at least and at most so many spans, duplicates included.
public final class SpanCountPolicy: DirectPolicy {
    public let name: String
    let directVote: DirectVote

    /// - Parameter maximum: inclusive; 0 means none.
    public init(name: String, minimum: UInt32, maximum: UInt32) {
        self.name = name
        directVote = .spanCount(minimum: minimum, maximum: maximum)
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        directVote.vote(on: trace, matched: matched)
    }
}

/// Keeps traces in which some span meets a condition, or (inverted) in which none does: what the Collector's
/// `string_attribute`, `numeric_attribute`, `boolean_attribute`, `trace_state`, `trace_flags` and `ottl_condition` have in
/// common.
public final class AnySpanPolicy: DirectPolicy {
    public let name: String
    public let conditions: [any SpanCondition]
    let directVote: DirectVote

    public init(name: String, _ condition: any SpanCondition, isInverted: Bool = false) {
        self.name = name
        conditions = [condition]
        directVote = .anySpan(isInverted: isInverted)
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        directVote.vote(on: trace, matched: matched)
    }
}
