import Glibc

extension BudgetSampler {
    // MARK: - Coverage

    /// What the coverage tier may spend in a tick.
    struct CoverageLimits {
        /// Whatever the traces are.
        var usual: Double
        /// Where coverage is not complete, and for pairs that are not urgent: what the outlines of errors leave.
        var afterOutlines: Double
        /// With traces of shapes that were never kept: what coverage left unused in the ticks before, too.
        var newShapes: Double
        /// Errors and rules' traces are kept anyway.
        var isMustKeepSure: Bool
    }

    /// Keeps one trace of every pair of key and shape that the present coverage window has not seen. Returns what they cost.
    ///
    /// Where they are too many, those that will come again wait: they came often, and are as good as sure to be kept by a later
    /// tier or tick. Where the others alone are too many, coverage is suspended for the tick but for shapes that were never
    /// kept: the others are sampled with the rest, with more weight.
    ///
    /// - Parameter capacity: of the tick, where it is decided as a whole.
    mutating func cover(time: Int64, capacity: Double?) -> Double {
        guard let settings = settings.coverage else { return 0 }
        chooseCandidates()
        guard !candidates.isEmpty else { return 0 }
        var total = 0.0
        for index in candidates.values { total += plans[index].cost }
        let limits = capacity.map { coverageLimits(capacity: $0, candidateCost: total) } ?? plannedCoverageLimits
        var used = total
        if total <= limits.usual {
            for index in candidates.values { keepForCoverage(index) }
        } else {
            used = coverSome(limits, time: time, interval: settings.interval)
        }
        coverageCredit -= used
        return used
    }

    /// Where a tick is decided as a whole.
    private func coverageLimits(capacity: Double, candidateCost: Double) -> CoverageLimits {
        let share = settings.coverage?.share ?? 0
        var total = 0.0
        var mustKeep = 0.0
        var outlines = 0.0
        var hasOutlines = false
        for plan in plans where plan.tier != .dropRule {
            total += plan.cost
            guard plan.tier.isErrorOrRule else { continue }
            mustKeep += plan.cost
            outlines += plan.partCost
            if plan.outlineCost != nil { hasOutlines = true }
        }
        // What nobody else needs may be used whole.
        let usual = max(
            share * capacity, capacity - (total - candidateCost), min(coverageCredit, 4 * averageTraceCost))
        // The tiers below are not without room.
        let needed = hasOutlines ? outlinesNeed(outlines) : 0
        return CoverageLimits(
            usual: usual, afterOutlines: min(usual, max(usual / 4, capacity - needed)),
            newShapes: max(usual, min(coverageCredit, capacity * 3 / 4)),
            isMustKeepSure: mustKeep <= settings.mustKeep.share * max(0, capacity - usual))
    }

    /// The cheapest trace of each uncovered pair. Costs do not depend on random numbers.
    private mutating func chooseCandidates() {
        candidates.removeAll(keepingCapacity: true)
        for index in plans.indices where plans[index].isUncovered && plans[index].tier != .dropRule {
            let pair = plans[index].pair
            if let best = candidates[pair], plans[best].cost <= plans[index].cost { continue }
            candidates[pair] = index
        }
    }

    private mutating func keepForCoverage(_ index: Int) {
        plans[index].tier = .coverage
        plans[index].isDecided = true
        plans[index].isKept = true
        plans[index].probability = 1
    }

