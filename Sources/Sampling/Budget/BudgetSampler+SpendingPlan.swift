/// Budgets of less than a few traces per tick: each trace is decided by itself, at a scale learnt over many ticks.
extension BudgetSampler {
    /// Whether the average unit of cost belongs to a trace that costs more than half of a tick's budget: then a tick holds
    /// too few traces to be decided as a whole.
    var needsSpendingPlan: Bool {
        averageTraceCost > 0 && perTick < SpendingPlan.tracesPerTick * averageSquaredCost / averageTraceCost
    }

    mutating func advanceSpendingPlan(ticks: Int64) {
        guard needsSpendingPlan else {
            if spendingPlan != nil { keys.average(overTicks: 0) }
            spendingPlan = nil
            return
        }
        var plan = spendingPlan ?? SpendingPlan(rules: settings.rules.count)
        plan.advance(
            ticks: ticks, perTick: perTick, traceCost: averageSquaredCost / averageTraceCost,
            balance: account.balance + owed,
            tickLength: settings.tick)
        spendingPlan = plan
        keys.average(overTicks: plan.horizon)
    }

    /// Decides the traces in `plans`.
    mutating func decideByPlan(_ traces: [BudgetTrace], time: Int64) {
        guard var spending = spendingPlan else { return }
        let before = coverageCredit
        let covered = cover(time: time, capacity: nil)
        let loan = max(0, covered - max(0, before))
        borrowed += loan
        owed += loan
        coverageCredit += loan
        spending.coverage += (covered - loan) * spending.share
        spending.coverageWanted += candidates.values.reduce(0) { $0 + plans[$1].cost } * spending.share
        let importances = learn(traces, &spending)

        // What was overspent or left over is made good within the averages' time.
        // Debts are paid by all but the outlines of errors: the large trace that made them is no reason to see less of those.
        let income = self.income(spending, balance: max(0, account.balance))
        let scales = self.scales(
            spending, income: income, paid: income - self.income(spending, balance: account.balance))
        var wanted = 0.0
        for index in plans.indices {
            guard !plans[index].isDecided, let scale = scales.scale(of: plans[index]) else { continue }
            let part = plans[index].partCost
            wanted += part * min(1, scale * importances[index])
            guard part < plans[index].cost else { continue }
            wanted += (plans[index].cost - part) * scales.wholeChance(of: plans[index], importances[index])
        }
        // A burst does not take more than the allowance, whatever the average was.
        let allowed = max(spending.allowance, perTick / 4)
        let factor = wanted > allowed ? allowed / wanted : 1
        for index in plans.indices {
            guard !plans[index].isDecided, let scale = scales.scale(of: plans[index]) else { continue }
            let probability = min(1, scale * importances[index]) * factor
            let uniform = Randomness.uniform(traces[index].randomness) / Self.upstreamProbability(traces[index])
            plans[index].isDecided = true
            plans[index].probability = probability
            plans[index].isKept = uniform <= probability
            guard plans[index].partCost < plans[index].cost else { continue }
            // The same random number: the traces kept whole are some of those whose outline is kept.
            let whole = scales.wholeChance(of: plans[index], importances[index]) * factor
            plans[index].wholeProbability = whole
            plans[index].isOutline = plans[index].isKept && uniform > whole
        }
        for index in plans.indices where plans[index].tier != .dropRule {
            plans[index].isOversize = plans[index].keptCost > 0.75 * perTick
        }
        spending.allowance -= min(wanted, allowed)
        spendingPlan = spending
    }

    /// What there is for a tick besides coverage.
    private func income(_ spending: SpendingPlan, balance: Double) -> Double {
        max(perTick + max(balance / spending.settling, -perTick / 2) - spending.coveragePerTick, perTick / 4)
    }

    /// One tick's budget is no measure here: credit is. Half of it waits for shapes that were never kept.
    var plannedCoverageLimits: CoverageLimits {
        let reserve = coverageCreditLimit(settings.coverage?.share ?? 0) / 2
        let usual = min(coverageCredit - reserve, 4 * averageTraceCost)
        return CoverageLimits(
            usual: usual, afterOutlines: usual,
            newShapes: max(0, coverageCredit) + max(0, newShapesLoan - borrowed), isMustKeepSure: false)
    }

    /// Cost that a sampler may borrow once in its life for shapes that it has not kept yet: in its first minutes all are new, and some
    /// never come again. It is paid back like any debt.
    var newShapesLoan: Double {
        guard spendingPlan != nil else { return 0 }
        let traceCost = averageSquaredCost / averageTraceCost
        let ticks = SpendingPlan.loanTime / Double(settings.tick)
        // Of the traces its part of the whole budget's: a fleet of hundreds of partitions borrows no more than one.
        let traces = SpendingPlan.loanTraces * min(1, rate / settings.rate)
        return min(traces * traceCost, coverageIncome(settings.coverage?.share ?? 0) * ticks)
    }

    /// What the coverage tier earns per tick. Where coverage cannot be complete anyway, the outlines of traces with an error come
    /// before it, down to a quarter of its part.
    func coverageIncome(_ share: Double) -> Double {
        guard let plan = spendingPlan, plan.coverageWantedPerTick > share * perTick, plan.beyondOutlines.total > 0
        else {
            return share * perTick
        }
        let needed = outlinesNeed(plan.mustKeep.total)
        return min(share * perTick, max(share * perTick / 4, perTick - needed))
    }

