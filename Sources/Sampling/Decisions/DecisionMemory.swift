import Pipeline
import TraceModel

/// Remembers decisions for the decision horizon, so that late spans, also on another worker, follow them.
///
/// Kept traces are remembered exactly. Dropped ones are many: a 32-bit fingerprint each, 4.6 bytes with its place. A false
/// match drops a new trace; `falsePositiveRate` is the chance of that, about 6·10⁻⁹ per look-up.
///
/// The horizon is cut into periods that are forgotten whole. Growing and forgetting are done in small pieces: nothing waits
/// for a table to be rehashed. Used by one thread.
package struct DecisionMemory: ~Copyable {
    package struct Kept {
        package var policyIndex: UInt16
        package var policyVersion: UInt32
        package var probability: Double
        package var trigger: Decision.Trigger
        /// Stream time, milliseconds.
        package var decidedAt: Int64
        /// Only the outline was kept: late spans without an error are left out too.
        package var isOutline: Bool
        /// Of spans beyond the outline, where they had another chance of being kept.
        package var wholeProbability: Double?
    }

    package enum Answer {
        case unknown
        case kept(Kept)
        case dropped
    }

    /// Times are cut off here, so that sums with a horizon stay in range: the year 140000 or so, in milliseconds.
    private static let farthestTime: Int64 = 1 << 52

    /// Milliseconds of stream time.
    package let horizon: Int64
    private var periods: DecisionPeriods
    private var kept = KeptDecisions()
    private var dropped: DroppedDecisions
    /// The latest stream time that was seen.
    private var latest = Int64.min

    /// - Parameter horizon: milliseconds of stream time.
    package init(horizon: Int64) {
        self.horizon = horizon
        periods = DecisionPeriods(horizon: horizon)
        dropped = DroppedDecisions(horizon: horizon)
    }

    /// Up to how much longer than the horizon a decision may be remembered, milliseconds.
    package var periodLength: Int64 { periods.length }

    @inline(__always)
    static func hash(_ id: TraceID) -> UInt64 {
        // The place is taken from the upper half, the fingerprint from the lower: both must depend on the whole id.
        var hash = TraceTable.hash(id)
        hash = (hash ^ hash >> 32) &* 0xd6e8_feb8_6659_fd93
        return hash ^ hash >> 32
    }

    package func find(_ id: TraceID) -> Answer {
        let hash = Self.hash(id)
        // Both are asked, whatever the one answers: their memory is waited for together.
        let isDropped = dropped.contains(hash)
        // Kept ones first: a false match must not drop late spans of a kept trace.
        if let found = kept.find(id, hash: hash), found.decidedAt >= oldest {
            return .kept(
                Kept(
                    policyIndex: found.reason.policyIndex, policyVersion: found.reason.policyVersion,
                    probability: found.reason.probability, trigger: found.reason.trigger, decidedAt: found.decidedAt,
                    isOutline: found.reason.isOutline, wholeProbability: found.reason.wholeProbability))
        }
        return isDropped ? .dropped : .unknown
    }

    package mutating func remember(_ record: DecisionRecord) {
        remember(
            record.traceID, isKept: record.isKept, decidedAt: record.decidedAt, policyIndex: record.policyIndex,
            policyVersion: record.policyVersion, probability: record.probability, trigger: record.trigger,
            isOutline: record.isOutline, wholeProbability: record.wholeProbability)
    }

    mutating func remember(
        _ id: TraceID, isKept: Bool, decidedAt: Int64, policyIndex: UInt16, policyVersion: UInt32,
        probability: Double, trigger: Decision.Trigger, isOutline: Bool = false,
        wholeProbability: Double? = nil
    ) {
        let decidedAt = min(max(decidedAt, -Self.farthestTime), Self.farthestTime)
        latest = max(latest, decidedAt)
        let number = periods.number(of: decidedAt)
        guard periods.isRemembered(number) else { return }
        if number > periods.current ?? .min { move(to: number) }
        let hash = Self.hash(id)
        if isKept {
            kept.insert(
                id, hash: hash,
                KeptDecisions.Reason(
                    policyIndex: policyIndex, policyVersion: policyVersion, probability: probability, trigger: trigger,
                    isOutline: isOutline, wholeProbability: wholeProbability),
                decidedAt: decidedAt, oldest: oldest)
        } else {
            dropped.insert(hash, tag: periods.tag(of: number), time: decidedAt, periods)
        }
    }

    /// Forgets periods that lie wholly before the horizon. To be called as time goes on: the work is spread over the calls.
    package mutating func expire(streamTime: Int64) {
        guard let current = periods.current else { return }
        let streamTime = min(max(streamTime, -Self.farthestTime), Self.farthestTime)
        let number = periods.number(of: streamTime)
        latest = max(latest, streamTime)
        if number > current { return move(to: number) }
        guard number == current else { return }
        let share = Double(streamTime - number * periods.length) / Double(periods.length)
        dropped.sweep(share: share, living: periods.living)
        kept.sweep(share: share, oldest: oldest)
    }

    private mutating func move(to number: Int64) {
        if let current = periods.current, number - current <= DecisionPeriods.covering {
            // What is left of this period's sweep; where time leaps, all that dies with it.
            if number - current > 1 { dropped.periodBegan(periods) }
            dropped.sweep(share: 1, living: number - current > 1 ? periods.survivors(at: number) : periods.living)
            kept.sweep(share: 1, oldest: oldest)
        } else {
            dropped.removeAll()
            kept.removeAll()
        }
        periods.move(to: number)
        kept.restartSweep()
        dropped.periodBegan(periods)
    }

    /// Kept traces know their time: they are forgotten at the horizon, not with their period.
    private var oldest: Int64 { latest == .min ? .min : latest - horizon }

    // MARK: - Figures

    package var keptCount: Int { kept.count }
    package var droppedCount: Int { dropped.count }
    package var count: Int { keptCount + droppedCount }

    /// Bytes of memory, as mapped.
    package var byteCount: Int { kept.byteCount + dropped.byteCount }

    /// Chance that a new trace is taken for one that was dropped.
    package var falsePositiveRate: Double { dropped.falsePositiveRate }
}
