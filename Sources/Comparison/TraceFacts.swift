import TraceModel

/// What is known of one trace of the recording, without its spans: about a hundred bytes.
struct TraceFacts {
    /// What one side did with the trace.
    struct Fate {
        /// A decision was made; a trace whose spans are all filtered away before the sampler has none.
        var isDecided = false
        var isKept = false
        /// Place in the side's list of policies, of the decision that kept it.
        var policy: UInt16 = 0
    }

    var traceID: TraceID
    /// Nanoseconds since the Unix epoch.
    var startTime = UInt64.max
    var endTime: UInt64 = 0
    var spanCount: UInt32 = 0
    var errorCount: UInt32 = 0
    /// Of its spans as received.
    var byteCount: UInt64 = 0
    /// Place in the table of operations: of the root span, or of the first span seen where the root is missing.
    var root: UInt32 = 0
    var hasRoot = false
    var fates = PerSide(Fate())

    init(traceID: TraceID) { self.traceID = traceID }

    /// Nanoseconds from the earliest start to the latest end.
    var duration: UInt64 { endTime > startTime ? endTime - startTime : 0 }

    var hasError: Bool { errorCount > 0 }
}

/// The traces of a recording by id. Grows with the number of traces, never with that of spans.
struct TraceFactsTable {
    private(set) var traces: [TraceFacts] = []
    private var places: [TraceID: UInt32] = [:]
    private var last: (id: TraceID, place: Int)?

    /// The trace's place, made where it is new.
    mutating func place(of id: TraceID) -> Int {
        // Spans of one trace mostly come together.
        if let last, last.id == id { return last.place }
        let place: Int
        if let known = places[id] {
            place = Int(known)
        } else {
            place = traces.count
            places[id] = UInt32(place)
            traces.append(TraceFacts(traceID: id))
        }
        last = (id, place)
        return place
    }

    func find(_ id: TraceID) -> Int? { places[id].map(Int.init) }

    subscript(place: Int) -> TraceFacts {
        get { traces[place] }
        _modify { yield &traces[place] }
    }
}
