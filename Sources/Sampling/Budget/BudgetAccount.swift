/// What a budget has spent, tick by tick, with the credit or debt that is carried on.
///
/// Credit is bounded, so that a quiet minute does not allow a burst. Debt is remembered in full (up to five minutes of budget)
/// and paid off with at most half of a tick's income, so that the tiers are never without room: a probability of zero would
/// make the estimates biased.
struct BudgetAccount: Equatable {
    /// Largest debt that is remembered, milliseconds of budget.
    static let debtTime = 300_000.0

    /// Units left over (positive) or owed (negative) from the ticks before.
    var balance = 0.0
    /// Units spent in the present tick.
    var spent = 0.0

    /// Ends the present tick and `ticks - 1` ticks without traffic behind it.
    mutating func advance(ticks: Int64, perTick: Double, creditLimit: Double, debtLimit: Double) {
        balance = min(max(balance + perTick - spent, -debtLimit), creditLimit)
        if ticks > 1 { balance = min(balance + Double(ticks - 1) * perTick, creditLimit) }
        spent = 0
    }

    /// What may be spent in the present tick.
    func capacity(perTick: Double, usableCredit: Double) -> Double {
        perTick + (balance > 0 ? min(balance, usableCredit) : max(balance, -perTick / 2))
    }
}
