import OTLP
import Pipeline
import TraceModel

/// The format of decision files, version 4. `docs/delivery.md` describes it.
///
/// A file is a header and groups, one per flush. A group is a header, a filter over its trace ids, and blocks. A look-up
/// reads of each group the header and one line of the filter; a restart skips groups by time and blocks by partition.
/// Versions 2 (without `DecisionFile+Details.swift`) and 3 (without outlines) are read by the same code, version 1 (no header, blocks only) by
/// `DecisionFile+Legacy.swift`.
enum DecisionFile {
    static let magic: [UInt8] = Array("TAILDEC\n".utf8)
    static let version: UInt32 = 4
    static let headerSize = 16
    static let groupMagic: UInt32 = 0x5052_4744  // "DGRP"
    static let groupHeaderSize = 64
    /// Length, partition.
    static let blockHeaderSize = 12
    static let checksumSize = 8

    /// The fixed part of a group.
    struct GroupHeader: Sendable, Equatable {
        /// Number of the manifest that makes the group count.
        var sequence: UInt64
        /// Stream time of the earliest and latest decision, milliseconds; `max` and `min` where it has only late spans.
        var firstDecidedAt: Int64
        var lastDecidedAt: Int64
        var recordCount: UInt32
        var blockCount: UInt32
        /// Bytes of the filter and of all blocks.
        var filterLength: UInt32
        var blocksLength: UInt32
        var filterChecksum: UInt64
    }

    // MARK: - Writing

    static func fileHeader() -> [UInt8] {
        var encoder = ByteEncoder()
        encoder.raw(magic)
        encoder.fixed(version)
        encoder.fixed(UInt32(0))
        return encoder.bytes
    }

    static func encode(_ group: DecisionGroup) throws -> [UInt8] {
        var blocks: [UInt8] = []
        var hashes: [UInt64] = []
        var first = Int64.max
        var last = Int64.min
        var records = 0
        for block in group.blocks {
            blocks += try encode(block)
            records += block.records.count
            for record in block.records {
                hashes.append(DecisionFilter.hash(record.traceID))
                first = min(first, record.decidedAt)
                last = max(last, record.decidedAt)
            }
            for late in block.lateSpans { hashes.append(DecisionFilter.hash(late.traceID)) }
        }
        let filter = DecisionFilter.make(hashes)
        guard let blocksLength = UInt32(exactly: blocks.count), let filterLength = UInt32(exactly: filter.count) else {
            throw StoreError.damaged("a flush with \(records) decisions is too large for a decision file")
        }
        let header = GroupHeader(
            sequence: group.sequence, firstDecidedAt: first, lastDecidedAt: last,
            recordCount: UInt32(clamping: records),
            blockCount: UInt32(clamping: group.blocks.count), filterLength: filterLength, blocksLength: blocksLength,
            filterChecksum: Checksum.of(filter))
        return encode(header) + filter + blocks
    }

    private static func encode(_ header: GroupHeader) -> [UInt8] {
        var encoder = ByteEncoder()
        encoder.fixed(groupMagic)
        encoder.fixed(header.recordCount)
        encoder.fixed(header.sequence)
        encoder.fixed(header.firstDecidedAt)
        encoder.fixed(header.lastDecidedAt)
        encoder.fixed(header.blockCount)
        encoder.fixed(header.filterLength)
        encoder.fixed(header.blocksLength)
        encoder.fixed(UInt32(0))
        encoder.fixed(header.filterChecksum)
        encoder.fixed(Checksum.of(encoder.bytes))
        return encoder.bytes
    }

