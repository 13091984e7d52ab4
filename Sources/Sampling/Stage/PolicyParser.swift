import Pipeline
import Spelling

/// Reads lists of policies in the Collector's form, and reports every mistake.
enum PolicyParser {
    /// Policies inside policies; deeper is surely a mistake, and bounds the recursion.
    static let maximumDepth = 16

    /// Checks the `policies:` of a sampler without making anything.
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
        let count = policies.reduce(0) { $0 + self.count($1, depth: 0) }
        if count > PolicyList.maximumCount {
            diagnostics.error(
                "\(count) policies, sub-policies included; a sampler has at most \(PolicyList.maximumCount)",
                at: list.location)
            return
        }
        var names: [String: SourceLocation] = [:]
        var sound: [ConfigValue] = []
        for (index, policy) in policies.enumerated() {
            let place = place(of: policy, above: nil, label: "policies[\(index)]")
            var own = Diagnostics()
            check(policy, place, &names, label: "policies[\(index)]", &own)
            if !own.hasErrors { sound.append(policy) }
            diagnostics.append(own)
        }
        PolicyOverlaps.check(sound, &diagnostics)
        PolicyRates.check(sound, tick: TailSamplerStage.windowSettings(settings).tick, &diagnostics)
    }

    /// Checks the sub-policies of a policy.
    ///
    /// - Parameter isAllowed: why a type cannot stand here, or nil.
    static func checkSubpolicies(
        _ list: ConfigValue, key: String, of type: String, _ above: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        guard above.depth < maximumDepth else {
            diagnostics.error("\(above): policies nest deeper than \(maximumDepth)", at: list.location)
            return
        }
        guard case .list(let policies) = list.content else {
            diagnostics.error("\(above): \(key) must be a list of policies", at: list.location)
            return
        }
        var names: [String: SourceLocation] = [:]
        for (index, policy) in policies.enumerated() {
            let place = place(of: policy, above: (above, type), label: "\(key)[\(index)]")
            check(policy, place, &names, label: "\(place.description)", &diagnostics)
        }
    }

    /// Checks a sub-policy that stands alone.
    static func checkSubpolicy(
        _ policy: ConfigValue, key: String, of type: String, _ above: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        guard above.depth < maximumDepth else {
            diagnostics.error("\(above): policies nest deeper than \(maximumDepth)", at: policy.location)
            return
        }
        var names: [String: SourceLocation] = [:]
        let place = place(of: policy, above: (above, type), label: key)
        check(policy, place, &names, label: place.description, &diagnostics)
    }

    /// Checks the policies inside a policy, wherever its options have some.
    private static func checkSubpolicies(
        in map: ConfigValue, _ options: [StageOption], of type: String, _ above: PolicyPlace,
        _ diagnostics: inout Diagnostics
    ) {
        for option in options {
            guard let value = map[option.name] else { continue }
            switch option.type {
            case .form(.policy), .form(.subpolicy):
                checkSubpolicy(value, key: option.name, of: type, above, &diagnostics)
            case .list(.form): checkSubpolicies(value, key: option.name, of: type, above, &diagnostics)
            case .object(let nested): checkSubpolicies(in: value, nested, of: option.name, above, &diagnostics)
            case .list(.object(let nested)):
                for element in value.elements {
                    checkSubpolicies(in: element, nested, of: option.name, above, &diagnostics)
                }
            default: break
            }
        }
    }

    private static func place(
        of policy: ConfigValue, above: (place: PolicyPlace, type: String)?, label: String
    ) -> PolicyPlace {
        let name = policy["name"]?.scalar ?? ""
        let shown = name.isEmpty ? label : Wording.quoted(name)
        if let above { return above.place.below(above.type, name: shown, at: policy.location) }
        return PolicyPlace(
            description: name.isEmpty ? label : "policy \(shown)", location: policy.location, depth: 0)
    }

    private static func check(
        _ policy: ConfigValue, _ place: PolicyPlace, _ names: inout [String: SourceLocation], label: String,
        _ diagnostics: inout Diagnostics
    ) {
        guard case .map = policy.content else {
            diagnostics.error(
                "\(label) must be a map with name and type, not \(Wording.kind(of: policy))", at: policy.location)
            return
        }
        checkName(policy, place, &names, label: label, &diagnostics)
        let known = BuiltInPolicies.all.map(\.type)
        guard let typeValue = policy["type"], let type = typeValue.scalar else {
            reportMissingType(policy, place, known, &diagnostics)
            return
        }
        guard let definition = BuiltInPolicies[type] else {
            let hint = Wording.suggestion(for: type, among: known)
            let types = known.joined(separator: ", ")
            diagnostics.error(
                "\(place): unknown type \(Wording.quoted(type))"
                    + (hint.isEmpty ? "; known types: \(types)" : ".\(hint) Known types: \(types)"),
                at: typeValue.location)
            return
        }
        if place.depth > 0, definition.isTopLevelOnly {
            diagnostics.error(
                "\(place): type \(type) cannot be part of another policy; write it in the list of policies itself",
                at: typeValue.location)
            return
        }
        checkKeys(policy, definition, place, typeValue.location, &diagnostics)
    }

    private static func reportMissingType(
        _ policy: ConfigValue, _ place: PolicyPlace, _ known: [String], _ diagnostics: inout Diagnostics
    ) {
        if policy["type"] == nil, let misspelt = misspelling(of: "type", in: policy) {
            diagnostics.error(
                "\(place): unknown key \(Wording.quoted(misspelt.key)). Did you mean \"type\"?",
                at: misspelt.keyLocation)
            return
        }
        let block = policy.entries.map(\.key).first { BuiltInPolicies[$0] != nil }
        let hint = block.map { "; to go with its block write type: \($0)" } ?? ""
        diagnostics.error(
            "\(place) needs a type\(hint.isEmpty ? "; known types: \(known.joined(separator: ", "))" : hint)",
            at: policy["type"]?.location ?? policy.location)
    }

    /// The key that was meant to be `key`, which is missing.
    private static func misspelling(of key: String, in policy: ConfigValue) -> ConfigEntry? {
        policy.entries.first { NearestName.nearest(to: $0.key, among: [key] + policyKeys) == key && $0.key != key }
    }

    private static let policyKeys = PolicyDefinition.commonKeys.map(\.name) + BuiltInPolicies.all.map(\.type)

    private static func checkName(
        _ policy: ConfigValue, _ place: PolicyPlace, _ names: inout [String: SourceLocation], label: String,
        _ diagnostics: inout Diagnostics
    ) {
        let name = policy["name"]?.scalar ?? ""
        let location = policy["name"]?.location ?? policy.location
        if name.isEmpty {
            // A misspelt key is reported as an unknown one.
            if policy["name"] == nil, policy["type"] != nil, misspelling(of: "name", in: policy) != nil { return }
            diagnostics.error("\(label) needs a name", at: location)
        } else if let first = names[name] {
            diagnostics.error("\(place): the name is taken by the policy in line \(first.line)", at: location)
        } else {
            names[name] = location
        }
    }

    private static func checkKeys(
        _ policy: ConfigValue, _ definition: PolicyDefinition, _ place: PolicyPlace, _ typeLocation: SourceLocation,
        _ diagnostics: inout Diagnostics
    ) {
        let inlineKeys = definition.form == .inline && !hasBlock(policy, definition)
        let common = PolicyDefinition.commonKeys.map(\.name)
        var allowed = common
        if definition.form != .bare { allowed.append(definition.type) }
        if inlineKeys { allowed += definition.options.map(\.name) }
        // A block under a wrong name is reported as such, and not as missing too.
        var misspelt: Set<String> = []
        for entry in policy.entries where !allowed.contains(entry.key) {
            misspelt.insert(NearestName.nearest(to: entry.key, among: allowed) ?? definition.type)
            let hint = Wording.suggestion(for: entry.key, among: allowed)
            let reason =
                BuiltInPolicies[entry.key] != nil
                ? "; that block belongs to type \(entry.key), this policy has type \(definition.type)"
                : (hint.isEmpty ? "; known keys: \(allowed.joined(separator: ", "))" : ".\(hint)")
            diagnostics.error("\(place): unknown key \(Wording.quoted(entry.key))\(reason)", at: entry.keyLocation)
        }
        if definition.form == .bare { return }
        var block = policy
        if !inlineKeys {
            guard let value = policy[definition.type], case .map = value.content else {
                if policy[definition.type] == nil && !misspelt.isEmpty { return }
                diagnostics.error(
                    "\(place): type \(definition.type) needs a \"\(definition.type)\" block, for example "
                        + (definition.example ?? ""), at: policy[definition.type]?.location ?? typeLocation)
                return
            }
            block = value
        } else if !misspelt.isEmpty {
            return
        }
        var checker = OptionChecker(subject: place.description)
        let others = inlineKeys ? common : []
        checker.check(block, options: definition.options, at: block.location, ignoring: others)
        diagnostics.append(checker.diagnostics)
        if checker.diagnostics.hasErrors {
            // What the policy says as a whole is unknown; each policy inside it still says something.
            checkSubpolicies(in: block, definition.options, of: definition.type, place, &diagnostics)
        } else {
            definition.check(
                StageSettings(name: place.description, value: block, definition: definition.options), place,
                &diagnostics)
        }
    }

    private static func count(_ policy: ConfigValue, depth: Int) -> Int {
        guard depth <= maximumDepth else { return 0 }
        return subpolicies(of: policy).reduce(1) { $0 + count($1, depth: depth + 1) }
    }

    /// The policies directly inside a policy: where its type declares some.
    static func subpolicies(of policy: ConfigValue) -> [ConfigValue] {
        guard let type = policy["type"]?.scalar, let definition = BuiltInPolicies[type] else { return [] }
        return subpolicies(in: block(of: policy, definition), definition.options)
    }

    private static func subpolicies(in map: ConfigValue, _ options: [StageOption]) -> [ConfigValue] {
        options.flatMap { option -> [ConfigValue] in
            switch option.type {
            case .form(.policy), .form(.subpolicy): [map[option.name]].compactMap { $0 }
            case .list(.form): map[option.name]?.elements ?? []
            case .list(.object(let nested)):
                (map[option.name]?.elements ?? []).flatMap { subpolicies(in: $0, nested) }
            case .object(let nested): map[option.name].map { subpolicies(in: $0, nested) } ?? []
            default: []
            }
        }
    }

    /// Makes the policies of a checked sampler.
    static func make(_ settings: StageSettings) -> [any SamplingPolicy] {
        (settings.value["policies"]?.elements ?? []).compactMap(make)
    }

    /// Makes one checked policy.
    static func make(_ policy: ConfigValue) -> (any SamplingPolicy)? {
        guard let name = policy["name"]?.scalar, let type = policy["type"]?.scalar,
            let definition = BuiltInPolicies[type]
        else { return nil }
        return definition.make(
            name, StageSettings(name: name, value: block(of: policy, definition), definition: definition.options))
    }

    /// The map that has the keys of a policy's type.
    static func block(of policy: ConfigValue, _ definition: PolicyDefinition) -> ConfigValue {
        if definition.form == .inline, !hasBlock(policy, definition) { return policy }
        return policy[definition.type] ?? ConfigValue(.map([]), at: policy.location)
    }

    /// A key of a type may have the type's name (`percentile: 99`): only a map is a block.
    private static func hasBlock(_ policy: ConfigValue, _ definition: PolicyDefinition) -> Bool {
        if case .map? = policy[definition.type]?.content { return true }
        return false
    }
}
