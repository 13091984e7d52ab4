import Pipeline

/// What a reader knows of a segment after opening it: enough to skip it, and to find everything else.
struct SegmentFooter {
    /// A run of compressed (or plain) bytes in the file.
    struct Section: Equatable {
        var offset: UInt64 = 0
        var storedLength: UInt64 = 0
        /// Length after decompression.
        var rawLength: UInt64 = 0
        /// XXH3-64 of the stored bytes.
        var checksum: UInt64 = 0
    }

    /// 128 rows of the trace table.
    struct Page: Equatable {
        var firstIDHigh: UInt64
        var firstIDLow: UInt64
        var checksum: UInt64
    }

    var rowCount = 0
    /// Distinct trace ids.
    var traceCount = 0
    /// Rows of late spans.
    var lateRowCount = 0
    var spanCount: UInt64 = 0
    /// Raw bytes of all payloads.
    var payloadBytes: UInt64 = 0
    var minStart: UInt64 = 0
    var maxStart: UInt64 = 0
    var maxEnd: UInt64 = 0
    /// Every service that has a span in the segment, sorted.
    var services: [String] = []
    var partitions: [PartitionID] = []
    var blocks: [Section] = []
    var tableOffset: UInt64 = 0
    var pages: [Page] = []
    var strings = Section()
    var summaries = Section()
    /// Counts of dropped traces; nil in a segment without them.
    var dropped: Section?
    /// Earliest and latest start of their periods; 0 where there are none.
    var droppedFirst: UInt64 = 0
    var droppedLast: UInt64 = 0

    var tableLength: UInt64 { UInt64(rowCount) * UInt64(SegmentFormat.tableRowSize) }
}

extension SegmentFooter {
    func encode() -> [UInt8] {
        var writer = SegmentByteWriter()
        writer.varint(rowCount)
        writer.varint(traceCount)
        writer.varint(lateRowCount)
        writer.varint(spanCount)
        writer.varint(payloadBytes)
        writer.fixed(minStart)
        writer.fixed(maxStart)
        writer.fixed(maxEnd)
        writer.varint(services.count)
        for service in services { writer.string(service) }
        writer.varint(partitions.count)
        for partition in partitions {
            writer.string(partition.cluster)
            writer.string(partition.topic)
            writer.zigzag(Int64(partition.partition))
        }
        writer.varint(blocks.count)
        for block in blocks { encode(block, into: &writer) }
        writer.varint(tableOffset)
        writer.varint(pages.count)
        for page in pages {
            writer.bigEndian(page.firstIDHigh)
            writer.bigEndian(page.firstIDLow)
            writer.fixed(page.checksum)
        }
        encode(strings, into: &writer)
        encode(summaries, into: &writer)
        if let dropped {
            encode(dropped, into: &writer)
            writer.fixed(droppedFirst)
            writer.fixed(droppedLast)
        }
        return writer.bytes
    }

    private func encode(_ section: Section, into writer: inout SegmentByteWriter) {
        writer.varint(section.offset)
        writer.varint(section.storedLength)
        writer.varint(section.rawLength)
        writer.fixed(section.checksum)
    }

    /// - Parameters:
    ///   - footerOffset: where the footer starts in the file; everything it names must lie before, back to back.
    ///   - contents: of the file, by its version.
    init(
        decoding bytes: [UInt8], path: String, footerOffset: UInt64, contents: SegmentFormat.Contents
    ) throws(SegmentError) {
        var reader = SegmentByteReader(bytes[...], path: path, baseOffset: footerOffset)
        rowCount = Int(try reader.varint32())
        traceCount = Int(try reader.varint32())
        lateRowCount = Int(try reader.varint32())
        spanCount = try reader.varint()
        payloadBytes = try reader.varint()
        minStart = try reader.fixed(UInt64.self)
        maxStart = try reader.fixed(UInt64.self)
        maxEnd = try reader.fixed(UInt64.self)
        for _ in 0..<(try reader.count(minimumSize: 1)) { services.append(try reader.string()) }
        for _ in 0..<(try reader.count(minimumSize: 3)) {
            let cluster = try reader.string()
            let topic = try reader.string()
            guard let number = Int32(exactly: try reader.zigzag()) else {
                throw reader.malformed("partition number of more than 32 bits")
            }
            partitions.append(PartitionID(cluster: cluster, topic: topic, partition: number))
        }
        for _ in 0..<(try reader.count(minimumSize: 11)) { blocks.append(try Self.section(&reader)) }
        tableOffset = try reader.varint()
        for _ in 0..<(try reader.count(minimumSize: 24)) {
            pages.append(
                Page(
                    firstIDHigh: try reader.bigEndian(), firstIDLow: try reader.bigEndian(),
                    checksum: try reader.fixed(UInt64.self)))
        }
        strings = try Self.section(&reader)
        summaries = try Self.section(&reader)
        if contents.dropped {
            dropped = try Self.section(&reader)
            droppedFirst = try reader.fixed(UInt64.self)
            droppedLast = try reader.fixed(UInt64.self)
        }
        guard reader.isAtEnd else { throw reader.malformed("footer is longer than its contents") }
        try checkLayout(path: path, footerOffset: footerOffset)
    }

    private static func section(_ reader: inout SegmentByteReader) throws(SegmentError) -> Section {
        let section = Section(
            offset: try reader.varint(), storedLength: try reader.varint(), rawLength: try reader.varint(),
            checksum: try reader.fixed(UInt64.self))
        guard section.rawLength <= UInt64(SegmentFormat.maximumRawSize) else {
            throw reader.malformed("section of \(section.rawLength) bytes")
        }
        return section
    }

    /// Everything lies back to back from the header to the footer, so that no byte of the file is without a checksum.
    private func checkLayout(path: String, footerOffset: UInt64) throws(SegmentError) {
        var expected = UInt64(SegmentFormat.headerSize)
        func next(_ offset: UInt64, _ length: UInt64, _ name: String) throws(SegmentError) {
            let (end, overflow) = expected.addingReportingOverflow(length)
            guard offset == expected, !overflow, end <= footerOffset else {
                throw SegmentError(.malformed, path: path, offset: footerOffset, "\(name) is not where it must be")
            }
            expected = end
        }
        for block in blocks { try next(block.offset, block.storedLength, "data block") }
        try next(tableOffset, tableLength, "trace table")
        try next(strings.offset, strings.storedLength, "string section")
        try next(summaries.offset, summaries.storedLength, "summary section")
        if let dropped { try next(dropped.offset, dropped.storedLength, "section of dropped traces") }
        let pagesNeeded = (rowCount + SegmentFormat.rowsPerPage - 1) / SegmentFormat.rowsPerPage
        guard expected == footerOffset, pages.count == pagesNeeded else {
            throw SegmentError(.malformed, path: path, offset: footerOffset, "footer does not cover the file")
        }
    }
}
