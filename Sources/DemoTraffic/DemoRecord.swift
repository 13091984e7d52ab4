import TraceModel

/// One export of one service instance: spans of a single trace. A trace arrives as several of these.
public struct DemoRecord: Sendable, Hashable {
    /// Always one resource; a list because an OTLP request is one.
    public var resourceSpans: [ResourceSpans]
    /// The trace of all spans in the record.
    public var traceID: TraceID
    /// When the SDK would have sent the record, in nanoseconds since the Unix epoch of a correct clock. A span of an
    /// instance whose clock is ahead may end after it.
    public var emitTime: UInt64

    public init(resourceSpans: [ResourceSpans], traceID: TraceID, emitTime: UInt64) {
        self.resourceSpans = resourceSpans
        self.traceID = traceID
        self.emitTime = emitTime
    }
}

/// What was put into the traces made so far, to hold a pipeline's findings against.
public struct DemoGroundTruth: Sendable, Hashable {
    public var traces = 0
    /// Spans that are or will be in records; a span lost on the way (`orphanRate`) is not counted.
    public var spans = 0
    /// Traces with at least one span of status error.
    public var errorTraces = 0
    /// Traces whose root lasts longer than a second.
    public var slowTraces = 0
    /// Spans that arrive seconds after the rest of their trace.
    public var lateSpans = 0
    /// Spans whose parent never arrives.
    public var orphanSpans = 0
    /// Spans with a user id, e-mail address, password, token or card number in some attribute.
    public var piiSpans = 0

    public init() {}
}
