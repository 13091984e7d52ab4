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
    /// Of the trace only the outline is kept: the spans with an error, those above them, and the root.
    public var isOutline: Bool
    /// The chance of being kept whole, where the outline had a higher one: `probability`. Nil elsewhere.
    public var wholeProbability: Double?
    /// Stream time, milliseconds since the Unix epoch.
    public var decidedAt: Int64
    /// Spans at the decision, and those of them with an error.
    public var spanCount: UInt32
    public var errorCount: UInt32
    /// Bytes of those spans as received.
    public var byteCount: UInt64
    /// Nanoseconds from the earliest start to the latest end; the decision log keeps whole microseconds.
    public var duration: UInt64
    /// Lowest and highest offsets its spans came from.
    public var firstOffset: Int64
    public var lastOffset: Int64
    /// What an adaptive policy says of it.
    public var detail = DecisionDetail(.none)

    public static let noPolicy: UInt16 = .max

    public init(
        traceID: TraceID, isKept: Bool, trigger: Decision.Trigger, policyIndex: UInt16, policyVersion: UInt32,
        probability: Double, decidedAt: Int64, spanCount: UInt32, byteCount: UInt64, duration: UInt64,
        firstOffset: Int64, lastOffset: Int64, errorCount: UInt32 = 0, isOutline: Bool = false,
        wholeProbability: Double? = nil
    ) {
        self.traceID = traceID
        self.isKept = isKept
        self.trigger = trigger
        self.policyIndex = policyIndex
        self.policyVersion = policyVersion
        self.probability = probability
        self.isOutline = isOutline
        self.wholeProbability = wholeProbability
        self.decidedAt = decidedAt
        self.spanCount = spanCount
        self.errorCount = errorCount
        self.byteCount = byteCount
        self.duration = duration
        self.firstOffset = firstOffset
        self.lastOffset = lastOffset
    }
}

/// Spans that came after their trace's decision and followed it, as the decision log counts them.
public struct LateSpans: Sendable, Equatable {
    public var traceID: TraceID
    /// The decision that they followed.
    public var isKept: Bool
    public var count: UInt32

    public init(traceID: TraceID, isKept: Bool, count: UInt32) {
        self.traceID = traceID
        self.isKept = isKept
        self.count = count
    }
}
