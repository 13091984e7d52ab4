internal import Pipeline

/// Makes policies of Refinery's samplers, and notes what their reader should know.
struct RefineryTranslator {
    static let rulesSampler = "RulesBasedSampler"
    static let samplerTypes = [
        "DeterministicSampler": "deterministic", "DynamicSampler": "dynamic", "EMADynamicSampler": "ema_dynamic",
        "EMAThroughputSampler": "ema_throughput", "WindowedThroughputSampler": "windowed_throughput",
        "TotalThroughputSampler": "total_throughput",
    ]

    let options: ImportOptions
    private(set) var notes: [ImportNote] = []
    /// Lines for the top of the file.
    private(set) var header: [String] = []
    private var checksNested: Set<Bool> = []

    init(options: ImportOptions) { self.options = options }

    mutating func note(_ kind: ImportNote.Kind, _ subject: String, _ message: String, at location: SourceLocation) {
        notes.append(ImportNote(kind, subject, message, at: location))
    }

    // MARK: - Targets

    /// One policy for all of `Samplers`; nil where none of them can be used.
    mutating func policy(_ samplers: ConfigValue) -> DraftElement? {
        let targets = samplers.entries.filter { $0.key != RefineryRulesImport.defaultTarget }
        let standard = samplers.entries.first { $0.key == RefineryRulesImport.defaultTarget }
        if targets.isEmpty, let standard { return alone(standard) }
        var rules: [DraftElement] = []
        for target in targets { rules += self.rules(of: target, isDefault: false) }
        explainTargets(targets, samplers)
        if let standard {
            let own = self.rules(of: standard, isDefault: true)
            rules += own
        } else {
            note(
                .changed, "Samplers",
                "there is no __default__: traces of other targets are kept, as a sampler without a "
                    + "matching rule does", at: samplers.location)
        }
        if rules.isEmpty { return nil }
        return DraftElement(.map(rulesEntries(rules)))
    }

    /// The only sampler of the file, as a policy of its own.
    private mutating func alone(_ target: ConfigEntry) -> DraftElement? {
        guard let (type, block) = sampler(target) else { return nil }
        if type == Self.rulesSampler {
            let rules = ruleList(block, target.key).enumerated().compactMap { rule($1, index: $0, target: nil) }
            noteNested(block)
            return DraftElement(.map(rulesEntries(rules)))
        }
        let (entries, comments) = samplerEntries(type, block, subject: target.key)
        return DraftElement(
            .map(
                [DraftEntry("name", .text("refinery")), DraftEntry("type", .text(Self.samplerTypes[type] ?? ""))]
                    + entries), comments: comments)
    }

    private func rulesEntries(_ rules: [DraftElement]) -> [DraftEntry] {
        [DraftEntry("name", .text("refinery")), DraftEntry("type", .text("rules"))]
            + (checksNested.contains(true) ? [DraftEntry("CheckNestedFields", .text("true"))] : [])
            + [DraftEntry("Rules", .list(rules))]
    }

    private mutating func explainTargets(_ targets: [ConfigEntry], _ samplers: ConfigValue) {
        let kind = options.refineryTargets
        header += [
            "",
            "Refinery chooses a sampler by the \(kind.rawValue) of the API key that spans come with. Spans in Kafka have no "
                + "API key: each rule below first compares \(kind.attribute) of the root span, or of any span where the "
                + "root has none, with the \(kind.rawValue)'s name. Check that your spans have this attribute with these "
                + "values: " + targets.map(\.key).joined(separator: ", ") + ".",
            kind == .environment
                ? "If the keys of Samplers are datasets of Honeycomb Classic, import with --refinery-targets dataset: then "
                    + "service.name is compared."
                : "If the keys of Samplers are environments, import with --refinery-targets environment.",
            "Every trace of a target that is listed ends at that target's last rule, as in Refinery; __default__ is for the "
                + "others.",
        ]
        note(
            .changed, "Samplers",
            "samplers are chosen by \(kind.attribute), not by API key: check that spans have it with the values "
                + targets.map { Wording.quoted($0.key) }.joined(separator: ", "), at: samplers.location)
    }

