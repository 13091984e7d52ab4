/// What a task has counted. Plain integers, owned by the task's thread and copied once per second for `/metrics`.
///
/// The ledger equation, checked at every commit group (I16):
/// `received + branched = kept + dropped + late + rejected + duplicate + filtered + forwarded + returned + in window`.
public struct TaskCounters: Sendable, Equatable {
    public var records: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Records that were read again, after a restart or by the source, and had nothing left to do.
    public var replayedRecords: UInt64 = 0
    /// Spans.
    public var received: UInt64 = 0
    /// Additional copies of spans that went to a second sampler or sink.
    public var branched: UInt64 = 0
    public var kept: UInt64 = 0
    public var dropped: UInt64 = 0
    public var lateKept: UInt64 = 0
    public var lateDropped: UInt64 = 0
    public var rejected: UInt64 = 0
    public var duplicate: UInt64 = 0
    /// Spans that a filter sent to a port that nobody reads.
    public var filtered: UInt64 = 0
    /// Spans written by a sink without a sampler between.
    public var forwarded: UInt64 = 0
    /// Spans of open traces whose partition went to another owner, who reads them again.
    public var returned: UInt64 = 0
    public var keptTraces: UInt64 = 0
    public var droppedTraces: UInt64 = 0
    /// Traces decided before their window closed, to free memory.
    public var earlyTraces: UInt64 = 0
    public var keptBytes: UInt64 = 0
    /// Records whose timestamp lay in the future and was set back to the present.
    public var clampedTimestamps: UInt64 = 0
    /// Rejected spans and records by reason.
    public var rejectedByReason: [String: UInt64] = [:]

    public init() {}

    /// What the equation leaves over; 0 when no span was lost or counted twice.
    public func imbalance(inWindow: Int) -> Int64 {
        let left = received + branched
        let right =
            kept + dropped + lateKept + lateDropped + rejected + duplicate + filtered + forwarded + returned
            + UInt64(inWindow)
        return Int64(bitPattern: left &- right)
    }

    public mutating func add(_ other: TaskCounters) {
        records += other.records
        bytes += other.bytes
        replayedRecords += other.replayedRecords
        received += other.received
        earlyTraces += other.earlyTraces
        branched += other.branched
        kept += other.kept
        dropped += other.dropped
        lateKept += other.lateKept
        lateDropped += other.lateDropped
        rejected += other.rejected
        duplicate += other.duplicate
        filtered += other.filtered
        forwarded += other.forwarded
        returned += other.returned
        keptTraces += other.keptTraces
        droppedTraces += other.droppedTraces
        keptBytes += other.keptBytes
        clampedTimestamps += other.clampedTimestamps
        rejectedByReason.merge(other.rejectedByReason, uniquingKeysWith: +)
    }
}
