import Pipeline

/// Warns of policies that can never decide anything, because of what stands before them.
enum PolicyOverlaps {
    static func check(_ policies: [ConfigValue], _ diagnostics: inout Diagnostics) {
        var keepsAll: ConfigValue?
        var seen: [String: ConfigValue] = [:]
        for policy in policies {
            guard let type = policy["type"]?.scalar, let name = policy["name"]?.scalar else { continue }
            if let keepsAll, type != "drop" {
                diagnostics.warning(
                    "policy \(Wording.quoted(name)) never decides: policy "
                        + "\(Wording.quoted(keepsAll["name"]?.scalar ?? "")) in line \(keepsAll.location.line) keeps "
                        + "every trace before it", at: policy.location)
                continue
            }
            if isEverything(policy, type) { keepsAll = policy }
            // Equal limiters have budgets of their own; everything else that is equal says the same.
            if isCharged(policy) { continue }
            let body = text(of: policy, isTop: true)
            if let first = seen[body] {
                diagnostics.warning(
                    "policy \(Wording.quoted(name)) never decides: policy "
                        + "\(Wording.quoted(first["name"]?.scalar ?? "")) in line "
                        + "\(first.location.line) is the same", at: policy.location)
            } else {
                seen[body] = policy
            }
        }
    }

    private static func isEverything(_ policy: ConfigValue, _ type: String) -> Bool {
        switch type {
        case "always_sample": true
        case "probabilistic":
            (policy[type]?["sampling_percentage"]?.scalar).flatMap { Double($0) }.map { $0 >= 100 } ?? false
        default: false
        }
    }

    private static func isCharged(_ policy: ConfigValue) -> Bool {
        let types =
            ["rate_limiting", "bytes_limiting", "composite", "rare", "percentile", "linked", "budget", "rules"]
            + BuiltInPolicies.dynamicTypes
        if let type = policy["type"]?.scalar, types.contains(type) { return true }
        return PolicyParser.subpolicies(of: policy).contains(where: isCharged)
    }

    /// The policy without its name, keys in order.
    private static func text(of value: ConfigValue, isTop: Bool = false) -> String {
        switch value.content {
        case .null: "~"
        case .scalar(let text, _): "\"\(text)\""
        case .list(let elements): "[" + elements.map { text(of: $0) }.joined(separator: ",") + "]"
        case .map(let entries):
            "{"
                + entries.filter { !isTop || $0.key != "name" }.sorted { $0.key < $1.key }
                .map { "\($0.key):\(text(of: $0.value))" }.joined(separator: ",") + "}"
        }
    }
}