    private mutating func coverSome(_ limits: CoverageLimits, time: Int64, interval: Int64) -> Double {
        // The tick ended at `time`; a window's last tick has nothing left.
        let elapsed = time - coverageWindow(time) * interval
        let shareLeft = Double(interval - elapsed) / Double(interval)
        var waiting: [(index: Int, expected: Double)] = []
        for index in candidates.values {
            let plan = plans[index]
            if limits.isMustKeepSure, plan.tier == .error || plan.tier == .mustKeepRule { continue }
            // An oversize trace is for the tiers that can decide it with a probability.
            guard plan.cost <= (plan.isNewShape ? limits.newShapes : limits.usual) else { continue }
            waiting.append((index, coverage.expected(plan.pair, shareLeft: shareLeft)))
        }
        waiting.sort { isBefore($0, $1) }
        var used = 0.0
        // A shape that was never kept comes first: many new keys must not hide a new course of events.
        for (index, expected) in waiting
        where plans[index].isNewShape && expected < 8 && used + plans[index].cost <= limits.newShapes {
            used += plans[index].cost
            keepForCoverage(index)
        }
        let urgent = waiting.prefix { $0.expected < 8 }.filter { !plans[$0.index].isDecided }
        guard used + urgent.reduce(0, { $0 + plans[$1.index].cost }) <= limits.usual else {
            counters.coverageSuspendedTicks &+= 1
            for (index, _) in urgent { plans[index].multiplier *= plans[index].isNewShape ? 4 : 2 }
            return used
        }
        for (index, _) in waiting where !plans[index].isDecided && used + plans[index].cost <= limits.afterOutlines {
            used += plans[index].cost
            keepForCoverage(index)
        }
        return used
    }

    /// Those that come seldom first, of them the cheap: most pairs are covered that way.
    private func isBefore(_ left: (index: Int, expected: Double), _ right: (index: Int, expected: Double)) -> Bool {
        if left.expected != right.expected { return left.expected < right.expected }
        let costs = (plans[left.index].cost, plans[right.index].cost)
        return costs.0 == costs.1 ? left.index < right.index : costs.0 < costs.1
    }

    // MARK: - Own budgets

    /// Share of what is left that rules' own budgets may take together: the rest must not be without room.
    package static var ownBudgetsShare: Double { 0.8 }

    mutating func sampleOwnBudgets(_ traces: [BudgetTrace], capacity: Double) -> Double {
        var wanted = 0.0
        for index in settings.rules.indices { wanted += ownCapacity(index) }
        guard wanted > 0 else { return 0 }
        let scale = min(1, capacity * Self.ownBudgetsShare / wanted)
        var used = 0.0
        for index in settings.rules.indices {
            let own = ownCapacity(index)
            guard own > 0 else { continue }
            gather(traces, by: .multiplier) { $0.tier == .ownBudget && $0.rule == index }
            used += sampleMembers(capacity: own * scale)
        }
        return used
    }

    func ownCapacity(_ rule: Int) -> Double {
        guard case .ownBudget(let rate) = settings.rules[rule].action, !settings.rules[rule].isDryRun else { return 0 }
        let own = ownPerTick(rate)
        return ruleAccounts[rule].capacity(perTick: own, usableCredit: max(0.01 * own, averageTraceCost))
    }

    // MARK: - Must keep and rest

    /// Errors and the user's rules first, slow traces with what they leave. Slow traces that do not fit are sampled with the
    /// rest, with more weight.
    mutating func sampleMustKeep(_ traces: [BudgetTrace], capacity: Double) -> Double {
        var wanted = 0.0
        var slow = 0.0
        var rest = 0.0
        for plan in plans where !plan.isDecided {
            switch plan.tier {
            case .error, .mustKeepRule: wanted += plan.cost
            case .slow: slow += plan.cost
            case .rest: rest += plan.cost
            case .coverage, .ownBudget, .dropRule: break
            }
        }
        let share = settings.mustKeep.share * capacity
        // What the tiers below do not need may be used whole.
        let limit = max(share, capacity - slow - rest)
        if wanted > limit { counters.mustKeepSampledTicks &+= 1 }
        let used = wanted > 0 ? sampleErrors(traces, wanted: wanted, capacity: limit) : 0
        guard slow > 0 else { return used }
        if slow <= max(share, capacity - rest) - used {
            for index in plans.indices where plans[index].tier == .slow && !plans[index].isDecided {
                plans[index].isDecided = true
                plans[index].isKept = true
                plans[index].probability = 1
            }
            return used + slow
        }
        for index in plans.indices where plans[index].tier == .slow && !plans[index].isDecided {
            plans[index].multiplier *= 4
        }
        return used
    }

