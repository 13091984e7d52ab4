import Pipeline

/// Fetched records, in memory of their own that is overwritten when they are released: whoever keeps a pointer is found out.
final class SimulatedBatch: RecordBatch, @unchecked Sendable {
    let partition: PartitionID
    private let offsets: [Int64]
    private let timestamps: [Int64]
    private var ranges: [Range<Int>] = []
    private var keys: [Range<Int>] = []
    private let memory: UnsafeMutableRawBufferPointer

    init(partition: PartitionID, records: [PartitionLog.Record]) {
        self.partition = partition
        offsets = records.map(\.offset)
        timestamps = records.map(\.timestamp)
        memory = .allocate(byteCount: records.reduce(1) { $0 + $1.payload.count + $1.key.count }, alignment: 1)
        var position = 0
        for record in records {
            let end = position + record.payload.count
            UnsafeMutableRawBufferPointer(rebasing: memory[position..<end]).copyBytes(from: record.payload)
            ranges.append(position..<end)
            position = end + record.key.count
            UnsafeMutableRawBufferPointer(rebasing: memory[end..<position]).copyBytes(from: record.key)
            keys.append(end..<position)
        }
    }

    var count: Int { offsets.count }
    var byteCount: Int { memory.count }

    func record(at index: Int) -> SourceRecord {
        SourceRecord(
            offset: offsets[index], timestamp: timestamps[index],
            key: UnsafeRawBufferPointer(rebasing: memory[keys[index]]),
            payload: UnsafeRawBufferPointer(rebasing: memory[ranges[index]]))
    }

    func release() { memory.initializeMemory(as: UInt8.self, repeating: 0xdd) }

    deinit { memory.deallocate() }
}
