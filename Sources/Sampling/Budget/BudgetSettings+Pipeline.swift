import Pipeline

extension BudgetSettings {
    /// A rate as pipeline files have it, such as `2000 spans/s`; nil for other texts.
    package static func rate(_ text: String) -> (rate: Double, unit: BudgetUnit)? { BuiltInPolicies.budgetRate(text) }

    /// The budgets that a checked `tail_sampler` declares, by the policies' names.
    package static func all(in settings: StageSettings) -> [(name: String, settings: BudgetSettings)] {
        (settings.value["policies"]?.elements ?? []).compactMap { policy in
            guard policy["type"]?.scalar == "budget", let name = policy["name"]?.scalar else { return nil }
            let own = StageSettings(
                name: name, value: policy["budget"] ?? policy, definition: BuiltInPolicies.budget.options)
            var budget = BuiltInPolicies.budgetSettings(own)
            budget.tick = TailSamplerStage.windowSettings(settings).tick
            return (name, budget)
        }
    }
}
