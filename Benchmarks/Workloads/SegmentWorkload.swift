import Pipeline
import Storage

/// Encodes kept traces as one segment file, in memory.
public final class SegmentWorkload {
    private let writer: SegmentWriter
    /// Spans in the segment.
    public let spanCount: Int

    public init(_ records: RecordSet) throws {
        let sampling = try SamplingWorkload(records, percentage: 100)
        sampling.runRound()
        sampling.closeWindows()
        writer = SegmentWriter(sampling.keptTraces)
        spanCount = sampling.keptTraces.reduce(0) { $0 + $1.summary.spanCount }
    }

    /// Returns the size of the file in bytes.
    public func encode() throws -> Int { try writer.encode(path: "memory").count }
}
