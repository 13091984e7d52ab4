public import TraceModel

/// What to search for. Every condition must hold; what is nil or empty is no condition.
public struct TraceQuery: Sendable, Equatable {
    /// A key and value that an indexer stored for the trace.
    public struct Tag: Sendable, Hashable {
        public var key: String
        public var value: String

        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    public static let defaultLimit = 20
    public static let maximumLimit = 1500

    /// Service of any span.
    public var service: String?
    /// Name of any span; of that service where one is given.
    public var operation: String?
    /// True: traces with an error. False: traces without.
    public var hasError: Bool?
    /// Nanoseconds.
    public var minDuration: UInt64?
    /// Nanoseconds.
    public var maxDuration: UInt64?
    /// The trace ends at or after this time, nanoseconds since the Unix epoch.
    public var from: UInt64?
    /// The trace starts at or before this time, nanoseconds since the Unix epoch.
    public var to: UInt64?
    public var tags: [Tag] = []
    /// Clamped to 1…1500.
    public var limit = TraceQuery.defaultLimit
    /// Where the page before ended.
    public var cursor: SearchCursor?

    public init() {}
}

/// A place in the order of search results: newest first, then by id.
public struct SearchCursor: Sendable, Equatable, CustomStringConvertible {
    var startTime: UInt64
    var traceID: TraceID

    init(startTime: UInt64, traceID: TraceID) {
        self.startTime = startTime
        self.traceID = traceID
    }

    /// Parses what `description` gave; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard
            parts.count == 2, parts[1].utf8.count == 32, let start = SpanID(hex: parts[0]),
            let id = TraceID(hex: parts[1])
        else { return nil }
        self.init(startTime: start.value, traceID: id)
    }

    /// Opaque to clients.
    public var description: String { "\(String(startTime, radix: 16))-\(traceID.hex)" }

    /// Whether a result comes after this place.
    func precedes(startTime: UInt64, traceID: TraceID) -> Bool {
        startTime == self.startTime ? self.traceID < traceID : startTime < self.startTime
    }
}

/// One line of a search result.
public struct TraceSummaryRow: Sendable, Equatable {
    public var traceID: TraceID
    public var rootService: String
    public var rootName: String
    public var hasRoot: Bool
    /// Nanoseconds since the Unix epoch.
    public var startTime: UInt64
    public var endTime: UInt64
    /// Spans that are stored.
    public var spanCount: Int
    /// Spans that were left out, since only the trace's outline was kept.
    public var leftOutSpanCount: Int
    public var errorCount: Int
    /// Sorted.
    public var services: [String]
    public var policy: String
    public var probability: Double
    public var reason: String

    public init(
        traceID: TraceID, rootService: String, rootName: String, hasRoot: Bool, startTime: UInt64, endTime: UInt64,
        spanCount: Int, leftOutSpanCount: Int = 0, errorCount: Int, services: [String], policy: String,
        probability: Double, reason: String
    ) {
        self.traceID = traceID
        self.rootService = rootService
        self.rootName = rootName
        self.hasRoot = hasRoot
        self.startTime = startTime
        self.endTime = endTime
        self.spanCount = spanCount
        self.leftOutSpanCount = leftOutSpanCount
        self.errorCount = errorCount
        self.services = services
        self.policy = policy
        self.probability = probability
        self.reason = reason
    }

    /// Nanoseconds.
    public var duration: UInt64 { endTime > startTime ? endTime - startTime : 0 }
}

/// One page of search results.
public struct SearchPage: Sendable, Equatable {
    /// Newest first.
    public var traces: [TraceSummaryRow]
    /// Nil on the last page.
    public var nextCursor: SearchCursor?
    /// Segments that could not be searched: results may be missing.
    public var unreadableSegments: [SegmentProblem]

    public init(
        traces: [TraceSummaryRow], nextCursor: SearchCursor? = nil, unreadableSegments: [SegmentProblem] = []
    ) {
        self.traces = traces
        self.nextCursor = nextCursor
        self.unreadableSegments = unreadableSegments
    }
}

/// The size of a store as its readers see it.
public struct StoreStatistics: Sendable, Equatable {
    public var segmentCount = 0
    public var traceCount = 0
    public var spanCount: UInt64 = 0
    /// Bytes of the segment files.
    public var fileBytes: UInt64 = 0
    /// Bytes of the traces before compression.
    public var payloadBytes: UInt64 = 0
    /// Memory that cached summaries occupy; an estimate.
    public var cachedBytes = 0
    public var unreadableSegments: [SegmentProblem] = []
    /// Why the catalog could not be read last time; the segments known before still answer.
    public var catalogError: String?
}
