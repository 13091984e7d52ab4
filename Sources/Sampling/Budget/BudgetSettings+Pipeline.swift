import Pipeline

extension BudgetSettings {
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
