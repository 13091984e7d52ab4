import Pipeline

/// Policies that are made of policies.
extension BuiltInPolicies {
    static let and = PolicyDefinition(
        type: "and", summary: "Keeps traces that all of its sub-policies keep.",
        options: [StageOption("and_sub_policy", .list(.form(.subpolicy)), required: true, summary: "list of policies")],
        example: "and: {and_sub_policy: [{name: a, type: always_sample}]}",
        check: { settings, policy, diagnostics in
            checkList(settings, "and_sub_policy", "and", policy, whenEmpty: "keeps every trace", &diagnostics)
        },
        make: { name, settings in AndPolicy(name: name, subpolicies(settings, "and_sub_policy")) })

    static let drop = PolicyDefinition(
        type: "drop", summary: "Drops traces that all of its sub-policies keep, whatever other policies say.",
        options: [
            StageOption("drop_sub_policy", .list(.form(.subpolicy)), required: true, summary: "list of policies")
        ],
        example: "drop: {drop_sub_policy: [{name: a, type: always_sample}]}", isTopLevelOnly: true,
        check: { settings, policy, diagnostics in
            checkList(settings, "drop_sub_policy", "drop", policy, whenEmpty: "drops every trace", &diagnostics)
        },
        make: { name, settings in DropPolicy(name: name, subpolicies(settings, "drop_sub_policy")) })

    static let not = PolicyDefinition(
        type: "not", summary: "Keeps traces that its sub-policy does not keep.",
        options: [StageOption("not_sub_policy", .form(.subpolicy), required: true, summary: "one policy")],
        example: "not: {not_sub_policy: {name: a, type: trace_flags}}",
        check: { settings, policy, diagnostics in
            guard let sub = settings.value["not_sub_policy"] else { return }
            if case .list = sub.content {
                diagnostics.error("\(policy): not_sub_policy is one policy, not a list", at: sub.location)
                return
            }
            PolicyParser.checkSubpolicy(sub, key: "not_sub_policy", of: "not", policy, &diagnostics)
        },
        make: { name, settings in
            let sub = settings.value["not_sub_policy"].flatMap(PolicyParser.make)
            return NotPolicy(name: name, sub ?? AlwaysSamplePolicy(name: ""))
        })

    private static func subpolicies(_ settings: StageSettings, _ key: String) -> [any SamplingPolicy] {
        (settings.value[key]?.elements ?? []).compactMap(PolicyParser.make)
    }

    private static func checkList(
        _ settings: StageSettings, _ key: String, _ type: String, _ policy: PolicyPlace, whenEmpty outcome: String,
        _ diagnostics: inout Diagnostics
    ) {
        guard let list = settings.value[key] else { return }
        if case .list(let elements) = list.content, elements.isEmpty {
            diagnostics.warning("\(policy): \(key) is empty, which \(outcome)", at: list.location)
        }
        PolicyParser.checkSubpolicies(list, key: key, of: type, policy, &diagnostics)
    }

    // MARK: - composite

    static let composite = PolicyDefinition(
        type: "composite", summary: "Shares a rate of spans per second among sub-policies.",
        options: [
            StageOption(
                "max_total_spans_per_second", .integer(0...TokenBucket.maximumRate), required: true,
                summary: "spans per second of all sub-policies together"),
            StageOption("composite_sub_policy", .list(.form(.subpolicy)), required: true, summary: "list of policies"),
            StageOption(
                "policy_order", .list(.string), summary: "names in the order in which the sub-policies are asked"),
            StageOption(
                "rate_allocation",
                .list(
                    .object([
                        StageOption("policy", .string, required: true, summary: "name of a sub-policy"),
                        StageOption(
                            "percent", .integer(0...100), default: "0",
                            summary: "its share of the total; 0 means an equal share"),
                    ])),
                summary: "shares; a sub-policy without one has an equal share"),
        ],
        example:
            "composite: {max_total_spans_per_second: 1000, composite_sub_policy: [{name: a, type: always_sample}]}",
        isTopLevelOnly: true,
        check: checkComposite,
        make: { name, settings in
            let total = settings.integer("max_total_spans_per_second") ?? 0
            let policies = subpolicies(settings, "composite_sub_policy")
            let shares = Dictionary(
                (settings.value["rate_allocation"]?.elements ?? []).map { entry in
                    (entry["policy"]?.scalar ?? "", entry["percent"]?.scalar.flatMap { Int64($0) } ?? 0)
                }, uniquingKeysWith: { first, _ in first })
            let order = settings.strings("policy_order")
            let ordered =
                order.compactMap { name in policies.first { $0.name == name } }
                + policies.filter { !order.contains($0.name) }
            return CompositePolicy(
                name: name,
                ordered.map { policy in
                    let percent = shares[policy.name] ?? 0
                    return .init(
                        policy,
                        allocation: percent == 0
                            ? total / Int64(max(1, policies.count))
                            : allocation(total, percent: percent))
                },
                total: total)
        })

