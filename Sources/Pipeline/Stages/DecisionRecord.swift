public import TraceModel

/// A decision as the decision log keeps it: what late spans, replays and `explain` need. A trivial value.
public struct DecisionRecord: Sendable, Equatable {
    public var traceID: TraceID
    public var isKept: Bool
    public var trigger: Decision.Trigger
    /// Index of the policy in its sampler's list, or `noPolicy`.
    public var policyIndex: UInt16
    public var policyVersion: UInt32
    public var probability: Double
    /// Stream time, milliseconds since the Unix epoch.
    public var decidedAt: Int64
    public var spanCount: UInt32
    public var byteCount: UInt64
    /// Nanoseconds.
    public var duration: UInt64
    /// Lowest and highest offsets its spans came from.
    public var firstOffset: Int64
    public var lastOffset: Int64

    public static let noPolicy: UInt16 = .max

    public init(
        traceID: TraceID, isKept: Bool, trigger: Decision.Trigger, policyIndex: UInt16, policyVersion: UInt32,
        probability: Double, decidedAt: Int64, spanCount: UInt32, byteCount: UInt64, duration: UInt64,
        firstOffset: Int64, lastOffset: Int64
    ) {
        self.traceID = traceID
        self.isKept = isKept
        self.trigger = trigger
        self.policyIndex = policyIndex
        self.policyVersion = policyVersion
        self.probability = probability
        self.decidedAt = decidedAt
        self.spanCount = spanCount
        self.byteCount = byteCount
        self.duration = duration
        self.firstOffset = firstOffset
        self.lastOffset = lastOffset
    }
}
