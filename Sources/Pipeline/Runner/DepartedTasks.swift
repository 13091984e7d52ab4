/// Figures of tasks that left a worker: its totals must not go back when a partition moves.
struct DepartedTasks {
    private(set) var counters = TaskCounters()
    /// By sampler.
    private(set) var policies: [String: [PolicyCounters]] = [:]
    /// By rule.
    private(set) var scrubbed: [String: UInt64] = [:]

    /// Takes over the figures of a task that leaves.
    mutating func add(_ task: PartitionTask) {
        // Spans that were still in the window are the next owner's: they leave this worker's books.
        var own = task.counters
        own.returned += UInt64(task.openSpans)
        counters.add(own)
        addFigures(of: task)
    }

    /// Adds what is counted by policy and by rule.
    mutating func addFigures(of task: PartitionTask) {
        for lane in task.lanes {
            policies[lane.name] = PolicyCounters.sum(policies[lane.name] ?? [], lane.sampler.policyCounters)
        }
        addStages(of: task)
    }

    /// Adds what the stages have counted that are made anew when a plan changes.
    mutating func addStages(of task: PartitionTask) {
        for scrubber in task.stages.scrubbers.values {
            for (rule, count) in scrubber.counts { scrubbed[rule, default: 0] += count }
        }
    }
}

extension SamplerGauges {
    package mutating func add(_ other: SamplerGauges) {
        openTraces += other.openTraces
        openSpans += other.openSpans
        windowBytes += other.windowBytes
        spilledBytes += other.spilledBytes
        spillFiles += other.spillFiles
        spillWrittenBytes += other.spillWrittenBytes
        spillReads += other.spillReads
        spillFailures += other.spillFailures
        spillError = spillError ?? other.spillError
        rememberedDecisions += other.rememberedDecisions
        decisionBytes += other.decisionBytes
        rememberedKept += other.rememberedKept
        decisionHorizon = max(decisionHorizon, other.decisionHorizon)
        decisionFalsePositiveRate = max(decisionFalsePositiveRate, other.decisionFalsePositiveRate)
    }
}

extension PolicyCounters {
    /// Adds the counters of policies of the same name; the order is that of `right`, the newer list.
    package static func sum(_ left: [PolicyCounters], _ right: [PolicyCounters]) -> [PolicyCounters] {
        if left.isEmpty { return right }
        var sums = right
        for counters in left {
            guard let index = sums.firstIndex(where: { $0.name == counters.name }) else {
                sums.append(counters)
                continue
            }
            sums[index].evaluatedTraces += counters.evaluatedTraces
            sums[index].matchedTraces += counters.matchedTraces
            sums[index].decidedTraces += counters.decidedTraces
            sums[index].nanoseconds += counters.nanoseconds
            sums[index].keptTraces += counters.keptTraces
            sums[index].keptSpans += counters.keptSpans
            sums[index].keptBytes += counters.keptBytes
            // After a reload that changed the unit, the old figures say nothing about the new budget.
            if let budget = counters.budget, sums[index].budget?.unit == budget.unit { sums[index].budget?.add(budget) }
        }
        return sums
    }
}
