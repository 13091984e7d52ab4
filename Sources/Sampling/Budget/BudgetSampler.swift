import Glibc

/// The budget sampler: decides all traces of a tick together, so that what is kept costs what the budget says, every key and
/// shape is seen, and the weights of what is kept give unbiased estimates of everything.
///
/// A pure state machine: stream time and traces in, decisions out; no clock, no randomness but the traces' own. The same calls
/// give the same decisions. Its memory is bounded by the settings. One instance per task, used by one thread.
///
/// What decides (docs/adaptive-sampling.md says why):
/// 1. *coverage*: one trace of every pair of key and shape per coverage window, up to a share of the budget;
/// 2. rules with a budget of their own;
/// 3. *must keep*: errors, slow traces, rules; all of them up to a share of what is left, a sample beyond;
/// 4. *rest*: a sample of everything else with what is left.
///
/// Which tier a trace is in never depends on its random number, and neither does its probability: that makes the estimates
/// unbiased.
package struct BudgetSampler {
    package let settings: BudgetSettings
    /// Units per second; the settings' rate, or this task's share of it. May change at any time.
    package var rate: Double
    package internal(set) var counters = BudgetCounters()

    var account = BudgetAccount()
    /// One per rule of the settings; used by those with an own budget.
    var ruleAccounts: [BudgetAccount]
    /// The present tick; nil before the first.
    var tick: Int64?
    var keys: KeyStatistics
    var coverage: CoverageTable
    var shapes: ShapeMemory
    /// Moving average of what a trace costs; 0 before the first.
    var averageTraceCost = 0.0
    /// Moving average of its square.
    var averageSquaredCost = 0.0
    /// Moving average of what a tick is offered; 0 before the first.
    var averageOffered = 0.0
    var offeredThisTick = 0.0
    /// What the coverage tier may spend where the traces are large against its part of a tick.
    var coverageCredit = 0.0
    /// What was ever spent on shapes that were new, beyond the coverage tier's credit.
    var borrowed = 0.0
    /// The part of it that is not paid back.
    var owed = 0.0
    /// Where the budget is less than a few traces per tick; nil else.
    var spendingPlan: SpendingPlan?

    // Reused from tick to tick.
    var plans: [Plan] = []
    var candidates: [UInt64: Int] = [:]
    var tierSampling = TierSampling()
    var members: [TierSampling.Member] = []
    var memberTraces: [Int] = []

    /// What becomes of one trace of the tick at hand.
    struct Plan {
        var tier: BudgetTier
        var rule: Int?
        var cost: Double
        /// Of the trace's outline; nil where there is none that is cheaper.
        var outlineCost: Double?
        var multiplier: Double
        var pair: UInt64
        var isUncovered: Bool
        var isNewShape: Bool
        var isDecided = false
        var isKept = false
        var probability = 0.0
        var isOversize = false
        /// Where the trace's outline is kept: the chance of being kept whole.
        var wholeProbability: Double?
        var isOutline = false

        /// What is spent on the trace where it is kept.
        var keptCost: Double { isOutline ? outlineCost ?? cost : cost }

        /// What is decided of first: in the must-keep tier the outline, where there is one.
        var partCost: Double { tier.isErrorOrRule ? outlineCost ?? cost : cost }
    }

    package init(settings: BudgetSettings) {
        self.settings = settings
        rate = settings.rate
        ruleAccounts = settings.rules.map { _ in BudgetAccount() }
        keys = KeyStatistics(
            maximumKeys: settings.maximumKeys, maximumSketches: settings.maximumSketches, tickLength: settings.tick)
        coverage = CoverageTable(maximumPairs: settings.maximumPairs)
        shapes = ShapeMemory(maximumCount: settings.maximumShapes)
        counters.ruleMatches = settings.rules.map { _ in 0 }
    }

    /// Budget of one tick, units.
    var perTick: Double { rate * Double(settings.tick) / 1000 }

    /// What is offered, units per second of stream time: the moving average of about 5 s.
    package var demand: Double {
        (averageOffered > 0 ? averageOffered : offeredThisTick) * 1000 / Double(settings.tick)
    }

    /// Credit (positive) or debt for the present tick, units.
    package var balance: Double { account.balance }

    /// Bytes of memory that the state occupies.
    package var byteCount: Int {
        keys.byteCount + coverage.byteCount + shapes.byteCount + plans.capacity * MemoryLayout<Plan>.stride
            + members.capacity * MemoryLayout<TierSampling.Member>.stride + candidates.capacity * 17
    }

    // MARK: - Time

    /// Moves to the tick of a stream time, in milliseconds since the Unix epoch. Time never goes back.
    package mutating func advance(to time: Int64) {
        let now = time.flooredDivision(by: settings.tick)
        guard let last = tick else {
            tick = now
            return
        }
        guard now > last else { return }
        let ticks = now - last
        let debtTicks = BudgetAccount.debtTime / Double(settings.tick)
        account.advance(
            ticks: ticks, perTick: perTick, creditLimit: creditLimit,
            debtLimit: max(perTick * debtTicks, spendingPlan == nil ? 0 : 4 * averageTraceCost)
                + owed)
        owed = min(owed, max(0, -account.balance))
        for index in settings.rules.indices {
            guard case .ownBudget(let rate) = settings.rules[index].action else { continue }
            let own = ownPerTick(rate)
            ruleAccounts[index].advance(
                ticks: ticks, perTick: own, creditLimit: max(own * creditLimit / perTick, 4 * averageTraceCost),
                debtLimit: own * debtTicks)
        }
        if let share = settings.coverage?.share {
            let limit = coverageCreditLimit(share)
            coverageCredit = min(coverageCredit + coverageIncome(share) * Double(ticks), limit)
        }
        advanceSpendingPlan(ticks: ticks)
        // Five seconds to follow a change; the first tick with traffic counts as it is.
        let kept = exp(-Double(settings.tick) / 5000)
        if averageOffered == 0 {
            averageOffered = offeredThisTick
        } else {
            averageOffered = averageOffered * kept + offeredThisTick * (1 - kept)
            if ticks > 1 { averageOffered *= pow(kept, Double(ticks - 1)) }
        }
        offeredThisTick = 0
        tick = now
    }

    /// A rule's own budget in one tick: its part of the whole, also where the whole is shared among tasks.
    func ownPerTick(_ ownRate: Double) -> Double { perTick * ownRate / settings.rate }

    /// Credit may be kept for traces that are large against a tick's budget, as well as for the configured time.
    private var creditLimit: Double {
        let planned = spendingPlan == nil ? 0 : perTick * BudgetAccount.debtTime / Double(settings.tick)
        return max(rate * settings.carry, 4 * averageTraceCost, planned)
    }

    /// Credit that one tick may use: 1 % of its budget, so that nobody sees a burst; more only where the traces are large
    /// against a tick's budget, and could not be kept otherwise.
    private var usableCredit: Double {
        max(0.01 * perTick, min(4 * averageTraceCost, 4 * averageTraceCost * averageTraceCost / max(perTick, 1e-9)))
    }

    /// The coverage tier's part of an interval; of the time that is planned for, where a tick holds less than a few traces.
    func coverageCreditLimit(_ share: Double) -> Double {
        let interval = min(Double(settings.coverage?.interval ?? 0), BudgetAccount.debtTime) / Double(settings.tick)
        let part = spendingPlan.map { perTick * $0.horizon } ?? share * perTick * max(1, interval)
        return max(part, 4 * averageTraceCost)
    }

    /// Charges spans that came after their trace was kept.
    package mutating func chargeLate(cost: Double) {
        account.spent += cost
        counters.lateCost += cost
    }

    /// Charges what others spent in this task's place. It is paid off like any debt: with half of each tick's budget at most.
    mutating func charge(seconds: Double) {
        guard seconds > 0, seconds.isFinite else { return }
        account.spent += min(seconds, BudgetAccount.debtTime / 1000) * rate
    }

    // MARK: - Decisions

    /// Decides the traces whose windows closed in the tick that ended at `time`.
    ///
    /// - Parameters:
    ///   - traces: in order of their deadlines.
    ///   - isForced: the traces are decided early to free memory, and the tick goes on: they get the part of the tick's budget
    ///     that their cost is of what a tick is offered.
    package mutating func decide(_ traces: [BudgetTrace], at time: Int64, isForced: Bool = false) -> [BudgetDecision] {
        guard !traces.isEmpty else { return [] }
        let isFirst = tick == nil
        advance(to: time)
        let tick = tick ?? 0
        keys.beginTick(tick)
        let offered = plan(traces, tick: tick, time: time)
        // A new sampler has seen no shape: it begins with an interval's part for new ones.
        if isFirst {
            // Not of what is planned for: a short run would be over before it is paid off.
            if let share = settings.coverage?.share { coverageCredit = coverageCreditLimit(share) }
            advanceSpendingPlan(ticks: 1)
        }
        if spendingPlan != nil {
            decideByPlan(traces, time: time)
            return finish(traces, tick: tick, time: time)
        }
        var capacity = account.capacity(perTick: perTick, usableCredit: usableCredit)
        if isForced { capacity *= min(1, offered / max(averageOffered, offeredThisTick, 1e-9)) }

        var left = capacity
        let covered = cover(time: time, capacity: capacity)
        left = max(left - covered, capacity / 4)
        // An oversize trace may take more than its tier has; the tiers below keep their share all the same.
        let afterOwn = left * (1 - Self.ownBudgetsShare)
        left = max(left - sampleOwnBudgets(traces, capacity: left), afterOwn)
        let afterMustKeep = left * (1 - settings.mustKeep.share)
        left = max(left - sampleMustKeep(traces, capacity: left), afterMustKeep)
        sampleRest(traces, capacity: left)
        return finish(traces, tick: tick, time: time)
    }

    /// Looks at each trace once and says what tier it is in; coverage comes later. Returns what they cost together.
    private mutating func plan(_ traces: [BudgetTrace], tick: Int64, time: Int64) -> Double {
        let window = coverageWindow(time)
        coverage.begin(window: window)
        plans.removeAll(keepingCapacity: true)
        plans.reserveCapacity(traces.count)
        var total = 0.0
        var squares = 0.0
        for trace in traces {
            let cost = trace.cost(in: settings.unit)
            var plan = Plan(
                tier: .rest, rule: nil, cost: cost,
                outlineCost: settings.mustKeep.outlines ? trace.outlineCost(in: settings.unit) : nil, multiplier: 1,
                pair: 0, isUncovered: false, isNewShape: false)
            let isSlow = settings.mustKeep.slowerThan.map {
                keys.isSlow(trace.key, duration: trace.duration, percentile: $0)
            }
            if settings.mustKeep.errors, trace.hasError {
                plan.tier = .error
            } else if isSlow == true {
                plan.tier = .slow
            }
            applyRules(trace, &plan)
            if plan.tier != .dropRule {
                total += cost
                squares += cost * cost
                _ = keys.add(trace.key, cost: cost, tick: tick)
                if settings.coverage != nil {
                    plan.pair = CoverageTable.pair(key: trace.key, shape: trace.shape)
                    plan.isNewShape = shapes.isNew(trace.shape)
                    plan.isUncovered = !coverage.add(plan.pair, window: window)
                }
            }
            plans.append(plan)
        }
        counters.offeredCost += total
        offeredThisTick += total
        // The average of about the last thousand traces.
        let share = averageTraceCost == 0 ? 1 : Double(traces.count) / Double(traces.count + 1000)
        averageTraceCost += (total / Double(traces.count) - averageTraceCost) * share
        averageSquaredCost += (squares / Double(traces.count) - averageSquaredCost) * share
        return total
    }

    /// The first rule that the trace meets, and that is no dry run, applies.
    private mutating func applyRules(_ trace: BudgetTrace, _ plan: inout Plan) {
        guard trace.rules != 0 else { return }
        for index in settings.rules.indices.prefix(64) where trace.rules & (1 << UInt64(index)) != 0 {
            counters.ruleMatches[index] &+= 1
            let rule = settings.rules[index]
            if rule.isDryRun || plan.rule != nil { continue }
            plan.rule = index
            plan.multiplier = rule.multiplier
            switch rule.action {
            case .mustKeep: plan.tier = .mustKeepRule
            case .rest: plan.tier = .rest
            case .ownBudget: plan.tier = .ownBudget
            case .drop: plan.tier = .dropRule
            }
        }
    }

    func coverageWindow(_ time: Int64) -> Int64 {
        // A tick's traces ended before its boundary: at a window's boundary they still belong to the old window.
        (time - 1).flooredDivision(by: settings.coverage?.interval ?? 60_000)
    }

    private mutating func finish(_ traces: [BudgetTrace], tick: Int64, time: Int64) -> [BudgetDecision] {
        let window = coverageWindow(time)
        var decisions: [BudgetDecision] = []
        decisions.reserveCapacity(traces.count)
        for index in traces.indices {
            let trace = traces[index]
            let plan = plans[index]
            let upstream = Self.upstreamProbability(trace)
            let probability = plan.probability * upstream
            var threshold = Randomness.threshold(probability: probability)
            // Rounding must not contradict the decision.
            if plan.isKept { threshold = min(threshold, trace.randomness) }
            var decision = BudgetDecision(
                isKept: plan.isKept, isOutline: plan.isOutline, probability: probability,
                wholeProbability: (plan.wholeProbability ?? plan.probability) * upstream, threshold: threshold,
                tier: plan.tier, rule: plan.rule, key: trace.key, shape: trace.shape, tick: tick,
                isOversize: plan.isOversize)
            count(plan)
            if plan.isKept {
                account.spent += plan.keptCost
                if plan.tier == .ownBudget, let rule = plan.rule { ruleAccounts[rule].spent += plan.cost }
                // An outline does not show the trace's shape.
                if settings.coverage != nil, !plan.isOutline {
                    coverage.cover(plan.pair, window: window)
                    shapes.remember(trace.shape)
                }
            }
            if settings.isDryRun { keepAll(&decision, upstream: upstream, threshold: trace.upstreamThreshold) }
            decisions.append(decision)
        }
        return decisions
    }

    /// Every trace is kept whole, and stands for itself: also those that the budget would have kept with a weight.
    private mutating func keepAll(_ decision: inout BudgetDecision, upstream: Double, threshold: UInt64) {
        decision.dryRunProbability = decision.probability
        if !decision.isKept {
            decision.isDryRun = true
            counters.dryRunKept &+= 1
        }
        decision.isKept = true
        decision.isOutline = false
        decision.probability = upstream
        decision.wholeProbability = upstream
        decision.threshold = threshold
    }

    private mutating func count(_ plan: Plan) {
        let tier = Int(plan.tier.rawValue)
        counters.offeredTraces[tier] &+= 1
        if plan.isKept {
            counters.keptTraces[tier] &+= 1
            counters.keptCost[tier] += plan.keptCost
            if plan.isOutline {
                counters.outlines &+= 1
                counters.leftOutCost += plan.cost - plan.keptCost
            }
        }
        guard plan.isOversize else { return }
        if plan.isKept { counters.oversizeKept &+= 1 } else { counters.oversizeDropped &+= 1 }
    }

    /// What samplers before this one left of traces like this. A threshold above the trace's randomness contradicts itself and
    /// is ignored, as OpenTelemetry's specification says.
    static func upstreamProbability(_ trace: BudgetTrace) -> Double {
        guard trace.upstreamThreshold > 0, trace.upstreamThreshold <= trace.randomness else { return 1 }
        return Randomness.probability(threshold: trace.upstreamThreshold)
    }
}