    /// Three parts, because what compresses well must not share a Huffman table with what does not: names and narrow
    /// columns, wide columns, and the trace ids, which are random and stored as they are.
    private static func encode(_ block: DecisionBlock) throws -> [UInt8] {
        var narrow = ByteEncoder()
        var wide = ByteEncoder()
        narrow.string(block.partition.cluster)
        narrow.string(block.partition.topic)
        narrow.fixed(block.partition.partition)
        narrow.string(block.sampler)
        narrow.varint(block.epoch)
        narrow.varint(UInt64(block.policyNames.count))
        for (version, names) in block.policyNames.sorted(by: { $0.key < $1.key }) {
            narrow.fixed(version)
            narrow.varint(UInt64(names.count))
            for name in names { narrow.string(name) }
        }
        narrow.varint(UInt64(block.records.count))
        narrow.varint(UInt64(block.lateSpans.count))
        encodeVerdicts(of: block.records, into: &narrow)
        var time: Int64 = 0
        for record in block.records {
            narrow.signed(record.decidedAt &- time)
            time = record.decidedAt
        }
        for record in block.records { narrow.varint(UInt64(record.spanCount)) }
        for record in block.records { narrow.varint(UInt64(record.errorCount)) }
        for late in block.lateSpans { narrow.varint(UInt64(late.count) << 1 | (late.isKept ? 1 : 0)) }

        for record in block.records { wide.varint(record.byteCount) }
        for record in block.records { wide.varint(record.duration / 1000) }
        var offset: Int64 = 0
        for record in block.records {
            wide.signed(record.firstOffset &- offset)
            offset = record.firstOffset
        }
        for record in block.records { wide.signed(record.lastOffset &- record.firstOffset) }

        let parts = [try Zstd.compress(narrow.bytes, level: 1), try Zstd.compress(wide.bytes, level: 1)]
        var stored = ByteEncoder()
        for (part, raw) in zip(parts, [narrow.bytes.count, wide.bytes.count]) {
            stored.varint(UInt64(part.count))
            stored.varint(UInt64(raw))
        }
        for part in parts { stored.raw(part) }
        encodeIDs(of: block, into: &stored)
        if let details = encodeDetails(of: block) {
            stored.varint(UInt64(details.count))
            stored.raw(try Zstd.compress(details, level: 1))
        }

        guard let length = UInt32(exactly: stored.bytes.count) else {
            throw StoreError.damaged("a flush with \(block.records.count) decisions is too large for a decision file")
        }
        var whole = ByteEncoder()
        whole.fixed(length)
        whole.fixed(partitionHash(block.partition))
        whole.raw(stored.bytes)
        whole.fixed(Checksum.of(whole.bytes))
        return whole.bytes
    }

    /// A column of flags, and one of positions in a table of (version, policy, probability), of which there are few.
    private static func encodeVerdicts(of records: [DecisionRecord], into encoder: inout ByteEncoder) {
        var positions: [Verdict: Int] = [:]
        var verdicts: [Verdict] = []
        var column: [Int] = []
        column.reserveCapacity(records.count)
        for record in records {
            let verdict = Verdict(record)
            let position = positions[verdict] ?? verdicts.count
            if position == verdicts.count {
                positions[verdict] = position
                verdicts.append(verdict)
            }
            column.append(position)
        }
        encoder.varint(UInt64(verdicts.count))
        for verdict in verdicts {
            encoder.fixed(verdict.version)
            encoder.fixed(verdict.policy)
            encoder.fixed(verdict.probability)
        }
        for record in records { encoder.fixed(flags(of: record)) }
        for position in column { encoder.varint(UInt64(position)) }
        for record in records {
            if let whole = record.wholeProbability { encoder.fixed(whole.bitPattern) }
        }
    }

    private static let outlineFlag: UInt8 = 0x80
    private static let wholeProbabilityFlag: UInt8 = 0x40

    private static func flags(of record: DecisionRecord) -> UInt8 {
        var flags = record.trigger.rawValue << 1 | (record.isKept ? 1 : 0)
        if record.isOutline { flags |= outlineFlag }
        if record.wholeProbability != nil { flags |= wholeProbabilityFlag }
        return flags
    }

    private struct Verdict: Hashable {
        var version: UInt32
        var policy: UInt16
        /// Bit pattern.
        var probability: UInt64

