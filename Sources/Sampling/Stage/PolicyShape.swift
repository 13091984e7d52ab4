import Pipeline

/// A policy that was checked, with what its settings say about the traces it keeps.
///
/// All statements here are one-sided: "no" only means that the settings do not show it.
struct PolicyShape {
    let name: String
    let type: String
    /// Where the policy stands.
    let location: SourceLocation
    let settings: StageSettings
    let subpolicies: [PolicyShape]

    /// Nil for what is no policy.
    init?(_ policy: ConfigValue) {
        guard let type = policy["type"]?.scalar, let definition = BuiltInPolicies[type] else { return nil }
        self.type = type
        name = policy["name"]?.scalar ?? ""
        location = policy.location
        settings = StageSettings(
            name: name, value: PolicyParser.block(of: policy, definition), definition: definition.options)
        subpolicies = PolicyParser.subpolicies(of: policy).compactMap(PolicyShape.init)
    }

    /// `"slow" (line 12)`.
    var shown: String { "\(Wording.quoted(name)) (line \(location.line))" }

    // MARK: - All or nothing

    /// Whether the policy keeps every trace (drops, for type `drop`).
    var isEverything: Bool {
        switch type {
        case "always_sample": true
        case "probabilistic": settings.number("sampling_percentage") == 100
        case "span_count": settings.integer("min_spans") ?? 0 <= 1 && settings.integer("max_spans") == 0
        case "string_attribute": settings.boolean("invert_match") == true && values.isEmpty
        case "and", "drop": subpolicies.allSatisfy(\.isEverything)
        case "not": subpolicies.first?.nothingReason != nil
        default: false
        }
    }

    /// Why the policy keeps no trace; nil where it may keep some.
    var nothingReason: String? {
        switch type {
        case "string_attribute":
            return values.isEmpty && settings.boolean("invert_match") == false ? "it has no values" : nil
        case "trace_state": return values.isEmpty ? "it has no values" : nil
        case "probabilistic": return settings.number("sampling_percentage") == 0 ? "its percentage is 0" : nil
        case "rate_limiting", "bytes_limiting":
            let rate = settings.integer(type == "rate_limiting" ? "spans_per_second" : "bytes_per_second")
            return rate == 0 && settings.integer("burst_capacity") == 0 ? "its rate is 0" : nil
        case "not":
            guard let inner = subpolicies.first, inner.isEverything else { return nil }
            return "its sub-policy \(inner.shown) matches every trace"
        case "and", "drop": return contradiction
        default: return nil
        }
    }

    /// Why no trace meets all sub-policies.
    private var contradiction: String? {
        for sub in subpolicies {
            if sub.nothingReason != nil { return "its sub-policy \(sub.shown) cannot match" }
        }
        for (index, first) in subpolicies.enumerated() {
            for second in subpolicies[(index + 1)...] where first.excludes(second) || second.excludes(first) {
                return "its sub-policies \(first.shown) and \(second.shown) exclude each other"
            }
        }
        return nil
    }

    private func excludes(_ other: PolicyShape) -> Bool {
        if type == "not", let inner = subpolicies.first { return inner.covers(other) }
        guard type == other.type, let own = traceInterval, let others = other.traceInterval else { return false }
        return own.upper < others.lower || others.upper < own.lower
            // The lower bound of a latency is exclusive.
            || type == "latency" && (own.upper <= others.lower || others.upper <= own.lower)
    }

    // MARK: - One policy and another

