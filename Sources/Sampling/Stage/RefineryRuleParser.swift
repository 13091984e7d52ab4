import Pipeline

/// Checks and makes the rules of a policy `rules`.
enum RefineryRuleParser {
    private static let textOperators = ["starts-with", "contains", "does-not-contain", "matches"]
    static let operators =
        RefineryCondition.Comparison.allCases.map(\.rawValue) + textOperators
        + ["exists", "not-exists", "has-root-span", "in", "not-in"]

    /// Refinery's documentation writes operators with and without capitals.
    static func canonical(_ name: String) -> String { name.lowercased() }

    // MARK: - Checks

    static func check(_ settings: StageSettings, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics) {
        let rules = settings.value["Rules"]?.elements ?? []
        if rules.isEmpty {
            diagnostics.warning(
                "\(policy): no rules: every trace is kept", at: settings.value["Rules"]?.location ?? policy.location)
        }
        var last: ConfigValue?
        for (index, rule) in rules.enumerated() {
            let place = "\(policy): Rules[\(index)]" + (rule["Name"]?.scalar.map { " \(Wording.quoted($0))" } ?? "")
            if let last {
                diagnostics.warning(
                    "\(place) never decides: the rule in line \(last.location.line) has no conditions and takes every "
                        + "trace", at: rule.location)
            }
            if rule["Conditions"]?.elements.isEmpty ?? true, last == nil { last = rule }
            checkAction(rule, place, policy, &diagnostics)
            for condition in rule["Conditions"]?.elements ?? [] { check(condition, place, policy, &diagnostics) }
        }
    }

    private static func checkAction(
        _ rule: ConfigValue, _ place: String, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        let isDrop = rule["Drop"]?.scalar.flatMap(Units.boolean) ?? false
        let rate = rule["SampleRate"]?.scalar.flatMap { Double($0) } ?? 0
        guard let sampler = rule["Sampler"] else {
            if !isDrop, rate == 0 {
                diagnostics.warning(
                    "\(place) has no SampleRate above 0, no Sampler and no Drop: it keeps nothing, as in Refinery",
                    at: rule.location)
            }
            return
        }
        if sampler.entries.count != 1 {
            diagnostics.error(
                "\(place): Sampler needs exactly one of "
                    + BuiltInPolicies.downstreamTypes.map(\.0).joined(separator: ", "), at: sampler.location)
        }
        if isDrop || rate > 0 {
            diagnostics.warning(
                "\(place): Sampler decides; \(isDrop ? "Drop" : "SampleRate") is ignored, as in Refinery",
                at: sampler.location)
        }
        if let (definition, block) = BuiltInPolicies.downstream(sampler) {
            definition.check(
                StageSettings(name: place, value: block, definition: definition.options), policy, &diagnostics)
        }
    }

    private static func check(
        _ condition: ConfigValue, _ place: String, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        guard let operatorValue = condition["Operator"], let written = operatorValue.scalar else { return }
        let name = canonical(written)
        guard operators.contains(name) else {
            let meant = ["==": "=", "eq": "=", "<>": "!=", "ne": "!=", "regex": "matches", "=~": "matches"][name]
            let hint =
                meant.map { " Did you mean \(Wording.quoted($0))?" } ?? Wording.suggestion(for: name, among: operators)
            diagnostics.error(
                "\(place): unknown operator \(Wording.quoted(written)).\(hint) Known operators: "
                    + operators.joined(separator: " "), at: operatorValue.location)
            return
        }
        checkFields(condition, name, place, &diagnostics)
        checkValue(condition, name, place, policy, &diagnostics)
    }

    private static func checkFields(
        _ condition: ConfigValue, _ name: String, _ place: String, _ diagnostics: inout Diagnostics
    ) {
        if let field = condition["Field"], condition["Fields"] != nil {
            diagnostics.error("\(place): a condition has either Field or Fields, not both", at: field.location)
        }
        let fields = self.fields(condition)
        if fields.isEmpty, name != "has-root-span" {
            diagnostics.error("\(place): a condition with \(name) needs a Field", at: condition.location)
        }
        for field in fields where field.hasPrefix("?.") && field != RefineryField.descendants {
            diagnostics.error(
                "\(place): unknown virtual field \(Wording.quoted(field)); the only one is \(RefineryField.descendants)",
                at: condition["Field"]?.location ?? condition.location)
        }
    }

