import Pipeline

/// Reads the `policies:` list of a tail sampler, in the Collector's form, and reports every mistake.
enum PolicyParser {
    /// Checks the list without making anything.
    static func check(_ settings: StageSettings, _ diagnostics: inout Diagnostics) {
        guard let list = settings.value["policies"] else { return }
        guard case .list(let policies) = list.content else {
            diagnostics.error(
                "policies must be a list, for example [{ name: everything, type: always_sample }]", at: list.location)
            return
        }
        if policies.isEmpty {
            diagnostics.error(
                "policies is empty, so every trace would be dropped; to keep everything write "
                    + "{ name: everything, type: always_sample }", at: list.location)
        }
        var names: [String: SourceLocation] = [:]
        for (index, policy) in policies.enumerated() { check(policy, index: index, &names, &diagnostics) }
    }

    private static func check(
        _ policy: ConfigValue, index: Int, _ names: inout [String: SourceLocation], _ diagnostics: inout Diagnostics
    ) {
        guard case .map = policy.content else {
            diagnostics.error(
                "policies[\(index)] must be a map with name and type, not \(Wording.kind(of: policy))",
                at: policy.location)
            return
        }
        let name = policy["name"]?.scalar ?? ""
        let subject = name.isEmpty ? "policies[\(index)]" : "policy \"\(name)\""
        if name.isEmpty {
            diagnostics.error("policies[\(index)] needs a name", at: policy["name"]?.location ?? policy.location)
        } else if let first = names[name] {
            diagnostics.error(
                "\(subject): the name is taken by the policy in line \(first.line)",
                at: policy["name"]?.location ?? policy.location)
        } else {
            names[name] = policy["name"]?.location
        }
        let known = BuiltInPolicies.all.map(\.type)
        guard let typeValue = policy["type"], let type = typeValue.scalar else {
            diagnostics.error(
                "\(subject) needs a type; known types: \(known.joined(separator: ", "))",
                at: policy["type"]?.location ?? policy.location)
            return
        }
        guard let definition = BuiltInPolicies[type] else {
            let hint = Wording.suggestion(for: type, among: known)
            let types = known.joined(separator: ", ")
            diagnostics.error(
                "\(subject): unknown type \"\(type)\""
                    + (hint.isEmpty ? "; known types: \(types)" : ".\(hint) Known types: \(types)"),
                at: typeValue.location)
            return
        }
        checkBlock(policy, definition, subject, typeValue.location, &diagnostics)
    }

    private static func checkBlock(
        _ policy: ConfigValue, _ definition: PolicyDefinition, _ subject: String, _ typeLocation: SourceLocation,
        _ diagnostics: inout Diagnostics
    ) {
        let allowed = ["name", "type"] + (definition.example == nil ? [] : [definition.type])
        // A block under a wrong name is reported as such, and not as missing too.
        var hasStrangeBlock = false
        for entry in policy.entries where !allowed.contains(entry.key) {
            hasStrangeBlock = true
            let hint = Wording.suggestion(for: entry.key, among: allowed)
            let reason =
                BuiltInPolicies[entry.key] != nil
                ? "; that block belongs to type \(entry.key), this policy has type \(definition.type)"
                : (hint.isEmpty ? "; known keys: \(allowed.joined(separator: ", "))" : ".\(hint)")
            diagnostics.error("\(subject): unknown key \"\(entry.key)\"\(reason)", at: entry.keyLocation)
        }
        guard let example = definition.example else { return }
        guard let block = policy[definition.type], case .map = block.content else {
            if policy[definition.type] == nil && hasStrangeBlock { return }
            diagnostics.error(
                "\(subject): type \(definition.type) needs a \"\(definition.type)\" block, for example \(example)",
                at: policy[definition.type]?.location ?? typeLocation)
            return
        }
        var checker = OptionChecker(subject: subject)
        checker.check(block, options: definition.options, at: block.location)
        diagnostics.append(checker.diagnostics)
        if !checker.diagnostics.hasErrors {
            definition.check(
                StageSettings(name: subject, value: block, definition: definition.options), subject, &diagnostics)
        }
    }

    /// Makes the policies of a checked list.
    static func make(_ settings: StageSettings) -> [any SamplingPolicy] {
        (settings.value["policies"]?.elements ?? []).compactMap { policy in
            guard let name = policy["name"]?.scalar, let type = policy["type"]?.scalar,
                let definition = BuiltInPolicies[type]
            else { return nil }
            let block = policy[type] ?? ConfigValue(.map([]), at: policy.location)
            return definition.make(name, StageSettings(name: name, value: block, definition: definition.options))
        }
    }
}
