import Pipeline

/// Warns of rates that cannot be reached, or not be held.
enum PolicyRates {
    /// - Parameter policies: those of a list in which no mistake was found.
    static func check(_ policies: [ConfigValue], tick: Int64, _ diagnostics: inout Diagnostics) {
        let shapes = policies.compactMap(PolicyShape.init)
        for shape in shapes { checkBursts(shape, "policy \(Wording.quoted(shape.name))", tick: tick, &diagnostics) }
        for budget in shapes where budget.type == "budget" {
            let others = shapes.filter { $0.type != "budget" && $0.type != "drop" && $0.nothingReason == nil }
            guard !others.isEmpty else { continue }
            diagnostics.warning(
                "policy \(Wording.quoted(budget.name)): what \(Wording.choice(others.prefix(10).map(\.shown))) keeps comes "
                    + "on top of the rate; to count it in, make it a rule of the budget with action: keep",
                at: budget.location)
        }
    }

    /// All traces of a tick are asked together, so no more than a full bucket passes in a tick.
    private static func checkBursts(
        _ shape: PolicyShape, _ path: String, tick: Int64, _ diagnostics: inout Diagnostics
    ) {
        for sub in shape.subpolicies {
            checkBursts(sub, "\(path) > \(shape.type) > \(Wording.quoted(sub.name))", tick: tick, &diagnostics)
        }
        let (key, noun) =
            shape.type == "rate_limiting" ? ("spans_per_second", "spans") : ("bytes_per_second", "bytes")
        guard shape.type == "rate_limiting" || shape.type == "bytes_limiting",
            let rate = shape.settings.integer(key), let burst = shape.settings.integer("burst_capacity"), burst > 0,
            Double(burst) < Double(rate) * Double(tick) / 1000
        else { return }
        diagnostics.warning(
            "\(path): \(rate) \(noun) per second cannot be reached: traces are decided once per window.tick (\(tick)ms), "
                + "and at most burst_capacity (\(burst)) \(noun) pass at once",
            at: shape.settings.value["burst_capacity"]?.location ?? shape.location)
    }
}
