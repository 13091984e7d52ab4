import TraceModel

/// Counts traces that a condition chooses, and picks the ones to name.
struct ExampleChoice {
    let tally: ComparisonTally
    let collectors: PerSide<SideCollector>
    let isSlow: [Bool]
    let limit: Int

    private var traces: [TraceFacts] { tally.facts.traces }

    func change(_ isChosen: (TraceFacts) -> Bool) -> ComparisonResult.Change {
        var change = ComparisonResult.Change()
        var chosen: [Int] = []
        var groups: [UInt32: ComparisonResult.OperationGroup] = [:]
        for (index, trace) in traces.enumerated() where isChosen(trace) {
            chosen.append(index)
            change.cost += TraceCost(traces: 1, spans: Int(trace.spanCount), bytes: Int(clamping: trace.byteCount))
            if trace.hasError { change.errors += 1 }
            if isSlow[index] { change.slow += 1 }
            let entry = tally.operations.entries[Int(trace.root)]
            var group =
                groups[trace.root]
                ?? .init(service: entry.service, operation: entry.name, traces: 0, errors: 0, slow: 0)
            group.traces += 1
            if trace.hasError { group.errors += 1 }
            if isSlow[index] { group.slow += 1 }
            groups[trace.root] = group
        }
        change.examples = examples(chosen)
        change.groups = groups.values.sorted { left, right in
            left.traces == right.traces
                ? (left.service, left.operation) < (right.service, right.operation) : left.traces > right.traces
        }
        return change
    }

    func missed(_ isOfKind: (TraceFacts, _ isSlow: Bool) -> Bool) -> ComparisonResult.Missed {
        var result = ComparisonResult.Missed()
        var chosen = PerSide<[Int]>([])
        for (index, trace) in traces.enumerated() where isOfKind(trace, isSlow[index]) {
            result.traces += 1
            for side in Side.allCases where !trace.fates[side].isKept {
                result.missed[side] += 1
                chosen[side].append(index)
            }
        }
        result.examples = chosen.map(examples)
        return result
    }

    /// Errors before slow ones before long ones; one of each root operation before a second of any.
    private func examples(_ chosen: [Int]) -> [ComparisonResult.Example] {
        guard limit > 0 else { return [] }
        let traces = traces
        let ranked = chosen.sorted { left, right in
            let (first, second) = (traces[left], traces[right])
            if first.hasError != second.hasError { return first.hasError }
            if isSlow[left] != isSlow[right] { return isSlow[left] }
            return first.duration == second.duration
                ? first.traceID < second.traceID : first.duration > second.duration
        }
        var roots = Set<UInt32>()
        var picked: [Int] = []
        for index in ranked where roots.insert(traces[index].root).inserted {
            picked.append(index)
            if picked.count == limit { break }
        }
        if picked.count < limit {
            let isPicked = Set(picked)
            picked += ranked.lazy.filter { !isPicked.contains($0) }.prefix(limit - picked.count)
        }
        return picked.map { example($0, traces[$0]) }
    }

    private func example(_ index: Int, _ trace: TraceFacts) -> ComparisonResult.Example {
        let root = tally.operations.entries[Int(trace.root)]
        func policy(_ side: Side) -> String? {
            let fate = trace.fates[side]
            return fate.isKept ? collectors[side].policies[Int(fate.policy)] : nil
        }
        return ComparisonResult.Example(
            traceID: trace.traceID, service: root.service, operation: root.name, hasRoot: trace.hasRoot,
            duration: trace.duration, spanCount: Int(trace.spanCount), isError: trace.hasError, isSlow: isSlow[index],
            keptBy: PerSide(old: policy(.old), new: policy(.new)))
    }
}
