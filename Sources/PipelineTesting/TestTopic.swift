import Pipeline
import TraceModel

/// The log that one source of a tested pipeline reads.
final class TestTopic {
    struct Record {
        var timestamp: Int64
        var key: [UInt8]
        var payload: [UInt8]
    }

    let source: String
    let name: String
    /// By partition; an offset is an index.
    private(set) var partitions: [[Record]]
    /// What workers have committed, by partition: where one starts that finds nothing in the store.
    var committed: [Int64]
    /// For records without a key.
    private var next = 0

    init(source: String, name: String, partitionCount: Int) {
        self.source = source
        self.name = name
        partitions = Array(repeating: [], count: partitionCount)
        committed = Array(repeating: 0, count: partitionCount)
    }

    var partitionIDs: [PartitionID] { partitions.indices.map(id) }

    func id(_ partition: Int) -> PartitionID {
        PartitionID(cluster: "test", topic: name, partition: Int32(clamping: partition))
    }

    func end(_ partition: Int) -> Int64 { Int64(partitions[partition].count) }

    func append(_ record: Record, to partition: Int) { partitions[partition].append(record) }

    /// The partition of a key, as a producer would choose it; records without one take turns.
    func partition(ofKey key: [UInt8]) -> Int {
        if key.isEmpty {
            next += 1
            return (next - 1) % partitions.count
        }
        let hash = TestIdentifiers.mixed(FNV1a.hash(String(decoding: key, as: UTF8.self)))
        return Int(hash % UInt64(partitions.count))
    }
}

/// Records of one partition, in memory of their own that is overwritten when they are released: a stage that keeps a pointer
/// is found out.
final class TestBatch: RecordBatch, @unchecked Sendable {
    let partition: PartitionID
    private let first: Int64
    private let timestamps: [Int64]
    private var keys: [Range<Int>] = []
    private var payloads: [Range<Int>] = []
    // Used by the thread that runs the test only, hence the unchecked Sendable.
    private let memory: UnsafeMutableRawBufferPointer

    init(_ partition: PartitionID, _ records: ArraySlice<TestTopic.Record>) {
        self.partition = partition
        first = Int64(records.startIndex)
        timestamps = records.map(\.timestamp)
        memory = .allocate(byteCount: records.reduce(1) { $0 + $1.key.count + $1.payload.count }, alignment: 8)
        var position = 0
        for record in records {
            keys.append(copy(record.key, to: &position))
            payloads.append(copy(record.payload, to: &position))
        }
    }

    private func copy(_ bytes: [UInt8], to position: inout Int) -> Range<Int> {
        let range = position..<position + bytes.count
        UnsafeMutableRawBufferPointer(rebasing: memory[range]).copyBytes(from: bytes)
        position = range.upperBound
        return range
    }

    deinit { memory.deallocate() }

    var count: Int { timestamps.count }
    var byteCount: Int { memory.count }

    func record(at index: Int) -> SourceRecord {
        SourceRecord(
            offset: first + Int64(index), timestamp: timestamps[index],
            key: UnsafeRawBufferPointer(rebasing: memory[keys[index]]),
            payload: UnsafeRawBufferPointer(rebasing: memory[payloads[index]]))
    }

    func release() { memory.initializeMemory(as: UInt8.self, repeating: 0xdd) }
}