    /// As the Collector rounds: down to whole spans. `total` is at most 2^63 / 10^6, so the product fits.
    private static func allocation(_ total: Int64, percent: Int64) -> Int64 { total * percent / 100 }

    private static func checkComposite(
        _ settings: StageSettings, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        guard let list = settings.value["composite_sub_policy"] else { return }
        checkList(
            settings, "composite_sub_policy", "composite", policy, whenEmpty: "keeps nothing", &diagnostics)
        let names = list.elements.compactMap { $0["name"]?.scalar }
        checkNames(settings.value["policy_order"]?.elements ?? [], "policy_order", names, policy, &diagnostics)
        let allocations = settings.value["rate_allocation"]?.elements ?? []
        checkNames(allocations.compactMap { $0["policy"] }, "rate_allocation", names, policy, &diagnostics)
        let percents = allocations.map { $0["percent"]?.scalar.flatMap { Int64($0) } ?? 0 }
        let sum = percents.reduce(0, +)
        if sum > 100, let place = settings.value["rate_allocation"] {
            diagnostics.error(
                "\(policy): the percents of rate_allocation add up to \(sum), more than 100", at: place.location)
        }
        let order = settings.value["policy_order"]
        for name in names where order != nil && !(order?.elements.contains { $0.scalar == name } ?? true) {
            diagnostics.warning(
                "\(policy): policy_order leaves out \(Wording.quoted(name)), which is asked last",
                at: order?.location ?? policy.location)
        }
        checkShares(settings, names, allocations, percents, policy, &diagnostics)
    }

    private static func checkNames(
        _ values: [ConfigValue], _ key: String, _ names: [String], _ policy: PolicyPlace,
        _ diagnostics: inout Diagnostics
    ) {
        var seen: Set<String> = []
        for value in values {
            let name = value.scalar ?? ""
            if !names.contains(name) {
                let hint = Wording.suggestion(for: name, among: names)
                diagnostics.error(
                    "\(policy): \(key) names \(Wording.quoted(name)), which is no sub-policy"
                        + (hint.isEmpty ? "; they are \(Wording.list(names))" : ".\(hint)"), at: value.location)
            } else if !seen.insert(name).inserted {
                diagnostics.error("\(policy): \(key) names \(Wording.quoted(name)) twice", at: value.location)
            }
        }
    }

    private static func checkShares(
        _ settings: StageSettings, _ names: [String], _ allocations: [ConfigValue], _ percents: [Int64],
        _ policy: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        let total = settings.integer("max_total_spans_per_second") ?? 0
        let place = settings.value["max_total_spans_per_second"]?.location ?? policy.location
        if total == 0 {
            diagnostics.warning("\(policy): a total of 0 spans per second keeps nothing", at: place)
            return
        }
        for (entry, percent) in zip(allocations, percents) where percent > 0 {
            guard let name = entry["policy"]?.scalar, names.contains(name) else { continue }
            if allocation(total, percent: percent) == 0 {
                diagnostics.warning(
                    "\(policy): \(percent) % of \(total) spans per second is less than one span: "
                        + "\(Wording.quoted(name)) keeps nothing of its own", at: entry.location)
            }
        }
        let withShare = Set(zip(allocations, percents).filter { $0.1 > 0 }.compactMap { $0.0["policy"]?.scalar })
        for name in names where !withShare.contains(name) && !allocations.isEmpty {
            diagnostics.warning(
                "\(policy): \(Wording.quoted(name)) has no percent in rate_allocation and gets an equal share, "
                    + "\(total / Int64(max(1, names.count))) spans per second", at: policy.location)
        }
    }
}
