public import Pipeline
import Storage

/// A stored row as a record of a log: what was kept, at the moment when it was decided.
public struct RecordedRow: Sendable {
    public var partition: PartitionID
    /// Stream time of the decision, milliseconds since the Unix epoch.
    public var decidedAt: Int64
    /// The spans as an OTLP `ExportTraceServiceRequest`.
    public var payload: [UInt8]
}

extension TraceStore {
    /// Visits everything that is stored, each partition's rows in the order in which they were decided; `body` returns false
    /// to stop. Holds the summaries of one segment and one of its blocks at a time.
    ///
    /// - Parameter since: rows that were decided before are left out, milliseconds since the Unix epoch; nil for all.
    /// - Returns: segments that could not be read: what is in them was not visited.
    public func forEachRow(
        decidedSince since: Int64? = nil, _ body: (RecordedRow) throws -> Bool
    ) throws -> [SegmentProblem] {
        let snapshot = try snapshot()
        var problems = snapshot.problems
        var segments: [(first: Int64, segment: OpenSegment)] = []
        for segment in snapshot.segments where segment.acceptedOrdinals.contains(true) {
            do {
                let summaries = try segment.reader.summaries()
                let times = try Self.order(segment, summaries, since)
                // A late row has the time of its trace's decision, which says nothing of when it came.
                let first = times.first { !summaries.isLate($0) } ?? times.first
                if let first { segments.append((summaries.decisionTimes[first], segment)) }
            } catch {
                problems.append(SegmentProblem(path: segment.path, explanation: "\(error)"))
            }
        }
        segments.sort { ($0.first, $0.segment.path) < ($1.first, $1.segment.path) }
        for (_, segment) in segments {
            let isWanted: Bool
            do {
                isWanted = try visit(segment, since, body)
            } catch let error as SegmentError {
                problems.append(SegmentProblem(path: segment.path, explanation: "\(error)"))
                continue
            }
            if !isWanted { break }
        }
        return problems
    }

    /// Rows that count, by the time of their decision.
    private static func order(_ segment: OpenSegment, _ summaries: SegmentSummaries, _ since: Int64?) throws -> [Int] {
        let wanted = summaries.decisionTimes.indices.filter { row in
            segment.acceptedOrdinals[Int(summaries.partitionOrdinals[row])]
                && summaries.decisionTimes[row] >= since ?? .min
        }
        return wanted.sorted { left, right in
            let (leftTime, rightTime) = (summaries.decisionTimes[left], summaries.decisionTimes[right])
            return leftTime == rightTime ? left < right : leftTime < rightTime
        }
    }

    private func visit(
        _ segment: OpenSegment, _ since: Int64?, _ body: (RecordedRow) throws -> Bool
    ) throws -> Bool {
        let summaries = try segment.reader.summaries()
        var rows: [SegmentReader.Row] = []
        rows.reserveCapacity(summaries.rowCount)
        try segment.reader.forEachRow { rows.append($0) }
        // Payloads lie in the file in the order in which they came: rows of one block are next to each other here.
        var pending = try Self.order(segment, summaries, since)[...]
        while let first = pending.first {
            let block = pending.prefix { rows[$0].block == rows[first].block }
            pending = pending.dropFirst(block.count)
            for (row, payload) in zip(block, try segment.reader.payloads(of: block.map { rows[$0] })) {
                let record = RecordedRow(
                    partition: rows[row].partition, decidedAt: summaries.decisionTimes[row], payload: payload)
                if try !body(record) { return false }
            }
        }
        return true
    }
}
