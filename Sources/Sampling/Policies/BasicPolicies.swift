public import TraceModel

/// `always_sample`: keeps every trace.
public final class AlwaysSamplePolicy: SamplingPolicy {
    public let name: String

    public init(name: String) { self.name = name }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote { .keep(probability: 1) }
}

/// `status_code`: keeps traces in which some span has one of the status codes.
public final class StatusCodePolicy: SamplingPolicy {
    public let name: String
    private let wanted: UInt8

    public init(name: String, statusCodes: Set<StatusCode>) {
        self.name = name
        wanted = statusCodes.reduce(0) { $0 | 1 << $1.rawValue }
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        trace.statusSeen & wanted != 0 ? .keep(probability: 1) : .pass(probability: 0)
    }
}

/// `latency`: keeps traces that took longer than a threshold, from the earliest start to the latest end of all spans.
///
/// As in the Collector the duration is truncated to whole milliseconds and the lower bound is exclusive, the upper inclusive;
/// unlike there the upper bound is tested on the whole trace, not on a prefix of its spans.
public final class LatencyPolicy: SamplingPolicy {
    public let name: String
    private let threshold: UInt64
    private let upperThreshold: UInt64

    /// - Parameters:
    ///   - threshold: milliseconds.
    ///   - upperThreshold: milliseconds; 0 means none.
    public init(name: String, threshold: UInt64, upperThreshold: UInt64) {
        self.name = name
        self.threshold = threshold
        self.upperThreshold = upperThreshold
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        let milliseconds = trace.duration / 1_000_000
        let isSlow = milliseconds > threshold && (upperThreshold == 0 || milliseconds <= upperThreshold)
        return isSlow ? .keep(probability: 1) : .pass(probability: 0)
    }
}

/// `span_count`: keeps traces with at least and at most so many spans, duplicates included.
public final class SpanCountPolicy: SamplingPolicy {
    public let name: String
    private let minimum: UInt32
    private let maximum: UInt32

    /// - Parameter maximum: inclusive; 0 means none.
    public init(name: String, minimum: UInt32, maximum: UInt32) {
        self.name = name
        self.minimum = minimum
        self.maximum = maximum
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        let isWithin = trace.spanCount >= minimum && (maximum == 0 || trace.spanCount <= maximum)
        return isWithin ? .keep(probability: 1) : .pass(probability: 0)
    }
}

/// Keeps traces in which some span meets a condition, or (inverted) in which none does: what the Collector's
/// `string_attribute`, `numeric_attribute`, `boolean_attribute`, `trace_state`, `trace_flags` and `ottl_condition` have in
/// common.
public final class AnySpanPolicy: SamplingPolicy {
    public let name: String
    public let conditions: [any SpanCondition]
    private let isInverted: Bool

    public init(name: String, _ condition: any SpanCondition, isInverted: Bool = false) {
        self.name = name
        conditions = [condition]
        self.isInverted = isInverted
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        matched[0] != isInverted ? .keep(probability: 1) : .pass(probability: 0)
    }
}