        init(_ record: DecisionRecord) {
            version = record.policyVersion
            policy = record.policyIndex
            probability = record.probability.bitPattern
        }

        init(version: UInt32, policy: UInt16, probability: UInt64) {
            self.version = version
            self.policy = policy
            self.probability = probability
        }
    }

    /// Many senders use 64-bit ids: an upper half that all have is stored once.
    private static func encodeIDs(of block: DecisionBlock, into encoder: inout ByteEncoder) {
        let ids = block.records.map(\.traceID) + block.lateSpans.map(\.traceID)
        let high = ids.first?.high ?? 0
        let isShared = ids.allSatisfy { $0.high == high }
        encoder.fixed(UInt8(isShared ? 1 : 0))
        if isShared {
            encoder.fixed(high)
        } else {
            for id in ids { encoder.fixed(id.high) }
        }
        for id in ids { encoder.fixed(id.low) }
    }

    /// Tells the blocks of other partitions from a wanted one without unpacking them.
    static func partitionHash(_ partition: PartitionID) -> UInt64 {
        Checksum.of(Array("\(partition.cluster)\u{0}\(partition.topic)\u{0}\(partition.partition)".utf8))
    }

    // MARK: - Reading

    static func checkFileHeader(_ bytes: [UInt8]) throws(StoreError) {
        var decoder = ByteDecoder(bytes.dropFirst(magic.count))
        let version = try decoder.fixed(UInt32.self)
        guard (2...Self.version).contains(version), try decoder.fixed(UInt32.self) == 0 else {
            throw .damaged(
                "decision file version \(version) is not known here (this program reads 1 to \(Self.version)); "
                    + "it was written by a newer Tailrace")
        }
    }

    /// - Parameter bytes: `groupHeaderSize` of them.
    static func decodeGroupHeader(_ bytes: ArraySlice<UInt8>) throws(StoreError) -> GroupHeader {
        guard bytes.count == groupHeaderSize else { throw .truncated }
        let body = bytes.dropLast(checksumSize)
        var trailer = ByteDecoder(bytes.suffix(checksumSize))
        guard try trailer.fixed(UInt64.self) == body.withUnsafeBytes({ Checksum.of($0) }) else {
            throw .damaged("a group's header is damaged")
        }
        var decoder = ByteDecoder(body)
        guard try decoder.fixed(UInt32.self) == groupMagic else { throw .damaged("there is no group of decisions") }
        let recordCount = try decoder.fixed(UInt32.self)
        let sequence = try decoder.fixed(UInt64.self)
        let first = try decoder.fixed(Int64.self)
        let last = try decoder.fixed(Int64.self)
        let blockCount = try decoder.fixed(UInt32.self)
        let filterLength = try decoder.fixed(UInt32.self)
        let blocksLength = try decoder.fixed(UInt32.self)
        _ = try decoder.fixed(UInt32.self)
        let filterChecksum = try decoder.fixed(UInt64.self)
        guard filterLength >= DecisionFilter.lineSize, filterLength % UInt32(DecisionFilter.lineSize) == 0 else {
            throw .damaged("a group's filter has \(filterLength) bytes")
        }
        return GroupHeader(
            sequence: sequence, firstDecidedAt: first, lastDecidedAt: last, recordCount: recordCount,
            blockCount: blockCount, filterLength: filterLength, blocksLength: blocksLength,
            filterChecksum: filterChecksum)
    }

    /// The blocks of a group, checked.
    ///
    /// - Parameters:
    ///   - partition: only this one's, where given; the others are not unpacked.
    ///   - withDetails: without it, only what a sampler must remember: no sizes, durations, offsets and late spans.
    static func decodeBlocks(
        _ bytes: ArraySlice<UInt8>, of partition: PartitionID? = nil, withDetails: Bool = true
    ) throws -> [DecisionBlock] {
        var decompressor = try ZstdDecompressor()
        return try decodeBlocks(bytes, of: partition, withDetails: withDetails, &decompressor)
    }

