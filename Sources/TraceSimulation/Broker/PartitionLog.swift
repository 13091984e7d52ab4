import Pipeline

/// The log of one partition.
final class PartitionLog {
    struct Record {
        var offset: Int64
        var timestamp: Int64
        var key: [UInt8] = []
        var payload: [UInt8]
        /// Copies of spans in it, in their order.
        var spans: [Int]
        /// Neither spans nor a mistake: it says how far a repartition is.
        var isProgress = false

        /// Must become a dead letter.
        var isUnreadable: Bool { spans.isEmpty && !isProgress }
    }

    let partition: PartitionID
    private(set) var records: [Record] = []
    /// Offsets below were removed by retention.
    private(set) var start: Int64 = 0
    private(set) var end: Int64 = 0
    /// Committed by the group.
    var committed: Int64?
    /// How often the log was cut or made anew: offsets of before may mean other records now.
    private(set) var cuts = 0

    init(partition: PartitionID) { self.partition = partition }

    func append(_ record: ProducedRecord, timestamp: Int64) -> Int64 {
        append(
            Record(offset: 0, timestamp: timestamp, payload: record.payload, spans: record.spans), gap: record.gap)
    }

    /// - Returns: its offset.
    @discardableResult
    func append(_ record: Record, gap: Int64 = 0) -> Int64 {
        var record = record
        record.offset = end + gap
        records.append(record)
        end = record.offset + 1
        return record.offset
    }

    /// Index of the first record at or behind an offset.
    func firstIndex(from offset: Int64) -> Int {
        var low = 0
        var high = records.count
        while low < high {
            let middle = (low + high) / 2
            if records[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Retention removes records from the start; they stay known to the oracle.
    func remove(_ count: Int) {
        let index = min(records.count, firstIndex(from: start) + count)
        start = index < records.count ? records[index].offset : end
    }

    /// Retention removes everything before an offset.
    func remove(before offset: Int64) { start = max(start, min(offset, end)) }

    /// An unclean leader election: the new leader lacks the last records, and will give their offsets to others.
    ///
    /// - Returns: what is gone.
    func cut(_ count: Int) -> [Record] {
        let kept = max(firstIndex(from: start), records.count - count)
        guard kept < records.count else { return [] }
        let gone = Array(records[kept...])
        end = gone[0].offset
        records.removeSubrange(kept...)
        cuts += 1
        return gone
    }

    /// The topic is deleted, with the group's offsets, and made anew.
    ///
    /// - Returns: what is gone, with what retention had removed before: an offset of the log that is no more names none of
    ///   these records to anybody.
    func recreate() -> [Record] {
        let gone = records
        records = []
        start = 0
        end = 0
        committed = nil
        cuts += 1
        return gone
    }
}