    /// The sampler of a target.
    private mutating func sampler(_ target: ConfigEntry) -> (type: String, block: ConfigValue)? {
        let known = target.value.entries.filter { $0.key == Self.rulesSampler || Self.samplerTypes[$0.key] != nil }
        for entry in target.value.entries where !known.contains(entry) {
            let hint = Wording.suggestion(for: entry.key, among: Array(Self.samplerTypes.keys) + [Self.rulesSampler])
            note(.attention, target.key, "unknown sampler \(Wording.quoted(entry.key)).\(hint)", at: entry.keyLocation)
        }
        guard let first = known.first else {
            note(.attention, target.key, "has no sampler: its traces are kept", at: target.keyLocation)
            return nil
        }
        for other in known.dropFirst() {
            note(
                .attention, target.key, "has several samplers; \(first.key) is taken, \(other.key) left out",
                at: other.keyLocation)
        }
        return (first.key, first.value)
    }

    /// A target's sampler as rules of one list.
    private mutating func rules(of target: ConfigEntry, isDefault: Bool) -> [DraftElement] {
        let condition = isDefault ? nil : targetCondition(target.key)
        let keepAll = DraftElement(
            .map(
                [DraftEntry("Name", .text("\(target.key): no rule matched")), DraftEntry("SampleRate", .text("1"))]
                    + conditionEntries(condition)))
        guard let (type, block) = sampler(target) else { return isDefault ? [] : [keepAll] }
        if type == Self.rulesSampler {
            noteNested(block)
            let elements = ruleList(block, target.key)
            var rules = elements.enumerated().compactMap { rule($1, index: $0, target: (target.key, condition)) }
            let endsWithAll = elements.contains { Self.isForAll($0) }
            if !endsWithAll, !isDefault { rules.append(keepAll) }
            if let first = rules.first {
                rules[0].comments = ["Samplers.\(target.key)"] + first.comments
            }
            return rules
        }
        let (entries, comments) = samplerEntries(type, block, subject: target.key)
        return [
            DraftElement(
                .map(
                    [DraftEntry("Name", .text(target.key))] + conditionEntries(condition)
                        + [DraftEntry("Sampler", .map([DraftEntry(type, .map(entries))]))]),
                comments: ["Samplers.\(target.key)"] + comments)
        ]
    }

    private func targetCondition(_ name: String) -> DraftElement {
        DraftElement(
            .map([
                DraftEntry("Fields", .texts(options.refineryTargets.fields)),
                DraftEntry("Operator", .scalar("=", isQuoted: true)),
                DraftEntry("Value", .scalar(name, isQuoted: true)),
            ]))
    }

    private func conditionEntries(_ condition: DraftElement?) -> [DraftEntry] {
        condition.map { [DraftEntry("Conditions", .list([$0]))] } ?? []
    }

    private mutating func noteNested(_ block: ConfigValue) {
        let value = block["CheckNestedFields"]
        let isOn = value?.scalar.flatMap(Units.boolean) ?? false
        let isFirst = checksNested.isEmpty
        checksNested.insert(isOn)
        if !isFirst, checksNested.count == 2 {
            note(
                .changed, "CheckNestedFields",
                "is set for some samplers only; here it is one policy, so it is on for all",
                at: value?.location ?? block.location)
        }
        for entry in block.entries where !["Rules", "CheckNestedFields"].contains(entry.key) {
            note(
                .attention, "\(Self.rulesSampler).\(entry.key)", "unknown key, not carried over", at: entry.keyLocation)
        }
    }

    // MARK: - Rules

    /// The rules of a `RulesBasedSampler`; a note where they are no list.
    private mutating func ruleList(_ block: ConfigValue, _ target: String) -> [ConfigValue] {
        guard let rules = block["Rules"], rules.content != .null else { return [] }
        guard case .list(let elements) = rules.content else {
            note(.attention, target, "Rules is no list: no rule of it is carried over", at: rules.location)
            return []
        }
        return elements
    }

    /// Whether every trace meets a rule.
    private static func isForAll(_ rule: ConfigValue) -> Bool {
        guard case .map = rule.content else { return false }
        guard let conditions = rule["Conditions"], conditions.content != .null else { return true }
        guard case .list(let elements) = conditions.content else { return false }
        return elements.isEmpty
    }