    /// - Parameter decompressor: to make one takes as long as to unpack a small block.
    static func decodeBlocks(
        _ bytes: ArraySlice<UInt8>, of partition: PartitionID?, withDetails: Bool,
        _ decompressor: inout ZstdDecompressor
    ) throws -> [DecisionBlock] {
        let wanted = partition.map(partitionHash)
        var blocks: [DecisionBlock] = []
        var position = bytes.startIndex
        while position < bytes.endIndex {
            var header = ByteDecoder(bytes[position...])
            let length = Int(try header.fixed(UInt32.self))
            let hash = try header.fixed(UInt64.self)
            let start = position + blockHeaderSize
            guard bytes.endIndex - start >= length + checksumSize else { throw StoreError.truncated }
            let end = start + length
            var trailer = ByteDecoder(bytes[end..<end + checksumSize])
            guard try trailer.fixed(UInt64.self) == bytes[position..<end].withUnsafeBytes({ Checksum.of($0) }) else {
                throw StoreError.damaged("a block's checksum does not match")
            }
            if wanted == nil || wanted == hash {
                let block = try decodeBlock(bytes[start..<end], withDetails: withDetails, &decompressor)
                if partition == nil || partition == block.partition { blocks.append(block) }
            }
            position = end + checksumSize
        }
        return blocks
    }

    private static func decodeBlock(
        _ bytes: ArraySlice<UInt8>, withDetails: Bool, _ decompressor: inout ZstdDecompressor
    ) throws -> DecisionBlock {
        var sizes = ByteDecoder(bytes)
        let narrowLength = try sizes.count()
        let narrowRaw = try sizes.varint()
        let wideLength = try sizes.count()
        let wideRaw = try sizes.varint()
        let start = sizes.position
        guard bytes.endIndex - start >= narrowLength + wideLength else { throw StoreError.truncated }
        let middle = start + narrowLength
        let end = middle + wideLength
        var narrow = ByteDecoder(try unpack(bytes[start..<middle], narrowRaw, &decompressor))
        var wide = ByteDecoder(withDetails ? try unpack(bytes[middle..<end], wideRaw, &decompressor) : [])
        var ids = ByteDecoder(bytes[end...])

        let partition = PartitionID(
            cluster: try narrow.string(), topic: try narrow.string(), partition: try narrow.fixed())
        var block = DecisionBlock(partition: partition, sampler: try narrow.string(), records: [])
        block.epoch = try narrow.varint()
        for _ in 0..<(try narrow.count(minimumSize: 5)) {
            let version = try narrow.fixed(UInt32.self)
            var names: [String] = []
            for _ in 0..<(try narrow.count()) { names.append(try narrow.string()) }
            block.policyNames[version] = names
        }
        let recordCount = try narrow.count(minimumSize: 5)
        let lateCount = try narrow.count()
        let traceIDs = try decodeIDs(&ids, count: recordCount + lateCount)
        try decodeVerdicts(recordCount, traceIDs, &narrow, into: &block)
        guard withDetails else { return block }
        try decodeDetails(recordCount, &narrow, &wide, into: &block)
        for index in 0..<lateCount {
            let value = try narrow.varint()
            guard let count = UInt32(exactly: value >> 1) else { throw StoreError.damaged("a count is too large") }
            block.lateSpans.append(
                LateSpans(traceID: traceIDs[recordCount + index], isKept: value & 1 == 1, count: count))
        }
        if !ids.isAtEnd {
            let detailsRaw = try ids.varint()
            try decodeDetails(try unpack(bytes[ids.position...], detailsRaw, &decompressor), into: &block)
            ids = ByteDecoder([])
        }
        guard narrow.isAtEnd, wide.isAtEnd, ids.isAtEnd else {
            throw StoreError.damaged("a block is longer than its contents")
        }
        return block
    }

