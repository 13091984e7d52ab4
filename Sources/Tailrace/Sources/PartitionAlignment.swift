/// Keeps the partitions of a topic together in time while a backlog is read: what is ahead of the slowest partition that has
/// something left to read waits. What is repartitioned then reaches the readers of the internal topic nearly in order, and
/// they hold no more than the drift.
///
/// A pure state machine. Times are record times in milliseconds since the Unix epoch.
struct PartitionAlignment {
    /// How far a partition may be ahead.
    let maximumDrift: Int64
    /// Partitions that wait.
    private(set) var waiting: Set<Int32> = []

    init(maximumDrift: Int64) { self.maximumDrift = maximumDrift }

    struct Change: Equatable {
        var pause: [Int32] = []
        var resume: [Int32] = []
    }

    /// - Parameters:
    ///   - own: the partitions that are read here: the time they have come to (nil before their first record), and whether
    ///     there is more to read.
    ///   - others: the times that other readers' partitions have come to, of those with more to read; nil for one that has
    ///     committed no time.
    mutating func update(own: [Int32: (time: Int64?, hasMore: Bool)], others: [Int64?]) -> Change {
        var slowest = Int64.max
        for (time, hasMore) in own.values where hasMore { slowest = min(slowest, time ?? .min) }
        for time in others { slowest = min(slowest, time ?? .min) }
        var change = Change()
        for (number, state) in own.sorted(by: { $0.key < $1.key }) {
            // A pause throws away what was fetched ahead, so a partition goes on only when it may do so for a while.
            let limit = waiting.contains(number) ? maximumDrift / 2 : maximumDrift
            let (difference, overflow) = (state.time ?? .min).subtractingReportingOverflow(slowest)
            let isAhead = state.time != nil && slowest != .max && (overflow || difference > limit)
            if isAhead == waiting.contains(number) { continue }
            if isAhead {
                waiting.insert(number)
                change.pause.append(number)
            } else {
                waiting.remove(number)
                change.resume.append(number)
            }
        }
        waiting = waiting.filter { own[$0] != nil }
        return change
    }
}
