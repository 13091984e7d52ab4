import Pipeline

extension BuiltInPolicies {
    static let budget = PolicyDefinition(
        type: "budget", summary: "Keeps what fits a budget: rare things and errors first, a sample of the rest.",
        options: [
            StageOption(
                "rate", .text(rateForm(example: "2000 spans/s, 2MB/s or 50 traces/s")), required: true,
                summary: "how much may be kept: 2000 spans/s, 2MB/s or 50 traces/s"),
            StageOption(
                "carry", .duration, default: "500ms", summary: "how much unused budget may be kept for later ticks"),
            StageOption(
                "key", .list(.string), default: nil,
                summary: "fields of the root span: service, operation, kind, status, error, or attributes; "
                    + "without it [service, operation]"),
            StageOption(
                "shape", .boolean, default: "true", summary: "tell traces apart by their calls between operations too"),
            StageOption("cover", .object(coverOptions), summary: "one trace of every key and shape per interval"),
            StageOption("keep", .object(keepOptions), summary: "traces to keep before the rest"),
            StageOption(
                "alpha", .number(0...1), default: "0.5",
                summary: "0: the rest is sampled evenly; 1: every key has the same part of it"),
            StageOption("fleet", .object(fleetOptions), summary: "how the workers of a group hold the budget together"),
            StageOption(
                "rules", .list(.object(ruleOptions)), summary: "exceptions; the first that a trace meets applies"),
            StageOption("dry_run", .boolean, default: "false", summary: "decide and count, but keep everything"),
            StageOption(
                "max_keys", .integer(1...1_000_000), default: "65536",
                summary: "keys with figures of their own; the others share some"),
        ],
        example: "rate: 2000 spans/s", isInline: true, isTopLevelOnly: true, check: checkBudget,
        make: { name, settings in
            let fields = settings.strings("key")
            let rules = settings.value["rules"]?.elements ?? []
            return BudgetPolicy(
                name: name, settings: budgetSettings(settings),
                keyFields: (fields.isEmpty ? ["service", "operation"] : fields).map { TraceKeys.Field($0) },
                usesShapes: settings.boolean("shape") ?? true,
                ruleConditions: rules.map { rule in
                    AndPolicy(
                        name: rule["name"]?.scalar ?? "",
                        (rule["when"]?.elements ?? []).compactMap(PolicyParser.make))
                })
        })

    private static let coverOptions = [
        StageOption("interval", .duration, default: "60s", summary: "length of the aligned intervals; 0 turns it off"),
        StageOption("up_to", .text(shareForm), default: "50%", summary: "at most this part of the budget"),
    ]

    private static let keepOptions = [
        StageOption("errors", .boolean, default: "true", summary: "traces with an error"),
        StageOption(
            "slower_than", .text(percentileForm), default: "p99",
            summary: "traces slower than this percentile of their key, for example p99; none turns it off"),
        StageOption("up_to", .text(shareForm), default: "80%", summary: "at most this part of what cover leaves"),
        StageOption(
            "outlines", .boolean, default: "true",
            summary: "where not all traces with an error fit, keep the error spans and those above them of the others"),
    ]

    private static let fleetOptions = [
        StageOption(
            "share", .enumeration(["demand", "partitions"]), default: "demand",
            summary: "a worker's part follows what it is offered, or how many partitions it owns"),
        StageOption(
            "topic", .string, default: "tailrace.budget",
            summary: "compacted topic in which workers tell what they are offered; made where it is missing"),
        StageOption("interval", .duration, default: "1s", summary: "how often they do"),
        StageOption(
            "stale_after", .duration, default: "10s", summary: "a worker that was silent for so long has no part"),
    ]

    private static let ruleOptions = [
        StageOption("name", .string, required: true, summary: "for explanations and metrics"),
        StageOption(
            "when", .list(.form(.subpolicy)), required: true, isNonEmpty: true,
            summary: "list of policies that must all keep the trace"),
        StageOption(
            "action", .enumeration(["keep", "rest", "drop"]), default: "rest",
            summary: "keep before the rest, sample with the rest, or drop"),
        StageOption(
            "multiplier", .number(0.001...1000), default: "1", summary: "how much more important its traces are"),
        StageOption(
            "rate", .text(rateForm(example: "100 spans/s")),
            summary: "a budget of its own inside the whole, such as 100 spans/s"),
        StageOption("dry_run", .boolean, default: "false", summary: "only count what the rule would meet"),
    ]

