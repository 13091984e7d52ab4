import Pipeline

/// When a trace's window closes. All times are stream time in milliseconds.
public struct WindowSettings: Sendable, Equatable {
    /// Hard cap from the first span.
    public var max: Int64 = 30_000
    /// After the root span: SDKs flush every 5 s, so the spans of one trace arrive up to 9 s apart. Nil: not used.
    public var settle: Int64? = 10_000
    /// After the last span. Nil: not used.
    public var idle: Int64? = 15_000
    /// All traces whose window closed within one tick are decided together.
    public var tick: Int64 = 1000
    /// A trace with more spans or bytes is decided at once, with the trigger `limit`.
    public var maximumSpansPerTrace: UInt32 = 100_000
    public var maximumBytesPerTrace: UInt64 = 256 << 20
    /// The Collector's `maximum_trace_size_bytes`: a trace with more bytes is dropped at once, whatever the policies say.
    public var droppedAboveBytes: UInt64 = .max
    /// The Collector's `sample_on_first_match`: policies behind the first that keeps a trace are not asked.
    public var stopsAtFirstMatch = false
    /// Kept spans say how they were sampled: see `SpanAnnotation`.
    public var annotates = false
    /// Where spans wait for their decision.
    public var buffer = Buffer.memory
    /// Whether spans in memory go to disk when the worker's budget is reached, before traces are decided early.
    public var spillsAtBudget = true
    /// How long decisions are remembered.
    public var decisionHorizon: Int64 = 3_600_000

    public enum Buffer: String, Sendable, CaseIterable {
        case memory
        /// Spans go to disk as they come; what policies need to know of them stays in memory.
        case disk
    }

    public init() {}
}

extension WindowSettings {
    /// The stream time at which the trace's window closes, and why.
    @inline(__always)
    func deadline(of state: borrowing TraceState) -> Int64 {
        var deadline = state.firstSeen &+ max
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .longWindowStaysOpen { deadline = deadline &+ 3 * max }
        #endif
        if let idle { deadline = Swift.min(deadline, state.lastSeen &+ idle) }
        if let settle, state.rootSeen != .max { deadline = Swift.min(deadline, state.rootSeen &+ settle) }
        return Swift.min(deadline, state.limitReached)
    }
}
