import OTLP
import Pipeline
import TraceModel

/// Reads a decision file piece by piece, of either version: one group in memory at a time.
///
/// Damage is a `StoreError` with the byte at which it is. A value without mutable state.
struct DecisionFileReader: Sendable {
    /// One flush's decisions, as far as the header tells. In a file of version 1 each block counts as a group.
    struct Group: Sendable, Equatable {
        /// Nil in version 1, which does not say.
        var header: DecisionFile.GroupHeader?
        /// Bytes from the start of the file.
        var offset: UInt64
        var length: UInt64

        var end: UInt64 { offset + length }

        /// Of the first block; in version 1 the group is a block.
        var blocksOffset: UInt64 {
            header.map { offset + UInt64(DecisionFile.groupHeaderSize) + UInt64($0.filterLength) } ?? offset
        }

        /// Whether a decision of `oldest` or later may be in it.
        func reaches(_ oldest: Int64) -> Bool { header.map { $0.lastDecidedAt >= oldest } ?? true }
    }

    let path: String
    /// Bytes that count.
    let length: UInt64
    let isLegacy: Bool
    private let fileSystem: any FileSystem

    /// - Parameter length: what a manifest vouches for; all of the file where nil.
    init(path: String, length: UInt64? = nil, fileSystem: any FileSystem) throws {
        self.path = path
        self.fileSystem = fileSystem
        let size = try fileSystem.size(path)
        if let length, length > size { throw StoreError.truncated }
        self.length = length ?? size
        guard self.length > 0 else {
            isLegacy = false
            return
        }
        let start = try fileSystem.read(path, from: 0, count: DecisionFile.headerSize)
        isLegacy = start.prefix(DecisionFile.magic.count) != DecisionFile.magic[...]
        if !isLegacy { try DecisionFile.checkFileHeader(start) }
    }

    var firstGroupOffset: UInt64 { isLegacy || length == 0 ? 0 : UInt64(DecisionFile.headerSize) }

    /// The group that starts at a byte; nil at the end.
    func group(at offset: UInt64) throws -> Group? {
        if offset >= length { return nil }
        do {
            return try isLegacy ? legacyGroup(at: offset) : modernGroup(at: offset)
        } catch let error as StoreError {
            throw StoreError.damaged("\(error) (at byte \(offset))")
        }
    }

    private func modernGroup(at offset: UInt64) throws -> Group {
        let header = try DecisionFile.decodeGroupHeader(read(offset, DecisionFile.groupHeaderSize)[...])
        let size = UInt64(DecisionFile.groupHeaderSize) + UInt64(header.filterLength) + UInt64(header.blocksLength)
        guard length - offset >= size else { throw StoreError.truncated }
        return Group(header: header, offset: offset, length: size)
    }

    private func legacyGroup(at offset: UInt64) throws -> Group {
        let size = try DecisionFile.legacyBlockLength(read(offset, DecisionFile.legacyHeaderSize))
        let whole = UInt64(size) + UInt64(DecisionFile.legacyHeaderSize)
        guard length - offset >= whole else { throw StoreError.truncated }
        return Group(header: nil, offset: offset, length: whole)
    }

    /// Visits the groups in their order; reads their headers only.
    ///
    /// - Parameter offset: where to begin: the start, or the end of a group that was seen before.
    func forEachGroup(from offset: UInt64? = nil, _ body: (Group) throws -> Void) throws {
        var position = offset ?? firstGroupOffset
        while let group = try group(at: position) {
            try body(group)
            position = group.end
        }
    }

    /// False where the trace's decision is not in the group. Reads 32 bytes.
    func mayContain(_ hash: UInt64, in group: Group) throws -> Bool {
        guard let header = group.header else { return true }
        let line = DecisionFilter.line(of: hash, count: Int(header.filterLength) / DecisionFilter.lineSize)
        let offset = group.offset + UInt64(DecisionFile.groupHeaderSize) + UInt64(line * DecisionFilter.lineSize)
        return DecisionFilter.mayContain(hash, line: try read(offset, DecisionFilter.lineSize))
    }