    // MARK: - Reading

    /// `2000 spans/s`, `2MB/s`, `50 traces/s`.
    static func budgetRate(_ text: String) -> (rate: Double, unit: BudgetUnit)? {
        let lower = text.lowercased()
        guard lower.hasSuffix("/s") else { return nil }
        let amount = lower.dropLast(2)
        for (suffix, unit) in [("spans", BudgetUnit.spans), ("traces", .traces)] where amount.hasSuffix(suffix) {
            var number = amount.dropLast(suffix.count)
            while number.last == " " { number.removeLast() }
            guard let rate = Double(number), rate > 0, rate < 1e12 else { return nil }
            return (rate, unit)
        }
        guard let bytes = Units.size(String(amount)), bytes > 0 else { return nil }
        return (Double(bytes), .bytes)
    }

    /// `50%` or `0.5`.
    static func budgetShare(_ text: String) -> Double? {
        let share = text.hasSuffix("%") ? Double(text.dropLast()).map { $0 / 100 } : Double(text)
        return share.flatMap { (0...1).contains($0) ? $0 : nil }
    }

    /// `p99`, `p99.9`.
    static func budgetPercentile(_ text: String) -> Double? {
        guard text.hasPrefix("p"), let percent = Double(text.dropFirst()), (50..<100).contains(percent) else {
            return nil
        }
        return percent / 100
    }

    static func budgetSettings(_ settings: StageSettings) -> BudgetSettings {
        let rate = budgetRate(settings.string("rate") ?? "") ?? (1, .spans)
        var budget = BudgetSettings(rate: rate.rate, unit: rate.unit)
        budget.carry = Double(settings.duration("carry") ?? 500) / 1000
        budget.alpha = settings.number("alpha") ?? 0.5
        budget.isDryRun = settings.boolean("dry_run") ?? false
        budget.maximumKeys = Int(clamping: settings.integer("max_keys") ?? 65_536)
        let cover = settings.object("cover")
        let interval = cover.duration("interval") ?? 60_000
        budget.coverage = interval > 0 ? BudgetSettings.Coverage() : nil
        budget.coverage?.interval = interval
        budget.coverage?.share = min(0.9, cover.string("up_to").flatMap(budgetShare) ?? 0.5)
        let keep = settings.object("keep")
        budget.mustKeep.errors = keep.boolean("errors") ?? true
        budget.mustKeep.slowerThan = keep.string("slower_than").flatMap(budgetPercentile)
        budget.mustKeep.outlines = keep.boolean("outlines") ?? true
        budget.mustKeep.share = min(0.95, keep.string("up_to").flatMap(budgetShare) ?? 0.8)
        let fleet = settings.object("fleet")
        budget.fleet.isByDemand = fleet.string("share") != "partitions"
        budget.fleet.topic = fleet.string("topic") ?? budget.fleet.topic
        budget.fleet.settings.interval = fleet.duration("interval") ?? budget.fleet.settings.interval
        budget.fleet.settings.staleAfter = fleet.duration("stale_after") ?? budget.fleet.settings.staleAfter
        budget.rules = (settings.value["rules"]?.elements ?? []).map { rule in
            let own = StageSettings(name: settings.name, value: rule, definition: ruleOptions)
            let action: BudgetRule.Action =
                switch own.string("action") {
                case "keep": .mustKeep
                case "drop": .drop
                default: own.string("rate").flatMap(budgetRate).map { .ownBudget(rate: $0.rate) } ?? .rest
                }
            return BudgetRule(
                name: own.string("name") ?? "", action: action, multiplier: own.number("multiplier") ?? 1,
                isDryRun: own.boolean("dry_run") ?? false)
        }
        return budget
    }

    private static func rateForm(example: String) -> TextForm {
        TextForm(
            "a rate such as \(example)",
            pattern:
                "^([+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)? *([sS][pP][aA][nN][sS]|[tT][rR][aA][cC][eE][sS])"
                + "|(([0-9]+\\.?[0-9]*|\\.[0-9]+) ?([kKmMgGtT][iI]?)?[bB])+)/[sS]$",
            isValid: { budgetRate($0) != nil })
    }

