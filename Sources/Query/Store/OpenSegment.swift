import Pipeline
import Storage
import TraceModel

/// An accepted segment with its footer in memory. Immutable.
final class OpenSegment: Sendable {
    let accepted: AcceptedSegment
    let reader: SegmentReader
    /// Whether rows of the partition with that ordinal count.
    let acceptedOrdinals: [Bool]
    /// Traces that may have rows elsewhere too.
    let lateIDs: [TraceID]

    var path: String { accepted.reference.path }

    /// Opens the file, or, where only the accepted partitions changed, takes over what was open.
    init(_ accepted: AcceptedSegment, layout: StoreLayout, fileSystem: any FileSystem, previous: OpenSegment?) throws {
        self.accepted = accepted
        if let previous, previous.accepted.reference == accepted.reference {
            reader = previous.reader
        } else {
            reader = try SegmentReader(
                path: layout.path(accepted.reference.path), expectedByteCount: accepted.reference.byteCount,
                fileSystem: fileSystem)
        }
        acceptedOrdinals = reader.partitions.map { accepted.acceptedPartitions.contains($0) }
        var lateIDs: [TraceID] = []
        if reader.lateRowCount > 0 {
            try reader.forEachRow { row in
                if row.isLate, accepted.acceptedPartitions.contains(row.partition) { lateIDs.append(row.traceID) }
            }
        }
        self.lateIDs = lateIDs
    }

    /// Rows of the trace that count.
    func rows(of id: TraceID) throws -> [SegmentReader.Row] {
        try reader.rows(of: id).filter { accepted.acceptedPartitions.contains($0.partition) }
    }

    /// Whether a row may satisfy the query, as far as the footer tells.
    func mayMatch(_ query: TraceQuery) -> Bool {
        if reader.rowCount == 0 || !acceptedOrdinals.contains(true) { return false }
        if let from = query.from, reader.maxEnd < from { return false }
        if let to = query.to, reader.minStart > to { return false }
        if let service = query.service, !reader.mayContain(service: service) { return false }
        return true
    }
}
