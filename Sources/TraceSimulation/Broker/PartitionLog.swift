import Pipeline

/// The log of one partition.
final class PartitionLog {
    struct Record {
        var offset: Int64
        var timestamp: Int64
        var payload: [UInt8]
        var spans: [Int]
    }

    let partition: PartitionID
    private(set) var records: [Record] = []
    /// Offsets below were removed by retention.
    private(set) var start: Int64 = 0
    private(set) var end: Int64 = 0
    /// Committed by the group.
    var committed: Int64?

    init(partition: PartitionID) { self.partition = partition }

    func append(_ record: ProducedRecord, timestamp: Int64) -> Int64 {
        let offset = end + record.gap
        records.append(
            Record(offset: offset, timestamp: timestamp, payload: record.payload, spans: record.spans))
        end = offset + 1
        return offset
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
}