    private static let shareForm = TextForm(
        "a share such as 50%",
        pattern: "^[+]?(0*1(\\.0*)?|0+(\\.[0-9]*)?|0*\\.[0-9]+|0*(100(\\.0*)?|[0-9]{1,2}(\\.[0-9]*)?|\\.[0-9]+)%)$",
        otherForms: [.number(0...1)],
        isValid: { budgetShare($0) != nil })

    private static let percentileForm = TextForm(
        "a percentile from p50 to below p100, or none", pattern: "^(none|p[5-9][0-9](\\.[0-9]*)?)$",
        isValid: { $0 == "none" || budgetPercentile($0) != nil })

    // MARK: - Checking

    private static func checkBudget(
        _ settings: StageSettings, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        let rate = settings.string("rate").flatMap(budgetRate)
        checkShare(settings.object("cover"), "cover", most: 0.9, policy, &diagnostics)
        checkShare(settings.object("keep"), "keep", most: 0.95, policy, &diagnostics)
        checkFleet(settings.object("fleet"), policy, &diagnostics)
        checkRules(settings, rate, policy, &diagnostics)
    }

    private static func checkFleet(
        _ settings: StageSettings, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        let interval = settings.duration("interval") ?? 1000
        let staleAfter = settings.duration("stale_after") ?? 10_000
        if let place = settings.value["interval"], !(100...60_000).contains(interval) {
            diagnostics.error("\(policy): fleet.interval: expected 100ms to 60s", at: place.location)
        }
        // One entry may be lost or late.
        if let place = settings.value["stale_after"] ?? settings.value["interval"],
            !(3 * interval...3_600_000).contains(staleAfter), interval <= 60_000
        {
            diagnostics.error(
                "\(policy): fleet.stale_after: expected at least three intervals and at most 1h", at: place.location)
        }
        guard let topic = settings.value["topic"], let name = topic.scalar else { return }
        let isName = name.utf8.allSatisfy { byte in
            let scalar = Unicode.Scalar(byte)
            return ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
                || [".", "_", "-"].contains(scalar)
        }
        if name.isEmpty || name.utf8.count > 249 || !isName {
            diagnostics.error(
                "\(policy): fleet.topic: expected a topic's name (letters, digits, ., _ and -, at most 249), found "
                    + Wording.quoted(name), at: topic.location)
        }
    }

    private static func checkShare(
        _ settings: StageSettings, _ key: String, most: Double, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        guard let text = settings.value["up_to"], let share = text.scalar.flatMap(budgetShare) else { return }
        if share > most {
            diagnostics.error(
                "\(policy): \(key).up_to: at most \(Int(most * 100))%, so that the rest can be sampled at all",
                at: text.location)
        }
    }

    private static func checkRules(
        _ settings: StageSettings, _ rate: (rate: Double, unit: BudgetUnit)?, _ policy: PolicyPlace,
        _ diagnostics: inout Diagnostics
    ) {
        let rules = settings.value["rules"]?.elements ?? []
        if rules.count > 64, let list = settings.value["rules"] {
            diagnostics.error("\(policy): at most 64 rules", at: list.location)
        }
        var names: [String: SourceLocation] = [:]
        var own = 0.0
        for rule in rules {
            if let name = rule["name"], let text = name.scalar {
                if let first = names[text] {
                    diagnostics.error(
                        "\(policy): rules: the name \(Wording.quoted(text)) is taken by the rule in line \(first.line)",
                        at: name.location)
                }
                names[text] = name.location
            }
            if let when = rule["when"] {
                PolicyParser.checkSubpolicies(when, key: "when", of: "rules", policy, &diagnostics)
                if case .list(let elements) = when.content, elements.isEmpty {
                    diagnostics.error("\(policy): rules: when is empty", at: when.location)
                }
            }
            guard let text = rule["rate"] else { continue }
            if let action = rule["action"], action.scalar != "rest" {
                diagnostics.error(
                    "\(policy): rules: rate goes with action rest, not with \(action.scalar ?? "")", at: text.location)
            }
            guard let ruleRate = text.scalar.flatMap(budgetRate) else { continue }
            if let rate, ruleRate.unit != rate.unit {
                diagnostics.error(
                    "\(policy): rules: rate is in \(ruleRate.unit.name), the budget in \(rate.unit.name)",
                    at: text.location)
            }
            own += ruleRate.rate
        }
        if let rate, own > rate.rate * BudgetSampler.ownBudgetsShare {
            diagnostics.error(
                "\(policy): the rules' own rates add up to more than 80% of the budget", at: policy.location)
        }
    }
}
