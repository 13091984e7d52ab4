import OTLP
import Pipeline
import TraceModel

/// Version 1 of decision files: blocks one after the other, each `length, raw length, checksum, zstd(partition, sampler,
/// rows)`. Written before there were epochs in blocks; only read now.
extension DecisionFile {
    static let legacyHeaderSize = 16
    private static let legacyRowSize = 16 + 1 + 1 + 2 + 4 + 8 + 8 + 4 + 8 + 8 + 8 + 8

    /// Bytes of the block's contents, from its header.
    static func legacyBlockLength(_ header: [UInt8]) throws(StoreError) -> Int {
        var decoder = ByteDecoder(header)
        return Int(try decoder.fixed(UInt32.self))
    }

    /// - Parameter bytes: a block with its header.
    static func decodeLegacyBlock(_ bytes: [UInt8]) throws -> DecisionBlock {
        var header = ByteDecoder(bytes)
        let length = Int(try header.fixed(UInt32.self))
        let rawSize = Int(try header.fixed(UInt32.self))
        let checksum = try header.fixed(UInt64.self)
        guard bytes.count - legacyHeaderSize == length else { throw StoreError.truncated }
        let compressed = Array(bytes[legacyHeaderSize...])
        guard Checksum.of(compressed) == checksum else { throw StoreError.damaged("a block's checksum does not match") }
        let raw = try Zstd.decompress(compressed, maximumSize: rawSize)
        guard raw.count == rawSize else {
            throw StoreError.damaged("a block has \(raw.count) bytes instead of \(rawSize)")
        }
        return try decodeLegacyRows(raw)
    }

    private static func decodeLegacyRows(_ bytes: [UInt8]) throws(StoreError) -> DecisionBlock {
        var decoder = ByteDecoder(bytes)
        let partition = PartitionID(
            cluster: try decoder.string(), topic: try decoder.string(), partition: try decoder.fixed())
        var block = DecisionBlock(partition: partition, sampler: try decoder.string(), records: [])
        let count = try decoder.count(minimumSize: legacyRowSize)
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