    /// Whether a rule has the form of one. With the forms below Refinery does not start; a part of such a rule would catch
    /// other traces than its writer had in mind.
    private mutating func isWellFormed(_ rule: ConfigValue, _ subject: String) -> Bool {
        var problem: (String, SourceLocation)?
        if case .map = rule.content {
            if let conditions = rule["Conditions"], conditions.content != .null {
                if case .list = conditions.content {
                } else {
                    problem = ("Conditions is no list", conditions.location)
                }
            }
            if let scope = rule["Scope"], !["trace", "span", ""].contains(scope.scalar ?? "?") {
                problem = ("Scope is trace or span, not \(Wording.kind(of: scope))", scope.location)
            }
            if let rate = rule["SampleRate"], rate.content != .null, Self.rate(rate) == nil {
                problem = ("SampleRate \(Wording.kind(of: rate)) is no number", rate.location)
            }
            if let drop = rule["Drop"], drop.content != .null, drop.scalar.flatMap(Units.boolean) == nil {
                problem = ("Drop is true or false, not \(Wording.kind(of: drop))", drop.location)
            }
        } else {
            problem = ("a rule is a map of Name, Conditions and so on, not \(Wording.kind(of: rule))", rule.location)
        }
        guard let (message, location) = problem else { return true }
        note(.attention, subject, message + ": the whole rule is left out", at: location)
        return false
    }

    private mutating func rule(
        _ rule: ConfigValue, index: Int, target: (name: String, condition: DraftElement?)?
    ) -> DraftElement? {
        let name = rule["Name"]?.scalar ?? ""
        let subject = Wording.quoted(name.isEmpty ? "rule \(index + 1)" : name)
        guard isWellFormed(rule, subject) else { return nil }
        var comments: [String] = []
        let isSpan = rule["Scope"]?.scalar == "span"
        var conditions: [DraftElement] = target?.condition.map { [$0] } ?? []
        for condition in rule["Conditions"]?.elements ?? [] {
            guard let translated = self.condition(condition, subject: subject, isSpan: isSpan, &comments) else {
                note(
                    .attention, subject,
                    "the whole rule is left out, since one of its conditions cannot be carried over",
                    at: rule.location)
                return nil
            }
            conditions.append(translated)
        }
        let shown = target.map { name.isEmpty ? "\($0.name): rule \(index + 1)" : "\($0.name): \(name)" } ?? name
        var entries: [DraftEntry] = shown.isEmpty ? [] : [DraftEntry("Name", .text(shown))]
        if isSpan { entries.append(DraftEntry("Scope", .text("span"))) }
        if let sampler = rule["Sampler"], let (type, block) = downstream(sampler, subject: subject) {
            let (samplerEntries, samplerComments) = samplerEntries(type, block, subject: subject)
            comments += samplerComments
            if !conditions.isEmpty { entries.append(DraftEntry("Conditions", .list(conditions))) }
            entries.append(DraftEntry("Sampler", .map([DraftEntry(type, .map(samplerEntries))])))
            if rule["SampleRate"] != nil || rule["Drop"] != nil {
                note(
                    .info, subject,
                    "its Sampler decides; SampleRate and Drop are left out, since Refinery ignores them",
                    at: rule.location)
            }
        } else {
            entries += action(rule, subject: subject)
            if !conditions.isEmpty { entries.append(DraftEntry("Conditions", .list(conditions))) }
        }
        let known = ["Name", "Scope", "SampleRate", "Drop", "Sampler", "Conditions"]
        for entry in rule.entries where !known.contains(entry.key) {
            note(.attention, subject, "unknown key \(entry.key), not carried over", at: entry.keyLocation)
        }
        return DraftElement(.map(entries), comments: comments)
    }

    private mutating func action(_ rule: ConfigValue, subject: String) -> [DraftEntry] {
        if rule["Drop"]?.scalar.flatMap(Units.boolean) ?? false { return [DraftEntry("Drop", .text("true"))] }
        guard let value = rule["SampleRate"], let rate = Self.rate(value), rate > 0 else {
            note(
                .changed, subject,
                "has no SampleRate: it keeps nothing. So does Refinery; write SampleRate: 1 to keep "
                    + "everything", at: rule.location)
            return [DraftEntry("SampleRate", .text("0"))]
        }
        return [DraftEntry("SampleRate", .text(value.scalar?.filter { $0 != "_" } ?? ""))]
    }

    /// A number as YAML has it in Go, with `_` between digits.
    private static func rate(_ value: ConfigValue) -> Double? {
        value.scalar.flatMap { Double($0.filter { $0 != "_" }) }.flatMap { $0.isFinite ? $0 : nil }
    }

    private mutating func downstream(
        _ sampler: ConfigValue, subject: String
    ) -> (type: String, block: ConfigValue)? {
        for entry in sampler.entries where Self.samplerTypes[entry.key] != nil { return (entry.key, entry.value) }
        note(
            .attention, subject,
            "its Sampler is none that Refinery knows (\(sampler.entries.map(\.key).joined(separator: ", "))): the rule's "
                + "SampleRate is taken", at: sampler.location)
        return nil
    }
}
