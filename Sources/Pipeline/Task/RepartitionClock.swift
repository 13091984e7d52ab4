/// Stream time of a partition of an internal topic: how far all partitions of the outer topic have been repartitioned.
///
/// A partition that has something left to read holds stream time at its own; one that was read to its end holds it only at
/// the moment when this was true. While a partition was never heard of, time stands still. (Kafka Streams and Flink call such
/// a time the minimum of the inputs' watermarks; docs/decisions/011.)
///
/// A pure state machine. It forgets nothing and is never saved: a replay reads the same reports again.
package struct RepartitionClock {
    private struct Known {
        var epoch: UInt64
        var reportedAt: Int64
        var streamTime: Int64
        /// No record of this partition that is still to come is older.
        var bound: Int64
    }

    private var partitions: [Int32: Known] = [:]
    private var partitionCount: Int32 = 0

    /// A report of having read to the end is true for this long before it was made, milliseconds: what has been fetched is a
    /// little older than the log.
    package static let endMargin: Int64 = 2000
    /// Reports of an older epoch count again when the newer one has been silent for so long, milliseconds: epochs start anew
    /// with an empty store.
    package static let silence: Int64 = 60_000
    /// No topic has more partitions; a larger number is not believed.
    private static let maximumCount: Int32 = 100_000

    package init() {}

    package mutating func merge(_ progress: RepartitionProgress) {
        if progress.partitionCount > partitionCount, progress.partitionCount <= Self.maximumCount {
            partitionCount = progress.partitionCount
        }
        for report in progress.partitions where (0..<partitionCount).contains(report.number) {
            let known = partitions[report.number]
            if let known, report.epoch < known.epoch, progress.reportedAt &- known.reportedAt < Self.silence {
                continue
            }
            let streamTime = max(report.streamTime, known?.streamTime ?? .min)
            let end = progress.reportedAt &- Self.endMargin
            partitions[report.number] = Known(
                epoch: report.epoch, reportedAt: progress.reportedAt, streamTime: streamTime,
                bound: report.isAtEnd ? max(streamTime, end) : streamTime)
        }
    }

    /// Milliseconds since the Unix epoch; nil while some partition is unknown or has not said a time.
    package var streamTime: Int64? {
        guard partitionCount > 0, partitions.count >= Int(partitionCount) else { return nil }
        var bound = Int64.max
        var latest = Int64.min
        for known in partitions.values {
            bound = min(bound, known.bound)
            latest = max(latest, known.streamTime)
        }
        // Where all have been read to their ends, the last record says what time it is, as in any other topic.
        let time = min(bound, latest)
        return time == .min ? nil : time
    }
}
