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
            ticks: ticks, perTick: perTick, traceCost: averageSquaredCost / averageTraceCost, balance: account.balance,
            tickLength: settings.tick)
        spendingPlan = plan
        keys.average(overTicks: plan.horizon)
    }

    /// Decides the traces in `plans`.
    mutating func decideByPlan(_ traces: [BudgetTrace], time: Int64) {
        guard var spending = spendingPlan else { return }
        let covered = cover(time: time, capacity: nil)
        spending.coverage += covered * spending.share
        let importances = learn(traces, &spending)

        // What was overspent or left over is made good within the averages' time.
        let balance = max(account.balance / spending.settling, -perTick / 2)
        let income = max(perTick + balance - spending.coveragePerTick, perTick / 4)
        let scales = self.scales(spending, income: income)
        var wanted = 0.0
        for index in plans.indices {
            guard !plans[index].isDecided, let scale = scales.scale(of: plans[index]) else { continue }
            wanted += plans[index].cost * min(1, scale * importances[index])
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
        }
        for index in plans.indices where plans[index].tier != .dropRule {
            plans[index].isOversize = plans[index].cost > 0.75 * perTick
        }
        spending.allowance -= min(wanted, allowed)
        spendingPlan = spending
    }

    /// One tick's budget is no measure here: credit is. Half of it waits for shapes that were never kept.
    var plannedCoverageLimits: CoverageLimits {
        let reserve = coverageCreditLimit(settings.coverage?.share ?? 0) / 2
        return CoverageLimits(
            usual: min(coverageCredit - reserve, 4 * averageTraceCost), newShapes: coverageCredit, isMustKeepSure: false
        )
    }

    /// Adds the tick's traces to the averages; returns their importances.
    private mutating func learn(_ traces: [BudgetTrace], _ spending: inout SpendingPlan) -> [Double] {
        let share = spending.share
        return plans.indices.map { index in
            let plan = plans[index]
            guard !plan.isDecided else { return 0 }
            switch plan.tier {
            case .error, .mustKeepRule:
                let importance = importance(of: traces[index], plan, by: .number)
                spending.mustKeep.add(cost: plan.cost, importance: importance, share: share)
                return importance
            case .ownBudget:
                let importance = importance(of: traces[index], plan, by: .multiplier)
                if let rule = plan.rule {
                    spending.own[rule].add(cost: plan.cost, importance: importance, share: share)
                }
                return importance
            case .slow, .rest:
                let importance = importance(of: traces[index], plan, by: .key)
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
        var slow = 0.0
        var rest = 0.0
        var own: [Double]

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
    private mutating func scales(_ spending: SpendingPlan, income: Double) -> Scales {
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
        let share = settings.mustKeep.share * left
        scales.mustKeep = SpendingCurve.scale(
            spending: max(share, left - slow - rest), of: [(curve: spending.mustKeep, factor: 1)])
        let used = spending.mustKeep.spending(scale: scales.mustKeep)
        if scales.mustKeep < .infinity { counters.mustKeepSampledTicks &+= 1 }
        if slow <= max(share, left - rest) - used {
            scales.slow = .infinity
            scales.rest = SpendingCurve.scale(spending: left - used - slow, of: [(curve: spending.rest, factor: 1)])
        } else {
            scales.rest = SpendingCurve.scale(
                spending: left - used, of: [(curve: spending.rest, factor: 1), (curve: spending.slow, factor: 4)])
            scales.slow = scales.rest * 4
        }
        return scales
    }

    private func ownIncome(_ rule: Int, settling: Double) -> Double {
        guard case .ownBudget(let rate) = settings.rules[rule].action, !settings.rules[rule].isDryRun else { return 0 }
        let own = ownPerTick(rate)
        return own + max(ruleAccounts[rule].balance / settling, -own / 2)
    }
}
