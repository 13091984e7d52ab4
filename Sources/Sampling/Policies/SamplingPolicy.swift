public import OTLP
public import TraceModel

/// A rule of a sampler: looks at a whole trace when its window closes, and votes.
///
/// What it needs from single spans it states as `conditions`: each is evaluated as spans arrive, until one span has met it,
/// and the policy reads the result as a bit. The spans themselves are not looked at again.
/// One instance per task; it may keep state (limiters, percentiles) and need not be `Sendable`.
public protocol SamplingPolicy: AnyObject {
    var name: String { get }
    /// Conditions on single spans, evaluated as they arrive. At most 64 in one sampler.
    var conditions: [any SpanCondition] { get }
    /// - Parameter matched: bit *i* is set when some span met `conditions[i]`.
    func vote(on trace: TraceEvidence, matched: UInt64) -> SamplingVote
}

/// A condition that one span meets or does not.
public protocol SpanCondition: AnyObject {
    func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool
}

/// What policies know of a trace at its decision.
public struct TraceEvidence: Sendable {
    public var traceID: TraceID
    /// Latest end minus earliest start of its spans, nanoseconds.
    public var duration: UInt64
    public var spanCount: UInt32
    public var errorCount: UInt32
    public var byteCount: UInt64
    /// Bit per status code that some span has: 1 unset, 2 ok, 4 error.
    public var statusSeen: UInt8
    public var hasRoot: Bool
    /// Stream time of the decision, milliseconds since the Unix epoch.
    public var decidedAt: Int64

    public init(
        traceID: TraceID, duration: UInt64, spanCount: UInt32, errorCount: UInt32, byteCount: UInt64, statusSeen: UInt8,
        hasRoot: Bool, decidedAt: Int64
    ) {
        self.traceID = traceID
        self.duration = duration
        self.spanCount = spanCount
        self.errorCount = errorCount
        self.byteCount = byteCount
        self.statusSeen = statusSeen
        self.hasRoot = hasRoot
        self.decidedAt = decidedAt
    }
}

/// One policy's answer.
public enum SamplingVote: Sendable, Equatable {
    /// Keep, with the probability that a trace like this had.
    case keep(probability: Double)
    /// No opinion; `probability` is the chance that the policy would have kept a trace like this.
    case pass(probability: Double)
    /// Drop, whatever the others say.
    case drop
}
