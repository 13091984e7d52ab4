import Pipeline
import TraceModel

/// Remembers decisions for the decision horizon, so that late spans, also on another worker, follow them.
///
/// Kept traces are remembered exactly. Dropped ones are many: a 64-bit hash each, in tables by time of decision that are
/// forgotten whole. A false match would drop a new trace: with 30 million remembered, one look-up in 6·10¹¹.
struct DecisionMemory {
    struct Kept {
        var policyIndex: UInt16
        var policyVersion: UInt32
        var probability: Double
        var trigger: Decision.Trigger
        var decidedAt: Int64
    }

    enum Answer {
        case unknown
        case kept(Kept)
        case dropped
    }

    private let horizon: Int64
    /// Length of one table's time, milliseconds: how much longer than the horizon a decision may be remembered.
    let bucketLength: Int64
    private var buckets: [Bucket] = []

    private struct Bucket {
        var number: Int64
        var kept: [TraceID: Kept] = [:]
        var dropped = FingerprintSet()
    }

    /// - Parameter horizon: milliseconds of stream time.
    init(horizon: Int64) {
        self.horizon = horizon
        bucketLength = max(1000, horizon / 6)
    }

    func find(_ id: TraceID) -> Answer {
        let hash = TraceTable.hash(id)
        // The newest first: late spans come soon after the decision.
        for bucket in buckets.reversed() {
            if bucket.dropped.contains(hash) { return .dropped }
            if !bucket.kept.isEmpty, let kept = bucket.kept[id] { return .kept(kept) }
        }
        return .unknown
    }

    mutating func remember(_ record: DecisionRecord) {
        let number = record.decidedAt.flooredDivision(by: bucketLength)
        let index = bucketIndex(number)
        if record.isKept {
            buckets[index].kept[record.traceID] = Kept(
                policyIndex: record.policyIndex, policyVersion: record.policyVersion, probability: record.probability,
                trigger: record.trigger, decidedAt: record.decidedAt)
        } else {
            buckets[index].dropped.insert(TraceTable.hash(record.traceID))
        }
    }

    /// Forgets tables that lie wholly before the horizon.
    mutating func expire(streamTime: Int64) {
        let oldest = (streamTime &- horizon).flooredDivision(by: bucketLength)
        while let first = buckets.first, first.number < oldest { buckets.removeFirst() }
    }

    var count: Int { buckets.reduce(0) { $0 + $1.kept.count + $1.dropped.count } }

    var byteCount: Int {
        buckets.reduce(0) {
            $0 + $1.dropped.byteCount
                + $1.kept.capacity * (MemoryLayout<TraceID>.stride + MemoryLayout<Kept>.stride + 1)
        }
    }

    private mutating func bucketIndex(_ number: Int64) -> Int {
        if let last = buckets.last, last.number == number { return buckets.count - 1 }
        if let index = buckets.firstIndex(where: { $0.number >= number }) {
            if buckets[index].number == number { return index }
            buckets.insert(Bucket(number: number), at: index)
            return index
        }
        buckets.append(Bucket(number: number))
        return buckets.count - 1
    }
}

extension Int64 {
    /// Division that rounds towards minus infinity, so that times before 1970 do not share bucket 0 with those after.
    func flooredDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