    /// Whether every trace that `other` keeps is kept by this one, too.
    func covers(_ other: PolicyShape) -> Bool {
        if isEverything { return true }
        // What remembers something gives other answers to equal questions.
        if type == "and" || type == "drop" {
            if !subpolicies.isEmpty, subpolicies.allSatisfy({ $0.covers(other) }) { return true }
        }
        if other.type == "and" || other.type == "drop" { return other.subpolicies.contains { covers($0) } }
        guard type == other.type, !isCharged, !other.isCharged else { return false }
        switch type {
        case "not":
            guard let own = subpolicies.first, let others = other.subpolicies.first else { return false }
            return others.covers(own)
        case "latency", "span_count": return includes(traceInterval, other.traceInterval)
        case "numeric_attribute":
            guard hasEqual("key", other), hasEqual("invert_match", other) else { return false }
            return settings.boolean("invert_match") == true
                ? includes(other.numbers, numbers) : includes(numbers, other.numbers)
        case "string_attribute":
            guard hasEqual("key", other), hasEqual("invert_match", other),
                hasEqual("enabled_regex_matching", other)
            else { return false }
            return settings.boolean("invert_match") == true
                ? values.isSubset(of: other.values) : other.values.isSubset(of: values)
        case "boolean_attribute": return ["key", "value", "invert_match"].allSatisfy { hasEqual($0, other) }
        case "status_code": return other.texts("status_codes").isSubset(of: texts("status_codes"))
        case "trace_state": return hasEqual("key", other) && other.values.isSubset(of: values)
        case "probabilistic":
            guard hasEqual("mode", other), hasEqual("hash_salt", other),
                let own = settings.number("sampling_percentage"),
                let others = other.settings.number("sampling_percentage")
            else { return false }
            return own >= others
        case "ottl_condition":
            return other.texts("span").isSubset(of: texts("span"))
                && other.texts("spanevent").isSubset(of: texts("spanevent"))
        case "root": return coversRoot(other)
        default: return Self.text(of: settings.value) == Self.text(of: other.settings.value)
        }
    }

    private func coversRoot(_ other: PolicyShape) -> Bool {
        for key in ["service", "operation", "kind", "status_codes"] where settings.isSet(key) {
            guard other.settings.isSet(key), other.texts(key).isSubset(of: texts(key)) else { return false }
        }
        if settings.isSet("operation_pattern"), !hasEqual("operation_pattern", other) { return false }
        if let own = settings.duration("longer_than") {
            guard let others = other.settings.duration("longer_than"), others >= own else { return false }
        }
        let attributes = other.settings.value["attributes"]
        return (settings.value["attributes"]?.entries ?? []).allSatisfy { entry in
            attributes?[entry.key]?.scalar == entry.value.scalar
        }
    }

    /// Whether its answer depends on more than the trace.
    private var isCharged: Bool {
        let types = ["rate_limiting", "bytes_limiting", "composite", "rare", "percentile", "linked"]
        return types.contains(type) || BuiltInPolicies[type]?.isTopLevelOnly == true && type != "drop"
            || subpolicies.contains(where: \.isCharged)
    }

    // MARK: - Settings

    private typealias Interval = (lower: Double, upper: Double)

    /// Of the trace as a whole: its milliseconds or its spans.
    private var traceInterval: Interval? {
        let keys =
            type == "latency" ? ("threshold_ms", "upper_threshold_ms") : ("min_spans", "max_spans")
        guard type == "latency" || type == "span_count" else { return nil }
        let upper = Double(settings.integer(keys.1) ?? 0)
        return (Double(settings.integer(keys.0) ?? 0), upper == 0 ? .infinity : upper)
    }

    private var numbers: Interval {
        (settings.number("min_value") ?? -.infinity, settings.number("max_value") ?? .infinity)
    }

    private func includes(_ outer: Interval?, _ inner: Interval?) -> Bool {
        guard let outer, let inner else { return false }
        return outer.lower <= inner.lower && outer.upper >= inner.upper
    }

    /// Empty texts match nothing.
    private var values: Set<String> { texts("values").subtracting([""]) }

    private func texts(_ key: String) -> Set<String> { Set(settings.strings(key)) }

    private func hasEqual(_ key: String, _ other: PolicyShape) -> Bool {
        settings.string(key) == other.settings.string(key)
    }

    /// The keys of a policy in order, without its name.
    private static func text(of value: ConfigValue, isTop: Bool = true) -> String {
        switch value.content {
        case .null: "~"
        case .scalar(let text, _): "\"\(text)\""
        case .list(let elements): "[" + elements.map { self.text(of: $0, isTop: false) }.joined(separator: ",") + "]"
        case .map(let entries):
            "{"
                + entries.filter { !isTop || $0.key != "name" }.sorted { $0.key < $1.key }
                .map { "\($0.key):\(self.text(of: $0.value, isTop: false))" }.joined(separator: ",") + "}"
        }
    }
}