    /// No zstd frame of ours expands a thousandfold and more than it says; what it says bounds the memory asked for.
    private static func unpack(
        _ bytes: ArraySlice<UInt8>, _ rawSize: UInt64, _ decompressor: inout ZstdDecompressor
    ) throws -> [UInt8] {
        guard rawSize <= 1 << 32 else { throw StoreError.damaged("a block says it has \(rawSize) bytes") }
        var raw: [UInt8] = []
        try bytes.withUnsafeBytes {
            try decompressor.decompress($0, appendingTo: &raw, maximumSize: Int(rawSize))
        }
        guard raw.count == Int(rawSize) else { throw StoreError.damaged("a block has \(raw.count) bytes") }
        return raw
    }

    private static func decodeIDs(_ decoder: inout ByteDecoder, count: Int) throws(StoreError) -> [TraceID] {
        let isShared = try decoder.fixed(UInt8.self) == 1
        let shared = isShared ? try decoder.fixed(UInt64.self) : 0
        var highs: [UInt64] = []
        if !isShared {
            highs.reserveCapacity(count)
            for _ in 0..<count { highs.append(try decoder.fixed()) }
        }
        var ids: [TraceID] = []
        ids.reserveCapacity(count)
        for index in 0..<count {
            ids.append(TraceID(high: isShared ? shared : highs[index], low: try decoder.fixed()))
        }
        return ids
    }

    private static func decodeVerdicts(
        _ count: Int, _ ids: [TraceID], _ narrow: inout ByteDecoder, into block: inout DecisionBlock
    ) throws(StoreError) {
        var verdicts: [Verdict] = []
        for _ in 0..<(try narrow.count(minimumSize: 14)) {
            verdicts.append(
                Verdict(version: try narrow.fixed(), policy: try narrow.fixed(), probability: try narrow.fixed()))
        }
        block.records.reserveCapacity(count)
        var hasWhole: [Int] = []
        for index in 0..<count {
            let flags = try narrow.fixed(UInt8.self)
            let number = (flags & ~(outlineFlag | wholeProbabilityFlag)) >> 1
            guard let trigger = Decision.Trigger(rawValue: number) else {
                throw .damaged("trigger \(number) is not known here")
            }
            if flags & wholeProbabilityFlag != 0 { hasWhole.append(index) }
            block.records.append(
                DecisionRecord(
                    traceID: ids[index], isKept: flags & 1 == 1, trigger: trigger, policyIndex: 0, policyVersion: 0,
                    probability: 0, decidedAt: 0, spanCount: 0, byteCount: 0, duration: 0, firstOffset: 0,
                    lastOffset: 0, isOutline: flags & outlineFlag != 0))
        }
        for index in 0..<count {
            let position = try narrow.varint()
            guard position < UInt64(verdicts.count) else { throw .damaged("a verdict is out of range") }
            let verdict = verdicts[Int(position)]
            block.records[index].policyVersion = verdict.version
            block.records[index].policyIndex = verdict.policy
            block.records[index].probability = Double(bitPattern: verdict.probability)
        }
        for index in hasWhole { block.records[index].wholeProbability = Double(bitPattern: try narrow.fixed()) }
        var time: Int64 = 0
        for index in 0..<count {
            time = time &+ (try narrow.signed())
            block.records[index].decidedAt = time
        }
    }

    private static func decodeDetails(
        _ count: Int, _ narrow: inout ByteDecoder, _ wide: inout ByteDecoder, into block: inout DecisionBlock
    ) throws(StoreError) {
        for index in 0..<count { block.records[index].spanCount = UInt32(truncatingIfNeeded: try narrow.varint()) }
        for index in 0..<count { block.records[index].errorCount = UInt32(truncatingIfNeeded: try narrow.varint()) }
        for index in 0..<count { block.records[index].byteCount = try wide.varint() }
        for index in 0..<count { block.records[index].duration = (try wide.varint()) &* 1000 }
        var offset: Int64 = 0
        for index in 0..<count {
            offset = offset &+ (try wide.signed())
            block.records[index].firstOffset = offset
        }
        for index in 0..<count {
            block.records[index].lastOffset = block.records[index].firstOffset &+ (try wide.signed())
        }
    }
}
