public import Pipeline
import TraceModel

/// Collects kept traces and makes the bytes of one segment of them; docs/segment-format.md describes the file.
///
/// The same traces in the same order give the same bytes, so that a flush can be repeated. A value, used by one thread.
public struct SegmentWriter: Sendable {
    private var traces: [KeptTrace] = []
    /// Counts of dropped traces; nil where nobody counts them.
    var dropped: [DroppedTally]?
    private let blockSize: Int
    private let compressionLevel: Int32

    public init(compressionLevel: Int32 = 3) {
        self.init(compressionLevel: compressionLevel, blockSize: SegmentFormat.blockSize)
    }

    /// Tests take small blocks to get many.
    init(compressionLevel: Int32 = 3, blockSize: Int) {
        self.compressionLevel = compressionLevel
        self.blockSize = blockSize
    }

    public init(_ traces: [KeptTrace], compressionLevel: Int32 = 3) {
        self.init(compressionLevel: compressionLevel)
        self.traces = traces
    }

    public mutating func append(_ trace: KeptTrace) { traces.append(trace) }

    public var count: Int { traces.count }

    /// Compresses everything and returns the file. Throws `SegmentError` (`tooLarge`) where the format cannot hold it.
    ///
    /// - Parameter path: named in errors only.
    public func encode(path: String) throws(SegmentError) -> [UInt8] {
        // Sorted by id for look-ups; rows of one trace stay in the order in which they came.
        let order = traces.indices.sorted {
            let (left, right) = (traces[$0].summary.traceID, traces[$1].summary.traceID)
            return left == right ? $0 < $1 : left < right
        }
        let sorted = order.map { traces[$0] }
        var file = SegmentByteWriter()
        file.append(SegmentFormat.magic)
        var contents = SegmentFormat.Contents()
        contents.dropped = dropped != nil
        contents.outlines = traces.contains { $0.summary.leftOutSpanCount > 0 }
        file.fixed(contents.version)
        file.fixed(UInt32(0))

        var footer = SegmentFooter()
        let places = try appendBlocks(to: &file, &footer, path)
        try appendTable(sorted, order.map { places[$0] }, to: &file, &footer, path)
        let columns = SegmentSummaries.encode(sorted, withOutlines: contents.outlines)
        footer.strings = try appendSection(columns.strings, to: &file, path)
        footer.summaries = try appendSection(columns.section, to: &file, path)
        if let dropped {
            footer.dropped = try appendSection(
                DroppedTally.encode(dropped, partitions: footer.partitions), to: &file, path)
            footer.droppedFirst = dropped.map(\.start).min() ?? 0
            footer.droppedLast = dropped.map(\.start).max() ?? 0
        }
        addStatistics(sorted, to: &footer)

        let footerBytes = footer.encode()
        guard let footerLength = UInt32(exactly: footerBytes.count) else {
            throw SegmentError(.tooLarge, path: path, "footer of \(footerBytes.count) bytes")
        }
        file.append(footerBytes)
        file.fixed(footerLength)
        file.fixed(Checksum.of(footerBytes))
        file.append(SegmentFormat.endMagic)
        return file.bytes
    }

    /// Where a payload lies.
    private struct Place {
        var block: UInt32
        var offset: UInt32
        var length: UInt32
    }

    /// Payloads back to back in the order in which they came: neighbours in time read together more often than neighbours
    /// by id. None spans two blocks, so that one trace is one decompression.
    private func appendBlocks(
        to file: inout SegmentByteWriter, _ footer: inout SegmentFooter, _ path: String
    ) throws(SegmentError) -> [Place] {
        var places: [Place] = []
        places.reserveCapacity(traces.count)
        var block: [UInt8] = []
        block.reserveCapacity(blockSize)
        for trace in traces {
            if !block.isEmpty && block.count + trace.payload.count > blockSize {
                footer.blocks.append(try appendSection(block, to: &file, path))
                block.removeAll(keepingCapacity: true)
            }
            guard trace.payload.count <= SegmentFormat.maximumRawSize else {
                throw SegmentError(.tooLarge, path: path, "trace of \(trace.payload.count) bytes")
            }
            places.append(
                Place(
                    block: UInt32(truncatingIfNeeded: footer.blocks.count),
                    offset: UInt32(truncatingIfNeeded: block.count),
                    length: UInt32(truncatingIfNeeded: trace.payload.count)))
            block.append(contentsOf: trace.payload)
        }
        if !traces.isEmpty { footer.blocks.append(try appendSection(block, to: &file, path)) }
        return places
    }