    private static func checkValue(
        _ condition: ConfigValue, _ name: String, _ place: String, _ policy: PolicyPlace,
        _ diagnostics: inout Diagnostics
    ) {
        if name == "exists" || name == "not-exists" { return }
        guard let value = condition["Value"] else {
            diagnostics.error("\(place): a condition with \(name) needs a Value", at: condition.location)
            return
        }
        let isList = name == "in" || name == "not-in"
        let elements = isList && value.scalar == nil ? value.elements : [value]
        if isList, elements.isEmpty {
            diagnostics.error("\(place): \(name) needs a list of values", at: value.location)
        }
        for element in elements where element.scalar == nil && element.content != .null {
            diagnostics.error(
                "\(place): expected \(isList ? "a list of plain values" : "one value"), found "
                    + Wording.kind(of: element), at: element.location)
            return
        }
        if name == "has-root-span", value.scalar.flatMap(Units.boolean) == nil {
            diagnostics.error("\(place): has-root-span needs Value true or false", at: value.location)
        }
        if name == "matches" { BuiltInPolicies.checkPattern(value, policy, &diagnostics) }
        let datatype = condition["Datatype"]?.scalar ?? ""
        if isList, datatype == "bool" {
            diagnostics.error("\(place): \(name) cannot be used with Datatype bool", at: value.location)
        }
        guard isList || RefineryCondition.Comparison(rawValue: name) != nil else { return }
        for element in elements {
            let constant = RefineryCondition.Constant(element).value
            if (datatype == "int" && constant.asInt == nil) || (datatype == "float" && constant.asDouble == nil) {
                diagnostics.error(
                    "\(place): Value \(Wording.kind(of: element)) is no \(datatype)", at: element.location)
            }
        }
    }

    private static func fields(_ condition: ConfigValue) -> [String] {
        if let field = condition["Field"]?.scalar { return field.isEmpty ? [] : [field] }
        guard let fields = condition["Fields"] else { return [] }
        return fields.scalar.map { [$0] } ?? fields.elements.compactMap(\.scalar)
    }

    // MARK: - Attributes

    /// The attributes that rules compare, and their samplers make keys of; nil where it may be any.
    static func attributeKeys(_ block: ConfigValue) -> Set<String>? {
        if block["CheckNestedFields"]?.scalar.flatMap(Units.boolean) ?? false { return nil }
        var keys: Set<String> = []
        for rule in block["Rules"]?.elements ?? [] {
            for condition in rule["Conditions"]?.elements ?? [] { keys.formUnion(attributeKeys(fields(condition))) }
            if let (_, sampler) = BuiltInPolicies.downstream(rule["Sampler"]) {
                keys.formUnion(attributeKeys(ofSampler: sampler))
            }
        }
        return keys
    }

    static func attributeKeys(ofSampler block: ConfigValue) -> Set<String> {
        guard let list = block["FieldList"] else { return [] }
        return attributeKeys(list.scalar.map { [$0] } ?? list.elements.compactMap(\.scalar))
    }

    /// `a.b` may also be the entry `b` of a list `a`.
    private static func attributeKeys(_ fields: [String]) -> Set<String> {
        var keys: Set<String> = []
        for field in fields.map({ RefineryField($0) }) where !field.isDescendants {
            keys.insert(field.name)
            for (index, character) in zip(field.name.indices, field.name) where character == "." {
                keys.insert(String(field.name[..<index]))
            }
        }
        return keys
    }

    // MARK: - Making

    /// Makes the policy of checked settings.
    static func make(name: String, _ settings: StageSettings) -> RulesPolicy {
        var rules: [RefineryRule] = []
        var actions: [RuleActionPolicy] = []
        var names: Set<String> = []
        for (index, rule) in (settings.value["Rules"]?.elements ?? []).enumerated() {
            var name = rule["Name"]?.scalar ?? ""
            if name.isEmpty { name = "rule \(index + 1)" }
            // Metrics and state are told apart by name.
            if names.contains(name) { name += " (rule \(index + 1))" }
            names.insert(name)
            rules.append(
                RefineryRule(
                    scope: rule["Scope"]?.scalar == "span" ? .span : .trace,
                    conditions: (rule["Conditions"]?.elements ?? []).compactMap(self.condition)))
            actions.append(RuleActionPolicy(name: name, action(rule)))
        }
        return RulesPolicy(
            name: name, rules: rules, checksNested: settings.boolean("CheckNestedFields") ?? false, actions: actions)
    }

