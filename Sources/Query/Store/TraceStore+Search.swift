import Pipeline
import Storage
import TraceModel

extension TraceStore {
    /// Traces that satisfy the query, newest first by start time.
    ///
    /// Conditions are tested on what was decided together: late spans of a trace are tested by themselves, and the result
    /// shows the trace as a whole. Segments are skipped by their footer, and the search ends as soon as no unread segment
    /// can hold a newer trace than the page already has.
    public func search(_ query: TraceQuery) throws -> SearchPage {
        try withSnapshot { snapshot, sawMissing in
            var search = TraceSearch(query: query, snapshot: snapshot, cache: cache)
            search.run()
            sawMissing = search.sawMissing
            return search.page()
        }
    }
}

/// One search over one snapshot.
struct TraceSearch {

    private let query: TraceQuery
    private let snapshot: TraceStore.Snapshot
    private let cache: SummaryCache
    private let limit: Int
    /// The best hits so far, in order; one more than the limit, to know whether there is a next page.
    private var hits: [TraceSummaryRow] = []
    private var mergedIDs = Set<TraceID>()
    private var problems: [SegmentProblem]
    private(set) var sawMissing = false

    init(query: TraceQuery, snapshot: TraceStore.Snapshot, cache: SummaryCache) {
        self.query = query
        self.snapshot = snapshot
        self.cache = cache
        limit = min(max(1, query.limit), TraceQuery.maximumLimit)
        problems = snapshot.problems
    }

    mutating func run() {
        for segment in snapshot.segments {
            // Segments come newest first. A start equal to the worst hit's may still win by id, a smaller one cannot.
            if let worst = worstHit, worst.startTime > segment.reader.maxStart { break }
            if !segment.mayMatch(query) { continue }
            do {
                try scan(segment, try cache.columns(of: segment))
            } catch {
                note(error, segment)
            }
        }
    }

    func page() -> SearchPage {
        let traces = Array(hits.prefix(limit))
        let last = hits.count > limit ? traces.last : nil
        return SearchPage(
            traces: traces, nextCursor: last.map { SearchCursor(startTime: $0.startTime, traceID: $0.traceID) },
            unreadableSegments: problems)
    }

    /// The hit that the next better one pushes out; nil while there is room.
    private var worstHit: TraceSummaryRow? { hits.count > limit ? hits.last : nil }

    private mutating func note(_ error: any Error, _ segment: OpenSegment) {
        if let error = error as? SegmentError, error.code == .missing { sawMissing = true }
        let problem = SegmentProblem(path: segment.path, explanation: "\(error)")
        if !problems.contains(problem) { problems.append(problem) }
    }

    private mutating func scan(_ segment: OpenSegment, _ columns: SummaryColumns) throws {
        guard let matcher = RowMatcher(query, columns) else { return }
        let rows = columns.rows
        var matches: [Int] = []
        for row in 0..<rows.rowCount {
            if matcher.matches(row, rows), segment.acceptedOrdinals[Int(rows.partitionOrdinals[row])] {
                matches.append(row)
            }
        }
        // Best first, so that the expensive part (names, putting late rows together) is done for a page's worth of rows.
        matches.sort { rows.startTimes[$0] > rows.startTimes[$1] }
        for row in matches {
            let start = rows.startTimes[row]
            // Putting rows together can only move a trace's start back, so this bound holds for late rows too.
            if let worst = worstHit, worst.startTime > start { break }
            let id = rows.traceIDs[row]
            if snapshot.lateIDs.contains(id) {
                if mergedIDs.insert(id).inserted, let merged = merge(id), holdsForWhole(merged) { insert(merged) }
            } else if query.cursor?.precedes(startTime: start, traceID: id) ?? true {
                insert(Self.summary(of: row, in: rows))
            }
        }
    }

    /// Conditions that a part of a trace can satisfy while the whole does not.
    private func holdsForWhole(_ row: TraceSummaryRow) -> Bool {
        if let maximum = query.maxDuration, row.duration > maximum { return false }
        if query.hasError == false, row.errorCount > 0 { return false }
        return true
    }

    private mutating func insert(_ row: TraceSummaryRow) {
        if let cursor = query.cursor, !cursor.precedes(startTime: row.startTime, traceID: row.traceID) { return }
        // The same trace from another partition (a topic that is not keyed by trace id) is shown once.
        if hits.contains(where: { $0.traceID == row.traceID }) { return }
        var low = 0
        var high = hits.count
        while low < high {
            let middle = (low + high) / 2
            let other = hits[middle]
            let isAfter =
                other.startTime == row.startTime ? other.traceID < row.traceID : other.startTime > row.startTime
            if isAfter { low = middle + 1 } else { high = middle }
        }
        hits.insert(row, at: low)
        if hits.count > limit + 1 { hits.removeLast() }
    }

