import Pipeline
import TraceModel

/// One copy of a span in one record. A span that its producer sent twice is two copies with the same identity.
struct ProducedSpan: Sendable {
    /// What makes two copies the same span to the sampler.
    struct Identity: Hashable, Sendable {
        var traceID: TraceID
        var spanID: SpanID
        var kind: SpanKind
    }

    /// Also its place in the list of all copies, and its name: so it is recognised wherever it ends up.
    var number: Int
    var identity: Identity
    var isError: Bool
    /// Zero for a root.
    var parent: SpanID
    /// Its ids are zeros: it must become a dead letter.
    var isBad: Bool
    /// Where it is in the log that is sampled; set when the record is appended.
    var partition: PartitionID
    var offset: Int64 = -1
    var index: UInt32
    /// Where its producer put it: in a repartitioned world another log, else the same.
    var source: Place?
    /// How often it is in the log that is sampled: a repartition may write a record again.
    var instances = 0
    /// It was in a log that was cut or deleted.
    var isCut = false

    struct Place {
        var partition: PartitionID
        var offset: Int64
        var index: UInt32
        /// Milliseconds.
        var streamTime: Int64
    }
}

/// A record on its way to the log.
struct ProducedRecord {
    /// When the broker appends it, microseconds of virtual time.
    var time: Int64
    var partition: Int
    /// Milliseconds since the Unix epoch; nil for the time of the append.
    var timestamp: Int64?
    var payload: [UInt8]
    /// Copies in it, in order; empty for a record that cannot be read.
    var spans: [Int]
    /// Offsets that the log skips before it, as compaction and transactions leave them.
    var gap: Int64
}
