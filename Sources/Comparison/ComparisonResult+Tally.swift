import Pipeline
import TraceModel

/// Draws the result from what was counted.
extension ComparisonResult {
    init(
        pipelines: PerSide<ComparedPipeline>, tally: ComparisonTally, collectors: PerSide<SideCollector>,
        slow rule: SlowRule, exampleCount: Int
    ) {
        let traces = tally.facts.traces
        let isSlow = rule.slowTraces(traces)
        let choice = ExampleChoice(tally: tally, collectors: collectors, isSlow: isSlow, limit: exampleCount)
        sides = PerSide(
            old: Self.totals(.old, pipelines, collectors, traces, isSlow),
            new: Self.totals(.new, pipelines, collectors, traces, isSlow))
        offered = tally.offered
        offered.traces = traces.count
        length = tally.times.map { $0.last - $0.first } ?? 0
        rejectedSpans = tally.rejectedSpans
        policies = Self.policyRows(collectors)
        gained = choice.change { !$0.fates.old.isKept && $0.fates.new.isKept }
        lost = choice.change { $0.fates.old.isKept && !$0.fates.new.isKept }
        errors = choice.missed { trace, _ in trace.hasError }
        slow = choice.missed { _, isSlow in isSlow }
        slowRule = rule
        services = Self.services(tally.operations)
        operations = Self.operations(tally.operations)
        let isCut = tally.operations.entries[OperationTable.overflow].spans > 0
        operationLimit = isCut ? tally.operations.limit : nil
        moves = Self.moves(collectors, traces)
        series = tally.series
    }

    private static func totals(
        _ side: Side, _ pipelines: PerSide<ComparedPipeline>, _ collectors: PerSide<SideCollector>,
        _ traces: [TraceFacts], _ isSlow: [Bool]
    ) -> SideTotals {
        var totals = SideTotals(
            path: pipelines[side].path, pipeline: pipelines[side].plan.name, sampler: pipelines[side].sampler,
            kept: TraceCost(), droppedTraces: 0, unsampledTraces: 0, lateSpans: collectors[side].lateSpans,
            rejectedSpans: collectors[side].rejectedSpans, keptErrors: 0, keptSlow: 0)
        for cost in collectors[side].kept { totals.kept += cost }
        for (index, trace) in traces.enumerated() {
            let fate = trace.fates[side]
            if !fate.isDecided {
                totals.unsampledTraces += 1
            } else if !fate.isKept {
                totals.droppedTraces += 1
            } else {
                if trace.hasError { totals.keptErrors += 1 }
                if isSlow[index] { totals.keptSlow += 1 }
            }
        }
        return totals
    }

    /// In the order of the old pipeline, then what only the new one has.
    private static func policyRows(_ collectors: PerSide<SideCollector>) -> [PolicyRow] {
        var rows: [PolicyRow] = []
        var places: [String: Int] = [:]
        for side in Side.allCases {
            for (name, cost) in zip(collectors[side].policies, collectors[side].kept) {
                let place = places[name] ?? rows.count
                if place == rows.count {
                    rows.append(PolicyRow(name: name))
                    places[name] = place
                }
                if side == .old { rows[place].old = cost } else { rows[place].new = cost }
            }
        }
        return rows
    }

    private static func moves(_ collectors: PerSide<SideCollector>, _ traces: [TraceFacts]) -> [Move] {
        // Places of policies, with one for what is not kept.
        var counts: [PerSide<Int>.Pair: Int] = [:]
        for trace in traces {
            let places = trace.fates.map { $0.isKept ? Int($0.policy) : -1 }
            counts[PerSide<Int>.Pair(old: places.old, new: places.new), default: 0] += 1
        }
        func name(_ side: Side, _ place: Int) -> String? { place < 0 ? nil : collectors[side].policies[place] }
        return counts.map { pair, count in
            Move(from: name(.old, pair.old), to: name(.new, pair.new), traces: count)
        }.sorted { left, right in
            left.traces == right.traces
                ? (left.from ?? "", left.to ?? "") < (right.from ?? "", right.to ?? "") : left.traces > right.traces
        }
    }

    private static func operations(_ table: OperationTable) -> Coverage {
        var coverage = Coverage()
        for entry in table.entries {
            if entry.spans > 0 { coverage.offered += 1 }
            for side in Side.allCases where entry.traces[side] > 0 { coverage.covered[side] += 1 }
            func covered(_ traces: Int) -> Covered {
                Covered(service: entry.service, operation: entry.name, spans: entry.spans, traces: traces)
            }
            switch (entry.traces.old > 0, entry.traces.new > 0) {
            case (true, false): coverage.lost.append(covered(entry.traces.old))
            case (false, true): coverage.gained.append(covered(entry.traces.new))
            default: break
            }
        }
        return sorted(coverage)
    }

    private static func services(_ table: OperationTable) -> Coverage {
        var spans: [String: Int] = [:]
        var isCovered: [String: PerSide<Bool>] = [:]
        for entry in table.entries where entry.spans > 0 || entry.traces != PerSide(0) {
            spans[entry.service, default: 0] += entry.spans
            for side in Side.allCases where entry.traces[side] > 0 {
                isCovered[entry.service, default: PerSide(false)][side] = true
            }
        }
        var coverage = Coverage()
        coverage.offered = spans.values.count { $0 > 0 }
        for (service, sides) in isCovered {
            for side in Side.allCases where sides[side] { coverage.covered[side] += 1 }
            let covered = Covered(service: service, operation: nil, spans: spans[service] ?? 0, traces: nil)
            if sides.old, !sides.new { coverage.lost.append(covered) }
            if sides.new, !sides.old { coverage.gained.append(covered) }
        }
        return sorted(coverage)
    }

    private static func sorted(_ coverage: Coverage) -> Coverage {
        var coverage = coverage
        func isBefore(_ left: Covered, _ right: Covered) -> Bool {
            left.spans == right.spans
                ? (left.service, left.operation ?? "") < (right.service, right.operation ?? "")
                : left.spans > right.spans
        }
        coverage.gained.sort(by: isBefore)
        coverage.lost.sort(by: isBefore)
        return coverage
    }
}

extension PerSide<Int> {
    fileprivate struct Pair: Hashable {
        var old: Int
        var new: Int
    }
}
