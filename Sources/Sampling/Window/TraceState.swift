import TraceModel

/// What the window knows about one undecided trace: bits and accumulators, no span objects.
struct TraceState: BitwiseCopyable {
    var traceID: TraceID
    /// Stream times in milliseconds.
    var firstSeen: Int64
    var lastSeen: Int64
    /// Stream time at which a root span came; `Int64.max` while there is none.
    var rootSeen: Int64 = .max
    /// Stream time at which a limit closed the window early; `Int64.max` otherwise.
    var limitReached: Int64 = .max
    /// Earliest start and latest end of its spans, nanoseconds; zero times are ignored as unset.
    var startTime: UInt64 = .max
    var endTime: UInt64 = 0
    var byteCount: UInt64 = 0
    /// One bit per span condition of the policies: some span has met it.
    var matched: UInt64 = 0
    var spanCount: UInt32 = 0
    var errorCount: UInt32 = 0
    var firstRun = RunPool.none
    var lastRun = RunPool.none
    /// Spans that came after the deadline but before the tick's decision.
    var firstLateRun = RunPool.none
    var lastLateRun = RunPool.none
    /// Run of the first root span (or of the first span while there is no root), and the span's place in it.
    var rootRun = RunPool.none
    var rootPosition: UInt32 = 0
    /// The tick in whose bucket the trace is scheduled.
    var scheduledTick: Int64 = .max
    /// Distinguishes the users of one slot; 0 for a free one.
    var generation: UInt32 = 0
    /// Bit per status code that some span has: 1 unset, 2 ok, 4 error.
    var statusSeen: UInt8 = 0

    init(traceID: TraceID, seen: Int64) {
        self.traceID = traceID
        firstSeen = seen
        lastSeen = seen
    }

    /// Nanoseconds from the earliest start to the latest end.
    var duration: UInt64 { endTime > startTime ? endTime - startTime : 0 }
}
