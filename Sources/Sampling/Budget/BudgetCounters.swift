/// Totals of one budget since the start of its task.
package struct BudgetCounters: Sendable, Equatable {
    /// Kept and offered traces by tier, in the order of `BudgetTier.allCases`.
    package var offeredTraces = [UInt64](repeating: 0, count: BudgetTier.allCases.count)
    package var keptTraces = [UInt64](repeating: 0, count: BudgetTier.allCases.count)
    /// In the budget's unit.
    package var keptCost = [Double](repeating: 0, count: BudgetTier.allCases.count)
    package var offeredCost = 0.0
    /// Spans of kept traces that came after the decision, in the budget's unit.
    package var lateCost = 0.0
    /// Traces of which only the outline was kept, and what the rest of them would have cost.
    package var outlines: UInt64 = 0
    package var leftOutCost = 0.0
    package var oversizeKept: UInt64 = 0
    package var oversizeDropped: UInt64 = 0
    /// Ticks in which there were more new keys and shapes than the coverage tier may take.
    package var coverageSuspendedTicks: UInt64 = 0
    /// Ticks in which the must-keep tier had more than it may take.
    package var mustKeepSampledTicks: UInt64 = 0
    /// Traces that met each of the settings' rules, also in a dry run.
    package var ruleMatches: [UInt64] = []
    /// Traces that a dry run kept although the budget would have dropped them.
    package var dryRunKept: UInt64 = 0

    package init() {}
}