    /// As many as fit: a trace's importance is the inverse of its cost.
    ///
    /// Where not all fit, outlines come first; what they leave pays for the rest of some traces. The same random number decides of
    /// both, so that the traces kept whole are some of those whose outline is kept. Neither chance depends on it.
    private mutating func sampleErrors(_ traces: [BudgetTrace], wanted: Double, capacity: Double) -> Double {
        var outlines = 0.0
        var hasOutlines = false
        for plan in plans where !plan.isDecided && plan.tier.isErrorOrRule {
            outlines += plan.partCost
            if plan.outlineCost != nil { hasOutlines = true }
        }
        guard wanted > capacity, hasOutlines else {
            gather(traces, by: .number) { $0.tier.isErrorOrRule }
            return sampleMembers(capacity: capacity)
        }
        let part = min(outlines, capacity * (1 - BudgetSettings.MustKeep.wholeShare))
        gather(
            traces, by: .number, cost: { $0.cost - $0.partCost },
            where: { $0.tier.isErrorOrRule && $0.outlineCost != nil })
        _ = tierSampling.sample(&members, capacity: capacity - part)
        for (member, index) in zip(members, memberTraces) {
            plans[index].wholeProbability = member.probability
            plans[index].isOutline = !member.isKept
        }
        gather(traces, by: .number, cost: { $0.partCost }, where: { $0.tier.isErrorOrRule })
        var used = sampleMembers(capacity: part)
        for index in memberTraces {
            guard let whole = plans[index].wholeProbability else { continue }
            plans[index].wholeProbability = min(plans[index].probability, whole)
            plans[index].isOutline = plans[index].isOutline && plans[index].isKept
            if plans[index].isKept, !plans[index].isOutline { used += plans[index].cost - plans[index].partCost }
        }
        return used
    }

    mutating func sampleRest(_ traces: [BudgetTrace], capacity: Double) {
        gather(traces, by: .key) { $0.tier == .rest || $0.tier == .slow }
        _ = sampleMembers(capacity: capacity)
    }

    /// What makes a trace of a tier more important than another, besides its rule's multiplier.
    enum Importance {
        case multiplier
        /// As many traces as possible.
        case number
        /// Keys share the tier as `alpha` says.
        case key
    }

    /// Fills `members` with the undecided traces of a tier.
    ///
    /// - Parameter cost: what is decided of: a trace, its outline, or the rest of it.
    mutating func gather(
        _ traces: [BudgetTrace], by importance: Importance, cost: (Plan) -> Double = { $0.cost },
        where isMember: (Plan) -> Bool
    ) {
        members.removeAll(keepingCapacity: true)
        memberTraces.removeAll(keepingCapacity: true)
        for index in plans.indices where !plans[index].isDecided && isMember(plans[index]) {
            let trace = traces[index]
            let uniform = Randomness.uniform(trace.randomness) / Self.upstreamProbability(trace)
            let cost = cost(plans[index])
            members.append(
                TierSampling.Member(
                    uniform: uniform,
                    importance: self.importance(of: trace, plans[index], by: importance, cost: cost), cost: cost))
            memberTraces.append(index)
        }
    }

    mutating func importance(
        of trace: BudgetTrace, _ plan: Plan, by importance: Importance, cost: Double
    ) -> Double {
        let weight =
            switch importance {
            case .multiplier: 1.0
            case .number: 1 / cost
            case .key: pow(keys.cost(of: trace.key), -settings.alpha)
            }
        return max(1e-12, weight * plan.multiplier)
    }

    private mutating func sampleMembers(capacity: Double) -> Double {
        let used = tierSampling.sample(&members, capacity: capacity)
        for (member, index) in zip(members, memberTraces) {
            plans[index].isDecided = true
            plans[index].isKept = member.isKept
            plans[index].probability = member.probability
            plans[index].isOversize = member.isOversize
        }
        return used
    }
}