    private static func action(_ rule: ConfigValue) -> RuleActionPolicy.Action {
        if let (definition, block) = BuiltInPolicies.downstream(rule["Sampler"]) {
            let settings = StageSettings(name: definition.type, value: block, definition: definition.options)
            return .sampler(PolicyNode(definition.make(definition.type, settings)))
        }
        if rule["Drop"]?.scalar.flatMap(Units.boolean) ?? false { return .drop }
        return .sample(rate: rule["SampleRate"]?.scalar.flatMap { Double($0) } ?? 0)
    }

    static func condition(_ condition: ConfigValue) -> RefineryCondition? {
        guard let name = condition["Operator"]?.scalar.map(canonical) else { return nil }
        let value = condition["Value"] ?? ConfigValue(.null, at: condition.location)
        guard let test = test(name, value, datatype: condition["Datatype"]?.scalar ?? "") else { return nil }
        return RefineryCondition(fields: fields(condition).map { RefineryField($0) }, test: test)
    }

    private static func test(_ name: String, _ value: ConfigValue, datatype: String) -> RefineryCondition.Test? {
        let constant = RefineryCondition.Constant(value)
        switch name {
        case "exists": return .exists
        case "not-exists": return .notExists
        case "has-root-span": return .hasRootSpan(value.scalar.flatMap(Units.boolean) ?? false)
        case "starts-with": return .startsWith(constant.text)
        case "contains": return .contains(constant.text, isWanted: true)
        case "does-not-contain": return .contains(constant.text, isWanted: false)
        case "matches":
            return (try? StringTest(patterns: [value.scalar ?? ""], cacheSize: 128)).map { .matches($0) }
        case "in", "not-in":
            let constants = (value.scalar == nil ? value.elements : [value]).map { RefineryCondition.Constant($0) }
            let isWanted = name == "in"
            switch datatype {
            case "int": return .inInts(Set(constants.compactMap(\.value.asInt)), isWanted: isWanted)
            case "float": return .inDoubles(Set(constants.compactMap(\.value.asDouble)), isWanted: isWanted)
            default: return .inTexts(Set(constants.map(\.text)), isWanted: isWanted)
            }
        default:
            return RefineryCondition.Comparison(rawValue: name).map { comparison($0, constant, datatype) }
        }
    }

    private static func comparison(
        _ comparison: RefineryCondition.Comparison, _ constant: RefineryCondition.Constant, _ datatype: String
    ) -> RefineryCondition.Test {
        switch datatype {
        case "string": return .compareText(comparison, constant.text)
        case "int": if let number = constant.value.asInt { return .compareInt(comparison, number) }
        case "float": if let number = constant.value.asDouble { return .compareDouble(comparison, number) }
        case "bool" where comparison == .equal || comparison == .notEqual:
            return .compareBool(isEqual: comparison == .equal, constant.value.asBool)
        default: break
        }
        return .compare(comparison, constant)
    }
}

extension RefineryCondition.Constant {
    /// A value as YAML reads it (version 1.2's core schema, with Go's forms of numbers).
    init(_ value: ConfigValue) {
        guard case .scalar(let text, let isQuoted) = value.content else {
            self = .null
            return
        }
        if isQuoted {
            self = .text(Array(text.utf8))
        } else {
            self = Self.plain(text)
        }
    }

    private static func plain(_ text: String) -> Self {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        case ".nan", ".NaN", ".NAN": return .double(.nan)
        case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .double(.infinity)
        case "-.inf", "-.Inf", "-.INF": return .double(-.infinity)
        default: break
        }
        let digits = text.filter { $0 != "_" }
        if let number = Int64(digits) {
            // A leading zero means octal there, too.
            let isOctal = digits.count > 1 && digits.hasPrefix("0")
            if !isOctal { return .int(number) }
            return Int64(digits, radix: 8).map { .int($0) } ?? .double(Double(number))
        }
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.lowercased().hasPrefix(prefix) {
            if let number = Int64(digits.dropFirst(2), radix: radix) { return .int(number) }
        }
        let isNumber = digits.allSatisfy { $0.isNumber || "+-.eE".contains($0) } && digits.contains { $0.isNumber }
        if isNumber, let number = Double(digits) { return .double(number) }
        return .text(Array(text.utf8))
    }

    /// The same as a span's value, for conversions.
    var value: RefineryValue {
        switch self {
        case .null: .missing
        case .text(let text): .ownedText(text)
        case .int(let number): .int(number)
        case .double(let number): .double(number)
        case .bool(let flag): .bool(flag)
        }
    }

    var text: [UInt8] { value.withText { Array($0) } }
}
