package import Pipeline
import Storage
package import TraceModel

/// One stored part of a trace: what was decided together, or late spans.
package struct StoredRow: Sendable {
    /// Path relative to the store.
    package var segment: String
    package var partition: PartitionID
    package var isLate: Bool
    package var summary: TraceSummary
    package var decision: Decision
}

extension TraceStore {
    /// The parts of a trace, oldest segment first. Segments that cannot be read are left out.
    package func storedRows(of id: TraceID) throws -> [StoredRow] {
        try withSnapshot { snapshot, _ in
            var found: [StoredRow] = []
            for segment in snapshot.segments.reversed() {
                guard let rows = try? segment.rows(of: id), !rows.isEmpty,
                    let columns = try? cache.columns(of: segment)
                else { continue }
                found += rows.map {
                    StoredRow(
                        segment: segment.path, partition: $0.partition, isLate: $0.isLate,
                        summary: columns.rows.summary(of: $0.index), decision: columns.rows.decision(of: $0.index))
                }
            }
            return found
        }
    }
}
