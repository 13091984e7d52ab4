import Pipeline
import Sampling

/// Metrics of budgets: how they are shared, and what they have done.
extension WorkerMetrics {
    func budgets(_ text: inout MetricsText) {
        shares(&text)
        let totals = policySums.flatMap { sampler, counters in
            counters.compactMap { policy in
                policy.budget.map { Total(labels: [("sampler", sampler), ("policy", policy.name)], figures: $0) }
            }
        }
        if totals.isEmpty { return }
        costs(totals, &text)
        tiers(totals, &text)
        events(totals, &text)
    }

    private struct Total {
        var labels: [(String, String)]
        var figures: BudgetFigures

        var labelsWithUnit: [(String, String)] { labels + [("unit", figures.unit)] }
    }

    private func shares(_ text: inout MetricsText) {
        if budgets.isEmpty { return }
        func family(_ name: String, _ help: String, hasUnit: Bool = false, _ value: (BudgetStatus) -> Double) {
            text.header(name, "gauge", help)
            for budget in budgets {
                let labels = [("sampler", budget.sampler), ("policy", budget.policy)]
                text.sample(name, hasUnit ? labels + [("unit", budget.unit)] : labels, value(budget))
            }
        }
        family("tailrace_budget_rate", "The whole budget, in its unit per second.", hasUnit: true) { $0.rate }
        family("tailrace_budget_share", "This worker's part of the budget, 0 to 1.") { $0.share.value }
        family(
            "tailrace_budget_demand",
            "What this worker is offered, in the budget's unit per second, averaged over 5 s.",
            hasUnit: true
        ) { $0.demand }
        family(
            "tailrace_budget_fleet_demand", "What all workers are offered; 0 while that is not known.", hasUnit: true
        ) { $0.share.fleetDemand }
        family("tailrace_budget_fleet_members", "Workers that share the budget, as far as this one knows.") {
            Double($0.share.members)
        }
        family(
            "tailrace_budget_fleet_stale",
            "1 while the workers' topic is out of reach and the budget is shared by partitions instead."
        ) { $0.isStale ? 1 : 0 }
        family(
            "tailrace_budget_balance", "Unused budget carried on, or debt where negative, of this worker's partitions.",
            hasUnit: true
        ) { $0.balance }
        let name = "tailrace_budget_fleet_expired_total"
        text.header(name, "counter", "Workers that were taken out of the fleet because nothing was heard of them.")
        for budget in budgets {
            text.sample(name, [("sampler", budget.sampler), ("policy", budget.policy)], budget.expired)
        }
    }

    private func costs(_ totals: [Total], _ text: inout MetricsText) {
        func family(_ name: String, _ help: String, _ value: (BudgetFigures) -> Double) {
            text.header(name, "counter", help)
            for total in totals { text.sample(name, total.labelsWithUnit, value(total.figures)) }
        }
        family("tailrace_budget_offered_total", "What the budget was offered, in its unit.") { $0.offeredCost }
        family("tailrace_budget_used_total", "What was kept, late spans included, in the budget's unit.") { figures in
            figures.tiers.reduce(figures.lateCost) { $0 + $1.keptCost }
        }
        family("tailrace_budget_late_total", "Spans of kept traces that came after the decision, in the budget's unit.")
        {
            $0.lateCost
        }
        family(
            "tailrace_budget_left_out_total", "What outlines of traces with an error left out, in the budget's unit."
        ) {
            $0.leftOutCost
        }
    }

    private func tiers(_ totals: [Total], _ text: inout MetricsText) {
        func family(_ name: String, _ help: String, _ write: (Total, BudgetFigures.Tier, inout MetricsText) -> Void) {
            text.header(name, "counter", help)
            for total in totals {
                for tier in total.figures.tiers { write(total, tier, &text) }
            }
        }
        let considered = "tailrace_budget_considered_traces_total"
        family(considered, "Traces by the tier that decided them.") { total, tier, text in
            text.sample(considered, total.labels + [("tier", tier.name)], tier.offeredTraces)
        }
        let kept = "tailrace_budget_kept_traces_total"
        family(kept, "Those of them that were kept.") { total, tier, text in
            text.sample(kept, total.labels + [("tier", tier.name)], tier.keptTraces)
        }
        let cost = "tailrace_budget_kept_total"
        family(cost, "What they cost, in the budget's unit.") { total, tier, text in
            text.sample(cost, total.labels + [("tier", tier.name), ("unit", total.figures.unit)], tier.keptCost)
        }
    }

    private func events(_ totals: [Total], _ text: inout MetricsText) {
        func family(_ name: String, _ help: String, _ value: (BudgetFigures) -> UInt64) {
            text.header(name, "counter", help)
            for total in totals { text.sample(name, total.labels, value(total.figures)) }
        }
        family(
            "tailrace_budget_outline_traces_total",
            "Traces with an error of which only the error spans and their ancestors were kept."
        ) { $0.outlines }
        let oversize = "tailrace_budget_oversize_traces_total"
        text.header(oversize, "counter", "Traces too large for their tier's budget, decided each by itself.")
        for total in totals {
            text.sample(oversize, total.labels + [("decision", "kept")], total.figures.oversizeKept)
            text.sample(oversize, total.labels + [("decision", "dropped")], total.figures.oversizeDropped)
        }
        family(
            "tailrace_budget_coverage_suspended_ticks_total",
            "Ticks with more new keys and shapes than the coverage tier may take."
        ) { $0.coverageSuspendedTicks }
        family(
            "tailrace_budget_must_keep_sampled_ticks_total",
            "Ticks with more errors than may be kept, so that they were sampled."
        ) { $0.mustKeepSampledTicks }
        family(
            "tailrace_budget_dry_run_kept_traces_total", "Traces that a dry run kept and the budget would have dropped."
        ) { $0.dryRunKept }
        let rules = "tailrace_budget_rule_traces_total"
        text.header(rules, "counter", "Traces that met a rule of the budget, also one that is only tried.")
        for total in totals {
            for (rule, matches) in total.figures.ruleMatches.sorted(by: { $0.key < $1.key }) {
                text.sample(rules, total.labels + [("rule", rule)], matches)
            }
        }
    }
}
