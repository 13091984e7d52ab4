import Pipeline

/// A world that can be run again: a seed, what was left out of its schedule, and the bug that was switched on.
package struct Reproduction: Sendable, Equatable {
    package var seed: UInt64
    /// Positions in the seed's list of faults.
    package var dropped: Set<Int> = []
    package var traces: Int?
    package var badRecords: Int?
    package var workers: Int?
    package var threads: Int?
    /// Name of a `ProtocolMutation`; only debug builds have any.
    package var mutation: String?
    /// Instead of a world made from the seed.
    package var scenario: Scenario?
    package var crashes: [CrashPoint] = []

    package init(seed: UInt64, mutation: String? = nil) {
        self.seed = seed
        self.mutation = mutation
    }

    package init(scenario: Scenario, mutation: String? = nil) {
        seed = scenario.plan.seed
        self.scenario = scenario
        self.mutation = mutation
    }

    /// Before anything is left out.
    private var wholePlan: WorldPlan { scenario?.plan ?? WorldPlan(seed: seed) }

    package var plan: WorldPlan {
        var plan = wholePlan
        plan.crashes = crashes
        plan.faults = plan.faults.enumerated().filter { !dropped.contains($0.offset) }.map(\.element)
        plan.traces = traces ?? plan.traces
        plan.badRecords = badRecords ?? plan.badRecords
        plan.workers = workers ?? plan.workers
        plan.threads = threads ?? plan.threads
        return plan
    }

    /// Runs it.
    package func run(transcript: ((String) -> Void)? = nil) -> SimulationOutcome {
        #if TAILRACE_MUTATIONS
            return ProtocolMutation.$active.withValue(mutation.flatMap(ProtocolMutation.init(rawValue:))) {
                Simulation.run(plan, transcript: transcript)
            }
        #else
            return Simulation.run(plan, transcript: transcript)
        #endif
    }

    /// The one command that runs it again.
    package var command: String {
        var words = ["swift run TailraceSoak " + (scenario.map { "--scenario \($0.rawValue)" } ?? "--seed \(seed)")]
        words += crashes.filter { $0 != CrashSchedule.recordOnly }.map { "--crash '\($0)'" }
        if !dropped.isEmpty { words.append("--drop " + dropped.sorted().map(String.init).joined(separator: ",")) }
        if let traces { words.append("--traces \(traces)") }
        if let badRecords { words.append("--bad-records \(badRecords)") }
        if let workers { words.append("--workers \(workers)") }
        if let threads { words.append("--threads \(threads)") }
        if let mutation { words.append("--mutation \(mutation)") }
        return words.joined(separator: " ")
    }

    // MARK: - Shrinking

    /// Leaves out faults, traces and workers one after the other and keeps what still breaks the same invariant.
    package func minimised() -> Reproduction {
        guard let invariant = run().violation?.invariant else { return self }
        func fails(_ candidate: Reproduction) -> Bool { candidate.run().violation?.invariant == invariant }
        var best = self
        var hasShrunk = true
        while hasShrunk {
            hasShrunk = false
            func attempt(_ change: (inout Reproduction) -> Void) {
                var candidate = best
                change(&candidate)
                if candidate != best, fails(candidate) {
                    best = candidate
                    hasShrunk = true
                }
            }
            for index in wholePlan.faults.indices where !best.dropped.contains(index) {
                attempt { $0.dropped.insert(index) }
            }
            let plan = best.plan
            for traces in [1, 2, 4, 8, plan.traces / 2, plan.traces - 1] where traces > 0 && traces < best.plan.traces {
                attempt { $0.traces = traces }
            }
            if plan.badRecords > 0 { attempt { $0.badRecords = 0 } }
            if plan.workers > 1 { attempt { $0.workers = best.plan.workers - 1 } }
            if plan.threads > 1 { attempt { $0.threads = 1 } }
        }
        return best
    }

    /// The schedule in words.
    package var schedule: [String] {
        let plan = plan
        var lines = [
            "\(plan.workers) workers with \(plan.threads) threads, \(plan.partitions) partitions, \(plan.traces) traces, "
                + "\(plan.isCooperative ? "cooperative" : "eager") rebalances, window of \(plan.window.max) ms"
        ]
        if plan.isRepartitioned { lines[0] += ", repartitioned from \(plan.outerPartitions)" }
        if plan.spill != .never { lines[0] += ", spans on disk (\(plan.spill.rawValue))" }
        if plan.collects { lines[0] += ", garbage is collected" }
        if plan.commitFailurePercent > 0 { lines[0] += ", \(plan.commitFailurePercent) % of commits fail" }
        lines += plan.faults.map(\.description)
        lines += plan.crashes.filter { $0 != CrashSchedule.recordOnly }.map { "crash: \($0)" }
        return lines
    }
}