    private func appendSection(
        _ raw: [UInt8], to file: inout SegmentByteWriter, _ path: String
    ) throws(SegmentError) -> SegmentFooter.Section {
        guard raw.count <= SegmentFormat.maximumRawSize else {
            throw SegmentError(.tooLarge, path: path, "section of \(raw.count) bytes")
        }
        let offset = UInt64(file.bytes.count)
        let stored = try SegmentCompression.compress(raw, level: compressionLevel, path: path, offset: offset)
        file.append(stored)
        return SegmentFooter.Section(
            offset: offset, storedLength: UInt64(stored.count), rawLength: UInt64(raw.count),
            checksum: Checksum.of(stored))
    }

    private func appendTable(
        _ sorted: [KeptTrace], _ places: [Place], to file: inout SegmentByteWriter, _ footer: inout SegmentFooter,
        _ path: String
    ) throws(SegmentError) {
        footer.partitions = Set(sorted.map(\.partition)).union((dropped ?? []).map(\.partition)).sorted()
        guard footer.partitions.count <= Int(UInt16.max), sorted.count <= Int(UInt32.max) else {
            throw SegmentError(.tooLarge, path: path, "\(footer.partitions.count) partitions, \(sorted.count) traces")
        }
        var ordinals: [PartitionID: UInt16] = [:]
        for (ordinal, partition) in footer.partitions.enumerated() { ordinals[partition] = UInt16(ordinal) }

        footer.tableOffset = UInt64(file.bytes.count)
        footer.rowCount = sorted.count
        for (row, trace) in sorted.enumerated() {
            let id = trace.summary.traceID
            if row % SegmentFormat.rowsPerPage == 0 {
                footer.pages.append(.init(firstIDHigh: id.high, firstIDLow: id.low, checksum: 0))
            }
            var flags = SegmentRowFlags()
            if trace.isLate { flags.insert(.isLate) }
            if trace.summary.errorCount > 0 { flags.insert(.isError) }
            if trace.summary.hasRoot { flags.insert(.hasRoot) }
            file.bigEndian(id.high)
            file.bigEndian(id.low)
            file.fixed(places[row].block)
            file.fixed(places[row].offset)
            file.fixed(places[row].length)
            file.fixed(ordinals[trace.partition] ?? 0)
            file.fixed(flags.rawValue)
        }
        let pageSize = SegmentFormat.rowsPerPage * SegmentFormat.tableRowSize
        for page in footer.pages.indices {
            let start = Int(footer.tableOffset) + page * pageSize
            let end = min(start + pageSize, file.bytes.count)
            footer.pages[page].checksum = Checksum.of(Array(file.bytes[start..<end]))
        }
    }

    private func addStatistics(_ sorted: [KeptTrace], to footer: inout SegmentFooter) {
        var services = Set<String>()
        var previous: TraceID?
        footer.minStart = sorted.map(\.summary.startTime).min() ?? 0
        for trace in sorted {
            if trace.summary.traceID != previous { footer.traceCount += 1 }
            previous = trace.summary.traceID
            if trace.isLate { footer.lateRowCount += 1 }
            footer.spanCount += UInt64(max(0, trace.summary.spanCount))
            footer.payloadBytes += UInt64(trace.payload.count)
            footer.maxStart = max(footer.maxStart, trace.summary.startTime)
            footer.maxEnd = max(footer.maxEnd, trace.summary.startTime, trace.summary.endTime)
            // Without an indexer the root's service is all there is to search by.
            services.insert(trace.summary.rootService)
            for operation in trace.operations { services.insert(operation.service) }
        }
        services.remove("")
        footer.services = services.sorted()
    }
}
