import Glibc
public import Pipeline
public import TraceModel

/// Reads one sealed segment. Opening reads the footer (about 1 % of the file); everything else is read when asked for and
/// checked before it is used: damage gives a `SegmentError` that names file and offset, never a trap.
///
/// Reads with `pread` through `FileSystem`, not through a memory map: a disk error or a file cut short under a map is a
/// signal that kills the process, and tests could not inject faults. What repeats (footer, summaries) is kept in memory by
/// the caller. A value without mutable state: safe to share between threads.
public struct SegmentReader: Sendable {
    public let path: String
    public let byteCount: UInt64
    private let fileSystem: any FileSystem
    private let footer: SegmentFooter
    private let contents: SegmentFormat.Contents

    /// Where one stored trace (or the late spans of one) lies.
    public struct Row: Sendable, Equatable {
        public var traceID: TraceID
        public var partition: PartitionID
        public var isLate: Bool
        public var isError: Bool
        public var hasRoot: Bool
        /// Its number in the trace table and in `SegmentSummaries`.
        public var index: Int
        package var block: UInt32
        var offset: UInt32
        var length: UInt32
    }

    /// Opens a file and checks its header and footer.
    ///
    /// - Parameter expectedByteCount: what a manifest says; another size is refused at once.
    public init(
        path: String, expectedByteCount: UInt64? = nil, fileSystem: any FileSystem = LocalFileSystem()
    ) throws(SegmentError) {
        self.path = path
        self.fileSystem = fileSystem
        byteCount = try Self.attempt(path) { () throws(FileError) in try fileSystem.size(path) }
        if let expectedByteCount, expectedByteCount != byteCount {
            throw SegmentError(
                .notASegment, path: path, "has \(byteCount) bytes, the manifest says \(expectedByteCount)")
        }
        let headerSize = UInt64(SegmentFormat.headerSize)
        let tailSize = UInt64(SegmentFormat.tailSize)
        guard byteCount >= headerSize + tailSize else {
            throw SegmentError(.notASegment, path: path, "is too short for a segment")
        }
        contents = try Self.checkHeader(try Self.read(path, 0, headerSize, fileSystem), path)

        let tailOffset = byteCount - tailSize
        let tail = try Self.read(path, tailOffset, tailSize, fileSystem)
        guard tail.suffix(8) == SegmentFormat.endMagic[...] else {
            throw SegmentError(.notASegment, path: path, offset: tailOffset + 12, "has no end mark: it was cut short")
        }
        var reader = SegmentByteReader(tail[...], path: path, baseOffset: tailOffset)
        let footerLength = UInt64(try reader.fixed(UInt32.self))
        let footerChecksum = try reader.fixed(UInt64.self)
        guard footerLength <= tailOffset - headerSize else {
            throw SegmentError(.malformed, path: path, offset: tailOffset, "footer is longer than the file")
        }
        let footerOffset = tailOffset - footerLength
        let footerBytes = try Self.read(path, footerOffset, footerLength, fileSystem)
        guard Checksum.of(footerBytes) == footerChecksum else {
            throw SegmentError(.checksumMismatch, path: path, offset: footerOffset, "footer is damaged")
        }
        footer = try SegmentFooter(
            decoding: footerBytes, path: path, footerOffset: footerOffset, contents: contents)
    }

    private static func checkHeader(_ header: [UInt8], _ path: String) throws(SegmentError) -> SegmentFormat.Contents {
        guard header.prefix(8) == SegmentFormat.magic[...] else {
            throw SegmentError(.notASegment, path: path, "does not start as a segment does")
        }
        var reader = SegmentByteReader(header[8...], path: path, baseOffset: 8)
        let version = try reader.fixed(UInt32.self)
        guard let contents = SegmentFormat.Contents(version: version), try reader.fixed(UInt32.self) == 0 else {
            throw SegmentError(
                .unsupportedVersion, path: path, offset: 8,
                "has format version \(version); this program reads version "
                    + "\(SegmentFormat.Contents.lowestVersion) to \(SegmentFormat.Contents.highestVersion)")
        }
        return contents
    }

    // MARK: What the footer knows

    public var rowCount: Int { footer.rowCount }
    /// Distinct trace ids.
    public var traceCount: Int { footer.traceCount }
    public var lateRowCount: Int { footer.lateRowCount }
    public var spanCount: UInt64 { footer.spanCount }
    /// Bytes of all traces before compression.
    public var payloadBytes: UInt64 { footer.payloadBytes }
    /// Earliest start of a row, nanoseconds since the Unix epoch.
    public var minStart: UInt64 { footer.minStart }
    public var maxStart: UInt64 { footer.maxStart }
    public var maxEnd: UInt64 { footer.maxEnd }
    /// Every service with a span in the segment, sorted.
    public var services: [String] { footer.services }
    /// Sorted; a summary's partition ordinal is a position here.
    public var partitions: [PartitionID] { footer.partitions }

