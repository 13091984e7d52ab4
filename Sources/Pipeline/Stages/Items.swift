public import TraceModel

/// Why and how one trace was kept or dropped. Made once; late spans, replays and other workers follow it.
public struct Decision: Sendable, Equatable {
    /// What closed the trace's window.
    public enum Trigger: UInt8, Sendable, CaseIterable {
        case root, idle, max, limit, memory, shutdown

        public var name: String {
            switch self {
            case .root: "root"
            case .idle: "idle"
            case .max: "max"
            case .limit: "limit"
            case .memory: "memory"
            case .shutdown: "shutdown"
            }
        }

        /// For people: the second half of a decision's reason.
        public var explanation: String {
            switch self {
            case .root: "window closed after its root span"
            case .idle: "window closed after its last span"
            case .max: "window reached its maximum"
            case .limit: "trace reached its size limit"
            case .memory: "decided early to free memory"
            case .shutdown: "decided at shutdown"
            }
        }
    }

    public var isKept: Bool
    /// The policy that decided, as named in the pipeline; empty where no policy matched.
    public var policy: String
    /// The probability with which a trace like this is kept, 0…1; its inverse is the adjusted count.
    public var probability: Double
    /// Hash of the sampler's configuration that was in force.
    public var policyVersion: UInt32
    public var trigger: Trigger
    /// Stream time of the decision, milliseconds since the Unix epoch.
    public var decidedAt: Int64
    /// One sentence for people.
    public var reason: String

    public init(
        isKept: Bool, policy: String, probability: Double, policyVersion: UInt32, trigger: Trigger, decidedAt: Int64,
        reason: String
    ) {
        self.isKept = isKept
        self.policy = policy
        self.probability = probability
        self.policyVersion = policyVersion
        self.trigger = trigger
        self.decidedAt = decidedAt
        self.reason = reason
    }
}

/// What is known about a trace at its decision, without its spans.
public struct TraceSummary: Sendable, Equatable {
    public var traceID: TraceID
    /// Earliest span start, nanoseconds since the Unix epoch.
    public var startTime: UInt64
    /// Latest span end, nanoseconds since the Unix epoch.
    public var endTime: UInt64
    public var spanCount: Int
    public var errorCount: Int
    /// Bytes of the spans as received.
    public var byteCount: Int
    /// Service of the root span, or of the first span seen where the root is missing; scrubbed.
    public var rootService: String
    /// Name of the root span, or of the first span seen where the root is missing; scrubbed.
    public var rootName: String
    public var hasRoot: Bool
    /// Spans that are not among `spanCount`, since only the trace's outline is kept.
    public var leftOutSpanCount: Int

    public init(
        traceID: TraceID, startTime: UInt64, endTime: UInt64, spanCount: Int, errorCount: Int, byteCount: Int,
        rootService: String, rootName: String, hasRoot: Bool, leftOutSpanCount: Int = 0
    ) {
        self.traceID = traceID
        self.startTime = startTime
        self.endTime = endTime
        self.spanCount = spanCount
        self.errorCount = errorCount
        self.byteCount = byteCount
        self.rootService = rootService
        self.rootName = rootName
        self.hasRoot = hasRoot
        self.leftOutSpanCount = leftOutSpanCount
    }

    /// Attribute of the root of a trace that is kept in outline: its value is `leftOutSpanCount`.
    public static let leftOutSpansKey = "tailrace.left_out_spans"

    /// Of the whole trace.
    public var totalSpanCount: Int { spanCount + leftOutSpanCount }

    /// Nanoseconds from the earliest start to the latest end.
    public var duration: UInt64 { endTime > startTime ? endTime - startTime : 0 }
}

/// A searchable attribute of a kept trace, as an indexer chose it.
public struct IndexedAttribute: Hashable, Sendable {
    public var key: String
    public var value: String

    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

/// Services and operations of a kept trace, found by the indexer.
public struct IndexedOperation: Hashable, Sendable {
    public var service: String
    public var operation: String
    public var kind: SpanKind

    public init(service: String, operation: String, kind: SpanKind) {
        self.service = service
        self.operation = operation
        self.kind = kind
    }
}

/// A kept trace (or late spans of one) on its way from the sampler to the sinks. Owns its bytes.
public struct KeptTrace: Sendable {
    public var partition: PartitionID
    public var summary: TraceSummary
    public var decision: Decision
    /// The spans as an OTLP `ExportTraceServiceRequest`, scrubbed.
    public var payload: [UInt8]
    /// True for spans that came after their trace's decision.
    public var isLate: Bool
    /// Filled by indexers.
    public var attributes: [IndexedAttribute] = []
    /// Filled by indexers.
    public var operations: [IndexedOperation] = []

    public init(
        partition: PartitionID, summary: TraceSummary, decision: Decision, payload: [UInt8], isLate: Bool
    ) {
        self.partition = partition
        self.summary = summary
        self.decision = decision
        self.payload = payload
        self.isLate = isLate
    }
}

/// What leaves on `sample.dropped`: one per dropped trace, so that counts of everything stay exact.
public struct DroppedTrace: Sendable {
    public var partition: PartitionID
    public var summary: TraceSummary
    public var decision: Decision

    public init(partition: PartitionID, summary: TraceSummary, decision: Decision) {
        self.partition = partition
        self.summary = summary
        self.decision = decision
    }
}

/// Spans on their way to a sink without a sampler between: an OTLP request, scrubbed. Owns its bytes.
public struct SpanPayload: Sendable {
    public var partition: PartitionID
    /// Offset of the record they came in.
    public var offset: Int64
    /// The record's time as its task saw it: stream time at the record, milliseconds since the Unix epoch.
    public var timestamp: Int64
    /// Trace id of the first span: the key of the record to write.
    public var traceID: TraceID
    public var spanCount: Int
    public var payload: [UInt8]

    public init(
        partition: PartitionID, offset: Int64, timestamp: Int64, traceID: TraceID, spanCount: Int, payload: [UInt8]
    ) {
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.traceID = traceID
        self.spanCount = spanCount
        self.payload = payload
    }
}

/// A record, or one span of a record, that could not be used: a dead letter.
public struct RejectedRecord: Sendable {
    public var partition: PartitionID
    public var offset: Int64
    /// Stage that rejected it, as named in the pipeline.
    public var stage: String
    /// A stable snake_case word for metrics, for example `truncated`.
    public var code: String
    /// One sentence with where and what was expected.
    public var reason: String
    /// Record timestamp, milliseconds since the Unix epoch.
    public var timestamp: Int64
    /// The record's key, untouched.
    public var key: [UInt8]
    /// The record as it came, or (for one rejected span) an OTLP request of that span alone; raw, not scrubbed.
    public var payload: [UInt8]
    /// Spans in it that are counted as rejected; 1 for a record that could not be read.
    public var spanCount: Int
    /// Hash of the pipeline's configuration that was in force; nil where there is none.
    public var configVersion: UInt32?

    public init(
        partition: PartitionID, offset: Int64, stage: String, code: String, reason: String, timestamp: Int64,
        key: [UInt8], payload: [UInt8], spanCount: Int, configVersion: UInt32? = nil
    ) {
        self.partition = partition
        self.offset = offset
        self.stage = stage
        self.code = code
        self.reason = reason
        self.timestamp = timestamp
        self.key = key
        self.payload = payload
        self.spanCount = spanCount
        self.configVersion = configVersion
    }
}
