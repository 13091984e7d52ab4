import OTLP
import Pipeline
import Storage
public import TraceModel

extension TraceStore {
    /// The trace with all its accepted rows (late ones too), or nil where no segment has it.
    ///
    /// - Throws: where nothing was found and a segment that might have it could not be read: "not found" would be a guess.
    public func trace(_ id: TraceID) throws -> StoredTrace? {
        try withSnapshot { snapshot, sawMissing in try find(id, snapshot, &sawMissing) }
    }

    private func find(_ id: TraceID, _ snapshot: Snapshot, _ sawMissing: inout Bool) throws -> StoredTrace? {
        var assembler = TraceAssembler(traceID: id)
        var decisions: [(decision: Decision, isLate: Bool)] = []
        var lateRowCount = 0
        var problems = snapshot.problems
        var firstError: (any Error)?
        // Oldest first, so that of two copies of a span the one that was stored first is shown.
        for segment in snapshot.segments.reversed() {
            do {
                let rows = try segment.rows(of: id)
                if rows.isEmpty { continue }
                for payload in try segment.reader.payloads(of: rows) { assembler.add(try OTLPDecoder.decode(payload)) }
                lateRowCount += rows.count { $0.isLate }
                // Spans are worth showing without their decision, so damaged summaries are no reason to fail.
                if let columns = try? cache.columns(of: segment) {
                    decisions += rows.map { (columns.rows.decision(of: $0.index), $0.isLate) }
                }
            } catch {
                if let error = error as? SegmentError, error.code == .missing { sawMissing = true }
                firstError = firstError ?? error
                problems.append(SegmentProblem(path: segment.path, explanation: "\(error)"))
            }
        }
        guard assembler.spanCount > 0 else {
            if let firstError { throw firstError }
            if let problem = snapshot.problems.first { throw TraceStoreError.unreadable(problem) }
            return nil
        }
        return StoredTrace(
            traceID: id, resourceSpans: assembler.resourceSpans,
            decision: (decisions.first { !$0.isLate } ?? decisions.first)?.decision,
            spanCount: assembler.spanCount, lateRowCount: lateRowCount, unreadableSegments: problems)
    }
}

/// A question cannot be answered for certain.
public enum TraceStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The trace was not found, but this segment could not be asked.
    case unreadable(SegmentProblem)

    public var description: String {
        switch self {
        case .unreadable(let problem): "segment \(problem.path) cannot be read: \(problem.explanation)"
        }
    }
}