    /// Whether a trace of this service may be in the segment.
    public func mayContain(service: String) -> Bool {
        var low = 0
        var high = footer.services.count
        while low < high {
            let middle = (low + high) / 2
            if footer.services[middle] < service { low = middle + 1 } else { high = middle }
        }
        return low < footer.services.count && footer.services[low] == service
    }

    // MARK: Rows

    /// All rows of a trace: several where late spans or other partitions added some. Reads one or two pages of the table.
    public func rows(of id: TraceID) throws(SegmentError) -> [Row] {
        // The first page that starts at or after the id; the rows may begin in the one before.
        var low = 0
        var high = footer.pages.count
        while low < high {
            let middle = (low + high) / 2
            let page = footer.pages[middle]
            if TraceID(high: page.firstIDHigh, low: page.firstIDLow) < id { low = middle + 1 } else { high = middle }
        }
        var rows: [Row] = []
        var page = max(0, low - 1)
        while page < footer.pages.count {
            if page >= low, firstID(of: page) != id { break }
            rows.append(contentsOf: try self.rows(inPage: page).filter { $0.traceID == id })
            page += 1
        }
        return rows
    }

    private func firstID(of page: Int) -> TraceID {
        TraceID(high: footer.pages[page].firstIDHigh, low: footer.pages[page].firstIDLow)
    }

    private func rows(inPage page: Int) throws(SegmentError) -> [Row] {
        let pageSize = UInt64(SegmentFormat.rowsPerPage * SegmentFormat.tableRowSize)
        let start = UInt64(page) * pageSize
        let length = min(pageSize, footer.tableLength - start)
        let offset = footer.tableOffset + start
        let bytes = try Self.read(path, offset, length, fileSystem)
        guard Checksum.of(bytes) == footer.pages[page].checksum else {
            throw SegmentError(.checksumMismatch, path: path, offset: offset, "trace table is damaged")
        }
        var reader = SegmentByteReader(bytes[...], path: path, baseOffset: offset)
        var rows: [Row] = []
        rows.reserveCapacity(SegmentFormat.rowsPerPage)
        while !reader.isAtEnd {
            let id = TraceID(high: try reader.bigEndian(), low: try reader.bigEndian())
            let (block, payloadOffset, length) = (
                try reader.fixed(UInt32.self), try reader.fixed(UInt32.self), try reader.fixed(UInt32.self)
            )
            let ordinal = Int(try reader.fixed(UInt16.self))
            let flags = SegmentRowFlags(rawValue: try reader.fixed(UInt16.self))
            guard ordinal < footer.partitions.count else { throw reader.malformed("row of an unknown partition") }
            rows.append(
                Row(
                    traceID: id, partition: footer.partitions[ordinal], isLate: flags.contains(.isLate),
                    isError: flags.contains(.isError), hasRoot: flags.contains(.hasRoot),
                    index: page * SegmentFormat.rowsPerPage + rows.count, block: block, offset: payloadOffset,
                    length: length))
        }
        return rows
    }

    /// Every row in the order of the table, page by page.
    public func forEachRow(_ body: (Row) throws -> Void) throws {
        for page in footer.pages.indices {
            for row in try rows(inPage: page) { try body(row) }
        }
    }

    // MARK: Contents

    /// The spans of a row as an OTLP `ExportTraceServiceRequest`. Decompresses one block.
    public func payload(of row: Row) throws(SegmentError) -> [UInt8] { try payload(of: row, block(row.block)) }

    /// The spans of several rows; a block that several of them share is decompressed once.
    public func payloads(of rows: [Row]) throws(SegmentError) -> [[UInt8]] {
        var payloads: [[UInt8]] = []
        var number: UInt32?
        var bytes: [UInt8] = []
        for row in rows {
            if row.block != number { bytes = try block(row.block) }
            number = row.block
            payloads.append(try payload(of: row, bytes))
        }
        return payloads
    }

    private func block(_ number: UInt32) throws(SegmentError) -> [UInt8] {
        guard Int(number) < footer.blocks.count else {
            throw SegmentError(.malformed, path: path, offset: footer.tableOffset, "row in an unknown block")
        }
        return try section(footer.blocks[Int(number)], "data block")
    }

