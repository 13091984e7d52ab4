import OTLP
public import Pipeline
import TraceModel

/// One block of a decision file: the decisions of one sampler of one partition from one flush.
public struct DecisionBlock: Sendable, Equatable {
    public var partition: PartitionID
    public var sampler: String
    public var records: [DecisionRecord]

    public init(partition: PartitionID, sampler: String, records: [DecisionRecord]) {
        self.partition = partition
        self.sampler = sampler
        self.records = records
    }
}

/// The format of decision files: blocks one after the other, each `length, checksum, zstd(partition, sampler, rows)`.
///
/// Rows have a fixed width, so that zstd sees columns at fixed distances.
enum DecisionFile {
    private static let rowSize = 16 + 1 + 1 + 2 + 4 + 8 + 8 + 4 + 8 + 8 + 8 + 8

    static func encode(_ block: DecisionBlock) throws -> [UInt8] {
        var body = ByteEncoder()
        body.string(block.partition.cluster)
        body.string(block.partition.topic)
        body.fixed(block.partition.partition)
        body.string(block.sampler)
        body.varint(UInt64(block.records.count))
        for record in block.records {
            body.fixed(record.traceID.high)
            body.fixed(record.traceID.low)
            body.fixed(UInt8(record.isKept ? 1 : 0))
            body.fixed(record.trigger.rawValue)
            body.fixed(record.policyIndex)
            body.fixed(record.policyVersion)
            body.fixed(record.probability.bitPattern)
            body.fixed(record.decidedAt)
            body.fixed(record.spanCount)
            body.fixed(record.byteCount)
            body.fixed(record.duration)
            body.fixed(record.firstOffset)
            body.fixed(record.lastOffset)
        }
        let compressed = try Zstd.compress(body.bytes, level: 1)
        var block = ByteEncoder()
        block.fixed(UInt32(compressed.count))
        block.fixed(UInt32(body.bytes.count))
        block.fixed(Checksum.of(compressed))
        block.raw(compressed)
        return block.bytes
    }

    /// Visits the blocks in the first `length` bytes of a file.
    static func read(_ bytes: [UInt8], _ body: (DecisionBlock) -> Void) throws {
        var position = 0
        while position < bytes.count {
            var header = ByteDecoder(bytes[position...])
            let compressedSize = Int(try header.fixed(UInt32.self))
            let rawSize = Int(try header.fixed(UInt32.self))
            let checksum = try header.fixed(UInt64.self)
            let start = position + 16
            guard bytes.count - start >= compressedSize else { throw StoreError.truncated }
            let compressed = Array(bytes[start..<(start + compressedSize)])
            guard Checksum.of(compressed) == checksum else {
                throw StoreError.damaged("a block's checksum does not match at byte \(position)")
            }
            let raw = try Zstd.decompress(compressed, maximumSize: rawSize)
            guard raw.count == rawSize else {
                throw StoreError.damaged("a block has \(raw.count) bytes instead of \(rawSize) at byte \(position)")
            }
            body(try decode(raw))
            position = start + compressedSize
        }
    }

    private static func decode(_ bytes: [UInt8]) throws(StoreError) -> DecisionBlock {
        var decoder = ByteDecoder(bytes)
        let partition = PartitionID(
            cluster: try decoder.string(), topic: try decoder.string(), partition: try decoder.fixed())
        var block = DecisionBlock(partition: partition, sampler: try decoder.string(), records: [])
        let count = try decoder.count(minimumSize: rowSize)
        block.records.reserveCapacity(count)
        for _ in 0..<count {
            let traceID = TraceID(high: try decoder.fixed(), low: try decoder.fixed())
            let isKept = try decoder.fixed(UInt8.self) != 0
            let trigger = Decision.Trigger(rawValue: try decoder.fixed()) ?? .idle
            block.records.append(
                DecisionRecord(
                    traceID: traceID, isKept: isKept, trigger: trigger, policyIndex: try decoder.fixed(),
                    policyVersion: try decoder.fixed(), probability: Double(bitPattern: try decoder.fixed()),
                    decidedAt: try decoder.fixed(), spanCount: try decoder.fixed(), byteCount: try decoder.fixed(),
                    duration: try decoder.fixed(), firstOffset: try decoder.fixed(), lastOffset: try decoder.fixed()))
        }
        return block
    }
}