    /// All rows of a trace as one.
    private mutating func merge(_ id: TraceID) -> TraceSummaryRow? {
        var parts: [(row: TraceSummaryRow, isLate: Bool)] = []
        for segment in snapshot.segments {
            do {
                let rows = try segment.rows(of: id)
                if rows.isEmpty { continue }
                let columns = try cache.columns(of: segment).rows
                for row in rows { parts.append((Self.summary(of: row.index, in: columns), row.isLate)) }
            } catch {
                note(error, segment)
            }
        }
        // Names and decision come from the part that was decided, not from late spans.
        guard var whole = (parts.first { !$0.isLate } ?? parts.last)?.row else { return nil }
        whole.startTime = parts.map(\.row.startTime).min() ?? whole.startTime
        whole.endTime = parts.map(\.row.endTime).max() ?? whole.endTime
        whole.spanCount = parts.reduce(0) { $0 + $1.row.spanCount }
        whole.leftOutSpanCount = parts.reduce(0) { $0 + $1.row.leftOutSpanCount }
        whole.errorCount = parts.reduce(0) { $0 + $1.row.errorCount }
        whole.services = Set(parts.flatMap(\.row.services)).sorted()
        return whole
    }

    private static func summary(of row: Int, in rows: SegmentSummaries) -> TraceSummaryRow {
        let summary = rows.summary(of: row)
        var services = Set(rows.operations(of: row).map(\.service))
        services.insert(rows.rootServices[row])
        return TraceSummaryRow(
            traceID: summary.traceID, rootService: summary.rootService, rootName: summary.rootName,
            hasRoot: summary.hasRoot, startTime: summary.startTime, endTime: summary.endTime,
            spanCount: summary.spanCount, leftOutSpanCount: summary.leftOutSpanCount, errorCount: summary.errorCount,
            services: services.map { rows.string($0) }.filter { !$0.isEmpty }.sorted(),
            policy: rows.string(rows.policies[row]), probability: rows.probabilities[row],
            reason: rows.string(rows.reasons[row]))
    }
}

/// A query in terms of one segment's string numbers: rows are tested by comparing integers.
private struct RowMatcher {
    private var service: UInt32?
    private var operation: UInt32?
    private var tags: [SegmentSummaries.AttributeReference] = []
    private let query: TraceQuery

    /// Nil where the segment lacks a name that the query asks for: no row can match.
    init?(_ query: TraceQuery, _ columns: SummaryColumns) {
        self.query = query
        var wanted = [query.service, query.operation].compactMap(\.self)
        for tag in query.tags { wanted += [tag.key, tag.value] }
        var positions = columns.positions(of: wanted).makeIterator()
        if query.service != nil {
            guard let position = positions.next() ?? nil else { return nil }
            service = position
        }
        if query.operation != nil {
            guard let position = positions.next() ?? nil else { return nil }
            operation = position
        }
        for _ in query.tags {
            guard let key = positions.next() ?? nil, let value = positions.next() ?? nil else { return nil }
            tags.append(.init(key: key, value: value))
        }
    }

    func matches(_ row: Int, _ rows: SegmentSummaries) -> Bool {
        let start = rows.startTimes[row]
        let end = rows.endTimes[row]
        if let from = query.from, end < from { return false }
        if let to = query.to, start > to { return false }
        if let minimum = query.minDuration, end - start < minimum { return false }
        if let maximum = query.maxDuration, end - start > maximum { return false }
        if let hasError = query.hasError, hasError != (rows.errorCounts[row] > 0) { return false }
        if service != nil || operation != nil, !hasOperation(row, rows) { return false }
        for tag in tags where !rows.attributes(of: row).contains(tag) { return false }
        return true
    }

    private func hasOperation(_ row: Int, _ rows: SegmentSummaries) -> Bool {
        if service.map({ $0 == rows.rootServices[row] }) ?? true, operation.map({ $0 == rows.rootNames[row] }) ?? true {
            return true
        }
        return rows.operations(of: row).contains { candidate in
            (service.map { $0 == candidate.service } ?? true) && (operation.map { $0 == candidate.operation } ?? true)
        }
    }
}