    private func payload(of row: Row, _ block: [UInt8]) throws(SegmentError) -> [UInt8] {
        let start = Int(row.offset)
        guard start <= block.count, Int(row.length) <= block.count - start else {
            throw SegmentError(.malformed, path: path, offset: footer.tableOffset, "row reaches beyond its block")
        }
        return Array(block[start..<start + Int(row.length)])
    }

    /// Reads all summaries and, for ids and partitions, the trace table. Callers keep the result.
    public func summaries() throws(SegmentError) -> SegmentSummaries {
        let stringBytes = try section(footer.strings, "string section")
        var reader = SegmentByteReader(stringBytes[...], path: path, baseOffset: footer.strings.offset)
        var strings: [String] = []
        for _ in 0..<(try reader.count(minimumSize: 1)) { strings.append(try reader.string()) }
        guard reader.isAtEnd else { throw reader.malformed("string section is longer than its contents") }

        var summaries = try SegmentSummaries(
            decoding: try section(footer.summaries, "summary section"), strings: strings, rowCount: footer.rowCount,
            hasOutlines: contents.outlines, path: path, offset: footer.summaries.offset)
        for page in footer.pages.indices {
            for row in try rows(inPage: page) {
                summaries.traceIDs.append(row.traceID)
                // Found above, in `rows`; a segment has few partitions.
                let ordinal = footer.partitions.firstIndex(of: row.partition) ?? 0
                summaries.partitionOrdinals.append(UInt16(truncatingIfNeeded: ordinal))
                var flags = SegmentRowFlags()
                if row.isLate { flags.insert(.isLate) }
                if row.isError { flags.insert(.isError) }
                if row.hasRoot { flags.insert(.hasRoot) }
                summaries.flags.append(flags.rawValue)
            }
        }
        return summaries
    }

    /// Whether the traces that were dropped beside the stored ones are counted in the segment.
    public var countsDropped: Bool { footer.dropped != nil }
    /// Earliest and latest start of the counts' periods, nanoseconds since the Unix epoch; 0 where there are none.
    public var droppedFirst: UInt64 { footer.droppedFirst }
    public var droppedLast: UInt64 { footer.droppedLast }

    /// The counts of dropped traces; empty where `countsDropped` is false.
    public func droppedTallies() throws(SegmentError) -> [DroppedTally] {
        guard let dropped = footer.dropped else { return [] }
        let bytes = try section(dropped, "section of dropped traces")
        return try DroppedTally.decode(
            bytes, partitions: footer.partitions, path: path, offset: dropped.offset)
    }

    /// Reads and checks every byte, as `tailrace store verify` does.
    public func verify() throws(SegmentError) {
        _ = try droppedTallies()
        let summaries = try summaries()
        guard summaries.rowCount == footer.rowCount else {
            throw SegmentError(.malformed, path: path, offset: footer.tableOffset, "trace table ends early")
        }
        var blockSizes: [Int] = []
        for block in footer.blocks { blockSizes.append(try section(block, "data block").count) }
        var previous = TraceID(high: 0, low: 0)
        for page in footer.pages.indices {
            for row in try rows(inPage: page) {
                guard
                    row.traceID >= previous, Int(row.block) < blockSizes.count,
                    Int(row.offset) + Int(row.length) <= blockSizes[Int(row.block)]
                else {
                    throw SegmentError(
                        .malformed, path: path, offset: footer.tableOffset, "row \(row.index) is out of order or place")
                }
                previous = row.traceID
            }
        }
    }

    // MARK: -

    private func section(_ section: SegmentFooter.Section, _ name: String) throws(SegmentError) -> [UInt8] {
        let stored = try Self.read(path, section.offset, section.storedLength, fileSystem)
        guard Checksum.of(stored) == section.checksum else {
            throw SegmentError(.checksumMismatch, path: path, offset: section.offset, "\(name) is damaged")
        }
        return try SegmentCompression.decompress(
            stored, rawLength: Int(section.rawLength), path: path, offset: section.offset)
    }

    private static func read(
        _ path: String, _ offset: UInt64, _ count: UInt64, _ fileSystem: any FileSystem
    ) throws(SegmentError) -> [UInt8] {
        let bytes = try attempt(path) { () throws(FileError) in
            try fileSystem.read(path, from: offset, count: Int(clamping: count))
        }
        guard UInt64(bytes.count) == count else {
            throw SegmentError(.notASegment, path: path, offset: offset + UInt64(bytes.count), "was cut while read")
        }
        return bytes
    }

    private static func attempt<Result>(
        _ path: String, _ operation: () throws(FileError) -> Result
    ) throws(SegmentError) -> Result {
        do throws(FileError) {
            return try operation()
        } catch {
            throw SegmentError(error.code == ENOENT ? .missing : .unreadable, path: path, error.description)
        }
    }
}
