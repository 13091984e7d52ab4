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
        for scrubber in task.scrubbers.values {
            for (rule, count) in scrubber.counts { scrubbed[rule, default: 0] += count }
        }
    }
}

extension SamplerGauges {
    mutating func add(_ other: SamplerGauges) {
        openTraces += other.openTraces
        openSpans += other.openSpans
        windowBytes += other.windowBytes
        rememberedDecisions += other.rememberedDecisions
        decisionBytes += other.decisionBytes
    }
}

extension PolicyCounters {
    /// Adds two lists of the same policies.
    package static func sum(_ left: [PolicyCounters], _ right: [PolicyCounters]) -> [PolicyCounters] {
        if left.isEmpty { return right }
        return zip(left, right).map { left, right in
            var sum = left
            sum.matchedTraces += right.matchedTraces
            sum.keptTraces += right.keptTraces
            sum.keptSpans += right.keptSpans
            sum.keptBytes += right.keptBytes
            return sum
        }
    }
}
