import Estimation
import Storage

extension TraceStore {
    /// Measures traffic. Reads the summaries of every segment in the range; segments that cannot be read are named in the
    /// answer, and there are no exact counts then.
    public func traffic(_ query: TrafficQuery) throws -> TrafficStatistics {
        try withSnapshot { snapshot, sawMissing in
            var measurement = TrafficMeasurement(query: query)
            for segment in snapshot.segments where measurement.reaches(segment) {
                do {
                    measurement.add(segment, try cache.columns(of: segment))
                } catch {
                    if let error = error as? SegmentError, error.code == .missing { sawMissing = true }
                    measurement.problems.append(SegmentProblem(path: segment.path, explanation: "\(error)"))
                }
            }
            measurement.problems += snapshot.problems
            return measurement.result()
        }
    }
}

/// One measurement over one snapshot.
private struct TrafficMeasurement {
    private struct Key: Hashable {
        var service: String?
        var operation: String?
    }

    private struct Group {
        var estimator = TrafficEstimator()
        var count = TrafficCount()
        var durations = DurationHistogram()

        mutating func add(_ tally: DroppedTally) {
            count.traces &+= tally.traceCount
            count.errorTraces &+= tally.errorCount
            count.spans &+= tally.spanCount
            durations.add(tally.durations)
        }

        /// - Parameters:
        ///   - population: all kept traces of the time.
        ///   - isCounted: whether dropped traces are in it.
        func row(_ key: Key, in population: SampledPopulation, isCounted: Bool) -> TrafficRow {
            var exact: TrafficCount?
            if isCounted {
                exact = count
                exact?.durations = TrafficEstimate.percentiles.map { durations.percentile($0) }
            }
            let dropped = isCounted ? count.traces &- UInt64(estimator.sampleCount) : 0
            return TrafficRow(
                service: key.service, operation: key.operation,
                estimate: TrafficEstimate(estimator.part(of: population), droppedCount: dropped), exact: exact)
        }
    }

    private let query: TrafficQuery
    private let from: UInt64
    /// Exclusive; nil for no bound.
    private let to: UInt64?
    private var total = Group()
    /// Of all services, whichever was asked for.
    private var population = SampledPopulation()
    private var groups: [Key: Group] = [:]
    private var countedSegments = 0
    private var uncountedSegments = 0
    var problems: [SegmentProblem] = []

    init(query: TrafficQuery) {
        self.query = query
        let period = DroppedTally.period
        from = (query.from ?? 0) / period * period
        to = query.to.flatMap { time in
            let (end, overflow) = (time / period + (time % period == 0 ? 0 : 1)).multipliedReportingOverflow(by: period)
            return overflow ? nil : end
        }
    }

    private func isInRange(_ start: UInt64) -> Bool { start >= from && to.map { start < $0 } ?? true }

    func reaches(_ segment: OpenSegment) -> Bool {
        guard segment.acceptedOrdinals.contains(true) else { return false }
        let reader = segment.reader
        func overlaps(_ first: UInt64, _ last: UInt64) -> Bool { last >= from && to.map { first < $0 } ?? true }
        if reader.rowCount > 0, overlaps(reader.minStart, reader.maxStart) { return true }
        return reader.countsDropped && overlaps(reader.droppedFirst, reader.droppedLast)
    }

    mutating func add(_ segment: OpenSegment, _ columns: SummaryColumns) {
        if segment.reader.countsDropped { countedSegments += 1 } else { uncountedSegments += 1 }
        addKept(segment, columns)
        for tally in columns.dropped
        where isInRange(tally.start) && segment.accepted.acceptedPartitions.contains(tally.partition) {
            if let service = query.service, service != tally.service { continue }
            if let operation = query.operation, operation != tally.operation { continue }
            total.add(tally)
            if let key = key(tally.service, tally.operation) { groups[key, default: Group()].add(tally) }
        }
    }

    private mutating func addKept(_ segment: OpenSegment, _ columns: SummaryColumns) {
        let rows = columns.rows
        let wanted = columns.positions(of: [query.service, query.operation].compactMap(\.self))
        let isThere = !wanted.contains(nil)
        let service = query.service == nil ? nil : wanted[0]
        let operation = query.operation == nil ? nil : wanted[wanted.count - 1]
        for row in 0..<rows.rowCount {
            guard segment.acceptedOrdinals[Int(rows.partitionOrdinals[row])], !rows.isLate(row),
                isInRange(rows.startTimes[row])
            else { continue }
            population.add(probability: rows.probabilities[row], spanCount: Int(rows.spanCounts[row]))
            guard isThere, service.map({ $0 == rows.rootServices[row] }) ?? true,
                operation.map({ $0 == rows.rootNames[row] }) ?? true
            else { continue }
            add(row, of: rows, to: &total)
            if let key = key(rows.string(rows.rootServices[row]), rows.string(rows.rootNames[row])) {
                add(row, of: rows, to: &groups[key, default: Group()])
            }
        }
    }

    private func add(_ row: Int, of rows: SegmentSummaries, to group: inout Group) {
        let start = rows.startTimes[row]
        let end = rows.endTimes[row]
        let duration = end > start ? end - start : 0
        let isError = rows.errorCounts[row] > 0
        // Also what an outline left out: estimates and counts are of all traffic.
        let spanCount = Int(rows.spanCounts[row]) + rows.leftOutSpanCount(row)
        group.estimator.add(
            probability: rows.probabilities[row], isError: isError, duration: duration, spanCount: spanCount)
        group.count.traces &+= 1
        if isError { group.count.errorTraces &+= 1 }
        group.count.spans &+= UInt64(spanCount)
        group.durations.add(duration)
    }

    private func key(_ service: String, _ operation: String) -> Key? {
        switch query.grouping {
        case nil: nil
        case .service: Key(service: service)
        case .operation: Key(service: service, operation: operation)
        }
    }

    func result() -> TrafficStatistics {
        let problem = exactProblem
        let isCounted = problem == nil
        // Intervals are worked out for the rows of the answer only.
        let order = groups.map { key, group in
            (key, group, isCounted ? Double(group.count.traces) : group.estimator.countValue)
        }.sorted { left, right in
            left.2 == right.2
                ? (left.0.service ?? "", left.0.operation ?? "") < (right.0.service ?? "", right.0.operation ?? "")
                : left.2 > right.2
        }
        let limit = min(max(1, query.limit), TrafficQuery.maximumLimit)
        let rows = order.prefix(limit).map { key, group, _ in group.row(key, in: population, isCounted: isCounted) }
        return TrafficStatistics(
            total: total.row(
                Key(service: query.service, operation: query.operation), in: population, isCounted: isCounted),
            groups: rows, hasMoreGroups: order.count > limit,
            from: query.from == nil ? nil : from, to: to, exactProblem: problem, unreadableSegments: problems)
    }

    private var exactProblem: String? {
        if !problems.isEmpty { return "\(problems.count) segments cannot be read, so the counts would be too low" }
        if uncountedSegments > 0 {
            return "\(uncountedSegments) of \(uncountedSegments + countedSegments) segments in this range were written "
                + "without counts of dropped traces; let the segments stage read them, as in from: [index, sample.dropped], "
                + "and ask for a time after that"
        }
        if countedSegments == 0 { return "no segment of the store has traces or counts of this range" }
        return nil
    }
}