    /// Decisions of a group, all partitions' or one's.
    func blocks(of group: Group, partition: PartitionID? = nil) throws -> [DecisionBlock] {
        do {
            guard let header = group.header else {
                let block = try DecisionFile.decodeLegacyBlock(read(group.offset, Int(group.length)))
                return partition == nil || partition == block.partition ? [block] : []
            }
            let bytes = try read(group.blocksOffset, Int(header.blocksLength))
            return try DecisionFile.decodeBlocks(bytes[...], of: partition)
        } catch let error as FileError {
            throw error
        } catch {
            throw StoreError.damaged("\(error) (in the group at byte \(group.offset))")
        }
    }

    /// Whose a block is, and where. Not of version 1, which does not say so in few bytes.
    struct BlockHeader: Sendable, Comparable {
        /// Of several partitions with one hash the contents of the block tell.
        var partitionHash: UInt64
        /// Bytes from the first block of the group.
        var offset: UInt32
        /// With header and checksum.
        var length: UInt32

        static func < (one: Self, other: Self) -> Bool {
            (one.partitionHash, one.offset) < (other.partitionHash, other.offset)
        }
    }

    /// Reads the headers of a group's blocks, in their order.
    func blockHeaders(of group: Group) throws -> [BlockHeader] {
        guard let header = group.header else { return [] }
        var headers: [BlockHeader] = []
        headers.reserveCapacity(Int(clamping: min(header.blockCount, header.blocksLength / 20)))
        var position = group.blocksOffset
        while position < group.end {
            var start = ByteDecoder(try read(position, DecisionFile.blockHeaderSize))
            let length =
                UInt64(try start.fixed(UInt32.self)) + UInt64(DecisionFile.blockHeaderSize + DecisionFile.checksumSize)
            guard group.end - position >= length else { throw StoreError.truncated }
            headers.append(
                BlockHeader(
                    partitionHash: try start.fixed(), offset: UInt32(truncatingIfNeeded: position - group.blocksOffset),
                    length: UInt32(truncatingIfNeeded: length)))
            position += length
        }
        guard headers.count == Int(header.blockCount) else {
            throw StoreError.damaged("a group has other blocks than its header says (at byte \(group.offset))")
        }
        return headers
    }

    /// Visits one partition's blocks of the groups that have decisions of `oldest` or later, one block at a time, without what
    /// only people want to know (sizes, durations, offsets). Reads headers and these blocks only.
    ///
    /// - Parameter index: of this file; what is read of the headers is added to it.
    func forEachBlockToRemember(
        of partition: PartitionID, since oldest: Int64, _ index: DecisionFileIndex,
        _ body: (DecisionBlock) throws -> Void
    ) throws {
        if isLegacy {
            return try forEachGroup { group in
                for block in try blocks(of: group, partition: partition) { try body(block) }
            }
        }
        let places = try index.places(of: partition, since: oldest, in: self)
        if places.isEmpty { return }
        var decompressor = try ZstdDecompressor()
        for place in places {
            let bytes = try read(place.offset, place.length)
            for block in try DecisionFile.decodeBlocks(
                bytes[...], of: partition, withDetails: false, &decompressor)
            { try body(block) }
        }
    }

    /// Reads and checks every byte of a group.
    func verify(_ group: Group) throws -> [DecisionBlock] {
        let blocks = try blocks(of: group)
        guard let header = group.header else { return blocks }
        let filter = try read(group.offset + UInt64(DecisionFile.groupHeaderSize), Int(header.filterLength))
        guard Checksum.of(filter) == header.filterChecksum else {
            throw StoreError.damaged("a filter's checksum does not match (in the group at byte \(group.offset))")
        }
        guard blocks.count == Int(header.blockCount),
            blocks.reduce(0, { $0 + $1.records.count }) == Int(header.recordCount)
        else {
            throw StoreError.damaged("a group has other decisions than its header says (at byte \(group.offset))")
        }
        return blocks
    }

    private func read(_ offset: UInt64, _ count: Int) throws -> [UInt8] {
        let bytes = try fileSystem.read(path, from: offset, count: count)
        guard bytes.count == count else { throw StoreError.truncated }
        return bytes
    }
}
