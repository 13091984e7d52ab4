/// `rate_limiting` and `bytes_limiting`: keeps traces while a token bucket lasts, a trace whole or not at all.
///
/// As in the Collector it is asked, and charged, for every trace, also for those that another policy keeps; inside an `and`
/// only for those that the sub-policies before it keep. Time is that of the decisions.
public final class LimitingPolicy: StatefulPolicy {
    public enum Unit: Sendable {
        case spans
        /// Bytes of the trace as one OTLP request.
        case bytes
    }

    public let name: String
    private let unit: Unit
    private var bucket: TokenBucket

    /// - Parameters:
    ///   - rate: units per second.
    ///   - capacity: most units at once; a larger trace never passes.
    public init(name: String, unit: Unit, rate: Int64, capacity: Int64) {
        self.name = name
        self.unit = unit
        bucket = TokenBucket(rate: rate, capacity: capacity)
    }

    public var randomness: String? { "limit \(name)" }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        let amount = unit == .spans ? UInt64(trace.spanCount) : trace.spans.requestBytes
        let isPassed = bucket.take(amount, at: trace.decidedAt)
        return isPassed ? .keep(probability: bucket.share) : .limited(probability: bucket.share)
    }

    public func encodeState(into encoder: inout StateEncoder) { bucket.encode(into: &encoder) }

    public func restoreState(from decoder: inout StateDecoder) { bucket.restore(from: &decoder) }
}
