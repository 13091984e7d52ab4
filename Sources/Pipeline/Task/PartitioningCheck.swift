package import OTLP
import Synchronization
import TraceModel

/// Watches whether all spans of a trace are in one partition, for all tasks of one source in this process.
///
/// A hash of the trace id chooses a sample of the traces, the same in every partition. A small table remembers in which
/// partition each of them was seen; a second partition is proof. When the table is full the sample is halved, so that it
/// reaches from the first record to the last one, and from time to time it starts again: memory is bounded, and partitions
/// that are read at different times are still compared.
///
/// Proof only. What the keys are is counted, but never held against the producer: a key of another kind can keep traces
/// together too, and partitioners differ. A trace whose partitions are read by different processes is not seen.
///
/// Thread-safe. Per span it costs a hash and a comparison; the lock is taken for sampled traces only.
package final class PartitioningCheck: Sendable {
    /// Traces that the table holds at most.
    package static let capacity = 4096
    /// One trace in 2^6 = 64 is sampled at the start, one in 2^20 before it starts again.
    fileprivate static let firstLevel: UInt64 = 6
    fileprivate static let lastLevel: UInt64 = 20
    /// In place of a partition: this trace was counted as split.
    fileprivate static let counted: Int32 = -1

    fileprivate struct State {
        var level = PartitioningCheck.firstLevel
        /// By hash of the trace id.
        var partitions: [UInt64: Int32] = [:]
        var status = PartitioningStatus()
    }

    private let mask = Atomic<UInt64>((1 << PartitioningCheck.firstLevel) - 1)
    private let state = Mutex(State())
    private let report: @Sendable (String) -> Void
    private let source: String

    /// - Parameters:
    ///   - source: the source stage's name, for the warning.
    ///   - report: receives the warning, once; called on a worker thread.
    package init(source: String, report: @escaping @Sendable (String) -> Void) {
        self.source = source
        self.report = report
    }

    /// Looks at the spans of one record.
    ///
    /// - Parameter now: the wall clock, milliseconds since the Unix epoch.
    package func observe(
        _ heads: UnsafeBufferPointer<SpanHead>, key: UnsafeRawBufferPointer, of partition: PartitionID, now: Int64
    ) {
        let mask = mask.load(ordering: .relaxed)
        var previous: UInt64?
        for head in heads {
            let hash = Self.hash(head.traceID)
            guard hash & mask == 0, hash != previous, !head.traceID.isZero else { continue }
            previous = hash
            let other = state.withLock { $0.observe(hash, KeyKind(key, head.traceID), partition.partition, now) }
            if let change = other.newMask { self.mask.store(change, ordering: .relaxed) }
            if let first = other.firstSplit {
                report(
                    PartitioningStatus.warning(
                        trace: head.traceID.hex, topic: partition.topic, partitions: (first, partition.partition),
                        source: source))
            }
        }
    }

    package var status: PartitioningStatus { state.withLock { $0.status } }

    /// Spreads ids evenly whatever their producer puts into them: the finalizer of MurmurHash3.
    static func hash(_ id: TraceID) -> UInt64 {
        var hash = id.low ^ (id.high &* 0x9e37_79b9_7f4a_7c15)
        hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ (hash >> 33)
    }

    /// What a record's key is, seen beside a trace id of the record.
    fileprivate enum KeyKind {
        case none, traceID, other

        init(_ key: UnsafeRawBufferPointer, _ id: TraceID) {
            switch key.count {
            case 0: self = .none
            case 16 where key.elementsEqual(id.bytes): self = .traceID
            case 32 where TraceID(hex: String(decoding: key, as: UTF8.self)) == id: self = .traceID
            default: self = .other
            }
        }
    }
}

extension PartitioningCheck.State {
    /// - Returns: the partition in which the trace was seen before, for the first split trace only; and the new mask where the
    ///   sample was changed.
    fileprivate mutating func observe(
        _ hash: UInt64, _ key: PartitioningCheck.KeyKind, _ partition: Int32, _ now: Int64
    ) -> (firstSplit: Int32?, newMask: UInt64?) {
        // The caller's mask may be of before the last change.
        guard hash & ((1 << level) - 1) == 0 else { return (nil, nil) }
        switch key {
        case .none: status.recordsWithoutKey += 1
        case .traceID: status.recordsKeyedByTraceID += 1
        case .other: status.recordsWithOtherKey += 1
        }
        guard let known = partitions[hash] else {
            status.sampledTraces += 1
            partitions[hash] = partition
            return (nil, partitions.count > PartitioningCheck.capacity ? thinOut() : nil)
        }
        guard known != partition, known != PartitioningCheck.counted else { return (nil, nil) }
        partitions[hash] = PartitioningCheck.counted
        status.splitTraces += 1
        status.lastSplitAt = now
        guard status.splitTraces == 1 else { return (nil, nil) }
        return (known, nil)
    }

    private mutating func thinOut() -> UInt64 {
        if level >= PartitioningCheck.lastLevel {
            level = PartitioningCheck.firstLevel
            partitions.removeAll(keepingCapacity: true)
        } else {
            level += 1
            let mask = (UInt64(1) << level) - 1
            partitions = partitions.filter { $0.key & mask == 0 }
        }
        return (1 << level) - 1
    }
}

/// What is known about how a source's topic is keyed.
public struct PartitioningStatus: Sendable, Equatable {
    /// Traces that were looked at, and those of them that were seen in two partitions.
    public var sampledTraces: UInt64 = 0
    public var splitTraces: UInt64 = 0
    /// When the last split trace was found, milliseconds since the Unix epoch; `Int64.min` for never.
    public var lastSplitAt: Int64 = .min
    /// Sightings of sampled traces by the key of their record.
    public var recordsWithoutKey: UInt64 = 0
    public var recordsKeyedByTraceID: UInt64 = 0
    public var recordsWithOtherKey: UInt64 = 0

    public init() {}

    /// How long a found split counts as the present state, milliseconds: a repaired producer clears it.
    public static let memory: Int64 = 600_000

    public func isSplit(now: Int64) -> Bool { lastSplitAt != .min && now &- lastSplitAt < Self.memory }

    static func warning(trace: String, topic: String, partitions: (Int32, Int32), source: String) -> String {
        "topic \(topic) is not keyed by trace id: trace \(trace) is in partitions \(partitions.0) and \(partitions.1), so it "
            + "is decided in pieces; \(remedy(source: source))"
    }

    /// What to change.
    public static func remedy(source: String) -> String {
        "set partition_traces_by_id: true at the Collector's Kafka exporter, or keyed_by: nothing at the source \(source)"
    }
}