    /// What coverage must leave, so that the outlines' part of it is what they cost.
    func outlinesNeed(_ cost: Double) -> Double {
        cost / max(0.01, settings.mustKeep.share * (1 - BudgetSettings.MustKeep.wholeShare))
    }

    /// Adds the tick's traces to the averages; returns their importances.
    private mutating func learn(_ traces: [BudgetTrace], _ spending: inout SpendingPlan) -> [Double] {
        let share = spending.share
        return plans.indices.map { index in
            let plan = plans[index]
            guard !plan.isDecided else { return 0 }
            switch plan.tier {
            case .error, .mustKeepRule:
                let part = plan.partCost
                let importance = importance(of: traces[index], plan, by: .number, cost: part)
                spending.mustKeep.add(cost: part, importance: importance, share: share)
                let beyond = plan.cost - part
                if beyond > 0 {
                    spending.beyondOutlines.add(cost: beyond, importance: importance * part / beyond, share: share)
                }
                return importance
            case .ownBudget:
                let importance = importance(of: traces[index], plan, by: .multiplier, cost: plan.cost)
                if let rule = plan.rule {
                    spending.own[rule].add(cost: plan.cost, importance: importance, share: share)
                }
                return importance
            case .slow, .rest:
                let importance = importance(of: traces[index], plan, by: .key, cost: plan.cost)
                if plan.tier == .slow {
                    spending.slow.add(cost: plan.cost, importance: importance, share: share)
                } else {
                    spending.rest.add(cost: plan.cost, importance: importance, share: share)
                }
                return importance
            case .coverage, .dropRule: return 0
            }
        }
    }

    /// By which the importances are multiplied.
    private struct Scales {
        var mustKeep = 0.0
        var beyondOutlines = 0.0
        var slow = 0.0
        var rest = 0.0
        var own: [Double]

        /// Of a trace whose outline has this importance.
        func wholeChance(of plan: Plan, _ importance: Double) -> Double {
            let part = plan.partCost
            return min(1, min(mustKeep, beyondOutlines * part / (plan.cost - part)) * importance)
        }

        func scale(of plan: Plan) -> Double? {
            switch plan.tier {
            case .error, .mustKeepRule: mustKeep
            case .slow: slow
            case .rest: rest
            case .ownBudget: plan.rule.map { own[$0] }
            case .coverage, .dropRule: nil
            }
        }
    }

    /// The tiers' parts are the same as when a tick is decided as a whole.
    ///
    /// - Parameter paid: of the income, what should be saved.
    private mutating func scales(_ spending: SpendingPlan, income: Double, paid: Double) -> Scales {
        var scales = Scales(own: Array(repeating: 0, count: settings.rules.count))
        var left = income
        let own = settings.rules.indices.map { ownIncome($0, settling: spending.settling) }
        let wanted = own.reduce(0, +)
        if wanted > 0 {
            let part = min(1, income * Self.ownBudgetsShare / wanted)
            for index in own.indices where own[index] > 0 {
                scales.own[index] = SpendingCurve.scale(
                    spending: own[index] * part, of: [(curve: spending.own[index], factor: 1)])
                left -= spending.own[index].spending(scale: scales.own[index])
            }
        }
        let slow = spending.slow.total
        let rest = spending.rest.total
        let income = max(settings.mustKeep.share * left, left - slow - rest)
        let used = scaleMustKeep(&scales, spending, income: income, left: left, paid: paid)
        left = max(left - paid, used + (left - used) / 4)
        if slow <= max(settings.mustKeep.share * left, left - rest) - used {
            scales.slow = .infinity
            scales.rest = SpendingCurve.scale(spending: left - used - slow, of: [(curve: spending.rest, factor: 1)])
        } else {
            scales.rest = SpendingCurve.scale(
                spending: left - used, of: [(curve: spending.rest, factor: 1), (curve: spending.slow, factor: 4)])
            scales.slow = scales.rest * 4
        }
        return scales
    }

    /// Outlines first, and of what they leave the rest of some traces. Returns what both cost.
    private mutating func scaleMustKeep(
        _ scales: inout Scales, _ spending: SpendingPlan, income: Double, left: Double, paid: Double
    ) -> Double {
        let outlines = spending.mustKeep.total
        let beyond = spending.beyondOutlines.total
        let isScarce = outlines + beyond > income
        if isScarce { counters.mustKeepSampledTicks &+= 1 }
        let part = isScarce && beyond > 0 ? income * (1 - BudgetSettings.MustKeep.wholeShare) : income
        scales.mustKeep = SpendingCurve.scale(spending: part, of: [(curve: spending.mustKeep, factor: 1)])
        let used = spending.mustKeep.spending(scale: scales.mustKeep)
        scales.beyondOutlines = SpendingCurve.scale(
            spending: (income - used) * max(0.25, 1 - paid / max(left - used, 1e-9)),
            of: [(curve: spending.beyondOutlines, factor: 1)])
        return used + spending.beyondOutlines.spending(scale: scales.beyondOutlines)
    }

    private func ownIncome(_ rule: Int, settling: Double) -> Double {
        guard case .ownBudget(let rate) = settings.rules[rule].action, !settings.rules[rule].isDryRun else { return 0 }
        let own = ownPerTick(rate)
        return own + max(ruleAccounts[rule].balance / settling, -own / 2)
    }
}
