import Glibc

/// What a budget that holds less than a few traces per tick has learnt of its tiers, so that it can be spent over many ticks.
///
/// One tick's traces say nothing of what a small budget is best spent on: most ticks have no error, and a tick that has one
/// cannot pay for it. So the sampling scale of each tier is the one at which the tier's *average* tick costs its part. It
/// depends on costs, importances and past decisions, never on the random number of the trace at hand: weights stay unbiased.
struct SpendingPlan: Equatable {
    /// The plan is for budgets of fewer traces per tick than this. Where a tick holds more, deciding it as a whole keeps the
    /// budget to the span.
    static let tracesPerTick = 2.0
    /// Time constant of the averages: the time in which the budget pays for so many traces, at most `maximumHorizon`. Here and
    /// below a trace is one of the size that the average unit of cost belongs to.
    static let horizonTraces = 64.0
    /// Time in which a balance is made good, likewise; also what a burst may take in advance.
    static let settlingTraces = 16.0
    /// A new sampler may borrow the cost of so many traces for shapes: the recorded traffic of decision 013 takes eleven, and a short
    /// run should not be all loan.
    static let loanTraces = 12.0
    /// Milliseconds in which the coverage tier earns what a new sampler may borrow at most for shapes.
    static let loanTime = 2 * BudgetAccount.debtTime
    /// Milliseconds. With five minutes, half an hour of many errors was kept in part and a calm hour after it whole.
    static let maximumHorizon = 900_000.0

    /// Outlines where traces have them; else whole traces.
    var mustKeep = SpendingCurve()
    /// What the traces with an outline cost besides it.
    var beyondOutlines = SpendingCurve()
    var slow = SpendingCurve()
    var rest = SpendingCurve()
    /// By rule; of those with an own budget.
    var own: [SpendingCurve]
    /// What coverage costs per tick: its sum, with the weight of the curves.
    var coverage = 0.0
    /// The same of what coverage would cost if it were complete.
    var coverageWanted = 0.0
    /// Expected cost that may still be planned: any stretch of time is planned to cost at most
    /// `settlingTraces` more than its budget, whatever comes in.
    var allowance = 0.0
    /// Ticks; the time constant of the averages.
    var horizon = 1.0
    /// Ticks in which a balance is made good.
    var settling = 1.0

    init(rules: Int) { own = Array(repeating: SpendingCurve(), count: rules) }

    var share: Double { 1 - kept }
    private var kept: Double { exp(-1 / horizon) }

    mutating func advance(ticks: Int64, perTick: Double, traceCost: Double, balance: Double, tickLength: Int64) {
        let maximum = max(1, Self.maximumHorizon / Double(tickLength))
        let ticksPerTrace = traceCost / max(perTick, 1e-9)
        horizon = min(max(Self.horizonTraces * ticksPerTrace, 1), maximum)
        settling = min(max(Self.settlingTraces * ticksPerTrace, 1), maximum)
        let kept = kept
        mustKeep.advance(ticks: ticks, kept: kept)
        beyondOutlines.advance(ticks: ticks, kept: kept)
        slow.advance(ticks: ticks, kept: kept)
        rest.advance(ticks: ticks, kept: kept)
        for index in own.indices { own[index].advance(ticks: ticks, kept: kept) }
        coverage *= pow(kept, Double(ticks))
        coverageWanted *= pow(kept, Double(ticks))
        let income = perTick + max(0, balance) / settling
        allowance = min(allowance + income * Double(ticks), income + Self.settlingTraces * traceCost)
    }

    /// Average cost of coverage per tick.
    var coveragePerTick: Double { mustKeep.weight > 0 ? coverage / mustKeep.weight : 0 }

    /// Average cost per tick that complete coverage would have.
    var coverageWantedPerTick: Double { mustKeep.weight > 0 ? coverageWanted / mustKeep.weight : 0 }

    // MARK: - State

    func encode(to writer: inout StateWriter) {
        for curve in [mustKeep, slow, rest] + own + [beyondOutlines] { curve.encode(to: &writer) }
        writer.double(coverage)
        writer.double(allowance)
        writer.double(horizon)
        writer.double(settling)
        writer.double(coverageWanted)
    }

    /// - Parameters:
    ///   - rules: by place in the saved state, the rule's place now.
    ///   - count: of the rules now.
    ///   - hasOutlines: false where the state was saved by a version without outlines.
    init(from reader: inout StateReader, rules: [Int?], count: Int, hasOutlines: Bool) throws(StateError) {
        self.init(rules: count)
        mustKeep = try SpendingCurve(from: &reader)
        slow = try SpendingCurve(from: &reader)
        rest = try SpendingCurve(from: &reader)
        for rule in rules {
            let curve = try SpendingCurve(from: &reader)
            if let rule { own[rule] = curve }
        }
        if hasOutlines { beyondOutlines = try SpendingCurve(from: &reader) }
        coverage = try reader.double()
        allowance = try reader.double()
        horizon = try reader.double()
        settling = try reader.double()
        if hasOutlines { coverageWanted = try reader.double() }
        guard coverage >= 0, coverageWanted >= 0, horizon >= 1, settling >= 1 else { throw StateError.malformed }
    }
}
