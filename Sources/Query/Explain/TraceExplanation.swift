import TraceModel

/// Why a trace was kept or dropped, or why there is nothing to say: what `tailrace explain` and `/v1/decisions/{id}` answer.
///
/// `Codable` with the names of the API's JSON.
public struct TraceExplanation: Sendable, Equatable, Codable {
    public enum Verdict: String, Sendable, Codable {
        case keep, drop
        /// It waits in a window.
        case undecided
        case unknown
    }

    /// One decision: a pipeline with two samplers makes two.
    public struct Decision: Sendable, Equatable, Codable {
        public var decision: Verdict
        /// Name of the policy that decided; empty where no policy matched. Null where an old file does not say.
        public var policy: String?
        /// Hash of the sampler's configuration that was in force.
        public var policyVersion: UInt32
        public var probability: Double
        /// The chance of being kept whole, where the outline had a higher one; null elsewhere.
        public var wholeProbability: Double?
        /// Of the trace only the spans with an error, those above them, and the root were kept. Null from an older server.
        public var outline: Bool?
        /// What closed the window: root, idle, max, limit, memory, shutdown.
        public var trigger: String
        /// One sentence for people.
        public var reason: String
        /// Stream time, milliseconds since the Unix epoch.
        public var decidedAtUnixMilli: Int64
        public var sampler: String
        /// At the decision.
        public var spans: UInt64
        public var errors: UInt64
        public var bytes: UInt64
        public var durationNano: UInt64
        /// After the decision, and followed it.
        public var lateSpans: UInt64
        public var cluster: String
        public var topic: String
        public var partition: Int32
        /// Of the records that its spans came in; null where the log no longer knows.
        public var firstOffset: Int64?
        public var lastOffset: Int64?
        /// Generation of the partition's owner; null where an old file does not say.
        public var epoch: UInt64?
        /// Files with the trace's spans, relative to the store; empty for a dropped trace.
        public var segments: [String]
        /// Where a budget decided; null else, and in files of before there was one.
        public var budget: Budget?
        /// Where a policy voted that has sample rates by key.
        public var sampleRate: SampleRate?
        /// Where this is known from: a decision file, or a segment where the decision log no longer reaches back.
        public var source: String
    }

    /// What a budget says of its decision.
    public struct Budget: Sendable, Equatable, Codable {
        /// coverage, error, slow, must_keep, own_budget, rest, drop.
        public var tier: String
        /// Name of the budget's rule that applied; null where none did.
        public var rule: String?
        /// The values of the key's fields; null where there were too many keys to remember.
        public var key: String?
        /// Their hash, 16 hex digits.
        public var keyHash: String
        /// Hash of the trace's edges, 16 hex digits; null where shapes are not used.
        public var shape: String?
        /// As in `ot=th`: a trace is kept iff its random bits are not below; up to 14 hex digits, without zeros at the end.
        public var threshold: String
        /// Stream time divided by the tick's length.
        public var tick: Int64
        /// The task's part of the budget, 0 to 1.
        public var share: Double
        /// Too large for its tier's budget: decided by itself.
        public var oversize: Bool
        /// Kept by a dry run only.
        public var dryRun: Bool
    }

    /// What a policy with sample rates by key says of its vote.
    public struct SampleRate: Sendable, Equatable, Codable {
        public var policy: String?
        /// The values of the key's fields; null where they are not known.
        public var key: String?
        /// Their hash, 16 hex digits.
        public var keyHash: String
        /// One trace in so many is kept.
        public var rate: Double
    }

    /// A trace that waits in a window of a running worker.
    public struct Waiting: Sendable, Equatable, Codable {
        public var sampler: String
        public var cluster: String
        public var topic: String
        public var partition: Int32
        public var spans: UInt64
        public var errors: UInt64
        public var bytes: UInt64
        public var hasRoot: Bool
        public var firstSeenUnixMilli: Int64
        public var lastSeenUnixMilli: Int64
        /// When the window closes if no more spans come, in stream time.
        public var closesAtUnixMilli: Int64
        /// The partition's stream time now.
        public var streamTimeUnixMilli: Int64
    }

    /// What the decision log covers.
    public struct Log: Sendable, Equatable, Codable {
        public var earliestUnixMilli: Int64?
        public var latestUnixMilli: Int64?
        public var decisions: UInt64
        public var files: Int
    }

    public var traceID: String
    /// `keep` where any sampler kept it.
    public var decision: Verdict
    public var decisions: [Decision]
    public var waiting: [Waiting]
    public var log: Log
    /// Whether running workers were asked for traces in their windows.
    public var askedWorkers: Bool
    /// Files that could not be read: something may be missing.
    public var problems: [String]
}
