public import Pipeline
public import TraceModel

extension StoredTrace {
    /// A trace that a server answered with.
    public init(remote traceID: TraceID, resourceSpans: [ResourceSpans], decision: Decision?) {
        self.init(
            traceID: traceID, resourceSpans: resourceSpans, decision: decision,
            spanCount: resourceSpans.reduce(0) { $0 + $1.scopeSpans.reduce(0) { $0 + $1.spans.count } },
            lateRowCount: 0, unreadableSegments: [])
    }
}

extension SearchPage {
    /// Results that a server answered with.
    public init(remote traces: [TraceSummaryRow], nextCursor: SearchCursor?) {
        self.init(traces: traces, nextCursor: nextCursor, unreadableSegments: [])
    }
}

extension TraceSummaryRow {
    /// A row that a server answered with. Times are nanoseconds.
    public init(
        remote traceID: TraceID, rootService: String, rootName: String, hasRoot: Bool, startTime: UInt64,
        duration: UInt64, spanCount: Int, leftOutSpanCount: Int = 0, errorCount: Int, services: [String],
        policy: String, probability: Double,
        reason: String
    ) {
        self.init(
            traceID: traceID, rootService: rootService, rootName: rootName, hasRoot: hasRoot, startTime: startTime,
            endTime: startTime &+ duration, spanCount: spanCount, leftOutSpanCount: leftOutSpanCount,
            errorCount: errorCount, services: services,
            policy: policy, probability: probability, reason: reason)
    }
}
