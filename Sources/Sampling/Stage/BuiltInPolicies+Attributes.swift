import Patterns
import Pipeline

/// Policies that look at single spans.
extension BuiltInPolicies {
    private static let key = StageOption("key", .string, required: true, summary: "key of a span or resource attribute")
    private static let invert = StageOption(
        "invert_match", .boolean, default: "false", summary: "keep traces in which no span matches")

    static let numericAttribute = PolicyDefinition(
        type: "numeric_attribute", summary: "Keeps traces in which some span has a number in a range as attribute.",
        options: [
            key,
            StageOption(
                "min_value", .number(-.greatestFiniteMagnitude ... .greatestFiniteMagnitude), summary: "inclusive"),
            StageOption(
                "max_value", .number(-.greatestFiniteMagnitude ... .greatestFiniteMagnitude), summary: "inclusive"),
            invert,
        ],
        example: "numeric_attribute: {key: http.response.status_code, min_value: 500}",
        check: { settings, policy, diagnostics in
            checkKey(settings, policy, &diagnostics)
            guard let lower = settings.number("min_value"), let upper = settings.number("max_value"), upper < lower,
                let place = settings.value["max_value"]
            else { return }
            diagnostics.error(
                "\(policy): max_value \(place.scalar ?? "") is below min_value "
                    + "\(settings.string("min_value") ?? ""): no span can match", at: place.location)
        },
        make: { name, settings in
            let range = NumberRange(
                lower: bound(settings.string("min_value")), upper: bound(settings.string("max_value")))
            return AnySpanPolicy(
                name: name, AttributeCondition(key: settings.string("key") ?? "", .number(range)),
                isInverted: settings.boolean("invert_match") ?? false)
        })

    private static func bound(_ text: String?) -> NumberRange.Bound? {
        guard let text, let number = Double(text) else { return nil }
        return NumberRange.Bound(number: number, whole: Int64(text))
    }

    static let booleanAttribute = PolicyDefinition(
        type: "boolean_attribute", summary: "Keeps traces in which some span has true or false as attribute.",
        options: [key, StageOption("value", .boolean, default: "false", summary: "the value to keep"), invert],
        example: "boolean_attribute: {key: important, value: true}",
        check: { settings, policy, diagnostics in checkKey(settings, policy, &diagnostics) },
        make: { name, settings in
            let wanted = settings.boolean("value") ?? false
            return AnySpanPolicy(
                name: name, AttributeCondition(key: settings.string("key") ?? "", .boolean(wanted)),
                isInverted: settings.boolean("invert_match") ?? false)
        })

    static let stringAttribute = PolicyDefinition(
        type: "string_attribute", summary: "Keeps traces in which some span has one of some texts as attribute.",
        options: [
            key,
            StageOption(
                "values", .list(.string), required: true, summary: "texts, or patterns, any of which may match"),
            StageOption(
                "enabled_regex_matching", .boolean, default: "false",
                summary: "the values are patterns that may match any part of the text"),
            StageOption(
                "cache_max_size", .integer(0...Int64.max), default: "128",
                summary: "results of patterns that are remembered, by value; 0 means 128, at most 1000000"),
            invert,
        ],
        example: "string_attribute: {key: service.name, values: [checkout]}",
        check: checkStrings,
        make: { name, settings in
            AnySpanPolicy(
                name: name, AttributeCondition(key: settings.string("key") ?? "", .string(strings(settings))),
                isInverted: settings.boolean("invert_match") ?? false)
        })

    private static func strings(_ settings: StageSettings) -> StringTest {
        let values = settings.strings("values")
        guard settings.boolean("enabled_regex_matching") == true else { return StringTest(exact: values) }
        let size = Int(clamping: settings.integer("cache_max_size") ?? 0)
        // The patterns were checked; one that fails here matches nothing.
        return (try? StringTest(patterns: values, cacheSize: size > 0 ? min(size, 1_000_000) : 128))
            ?? StringTest(exact: [])
    }

    private static func checkStrings(
        _ settings: StageSettings, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        checkKey(settings, policy, &diagnostics)
        guard let list = settings.value["values"] else { return }
        let values = list.scalar == nil ? list.elements : [list]
        let inverted = settings.boolean("invert_match") == true
        let outcome = inverted ? "every trace matches" : "no trace can match"
        if values.isEmpty { diagnostics.warning("\(policy): values is empty: \(outcome)", at: list.location) }
        if settings.boolean("enabled_regex_matching") == true {
            for value in values { checkPattern(value, policy, &diagnostics) }
            return
        }
        for value in values {
            let text = value.scalar ?? ""
            if text.isEmpty {
                diagnostics.warning("\(policy): an empty value never matches", at: value.location)
            } else if looksLikePattern(text) {
                diagnostics.warning(
                    "\(policy): \(Wording.quoted(text)) looks like a pattern, but is compared as it stands; "
                        + "set enabled_regex_matching: true to use it as one", at: value.location)
            }
        }
    }

    static func checkPattern(_ value: ConfigValue, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics) {
        let text = value.scalar ?? ""
        do {
            _ = try TextMatcher(text)
        } catch {
            let place = value.place(ofOffset: String(text.unicodeScalars.prefix(error.offset)).utf8.count)
            diagnostics.error(
                "\(policy): pattern \(Wording.quoted(text)): \(error.message)\(place.hint)", at: place.location)
        }
    }

    /// Characters that are rare in names and paths, in places where they mean something in a pattern.
    private static func looksLikePattern(_ text: String) -> Bool {
        text.hasPrefix("^") || text.hasSuffix("$") || text.contains(".*") || text.contains(".+")
            || text.contains("\\d") || text.contains("\\w") || text.contains("[a-z") || text.contains("[0-9")
            || text.contains("(?")
    }

    private static func checkKey(_ settings: StageSettings, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics) {
        if let key = settings.value["key"], key.scalar?.isEmpty == true {
            diagnostics.error("\(policy): key is empty", at: key.location)
        }
    }

    static let traceState = PolicyDefinition(
        type: "trace_state", summary: "Keeps traces in which some span's tracestate has one of some values for a key.",
        options: [
            StageOption("key", .string, required: true, summary: "key of a tracestate member"),
            StageOption("values", .list(.string), required: true, summary: "values, compared whole"),
        ],
        example: "trace_state: {key: vendor, values: [debug]}",
        check: { settings, policy, diagnostics in
            checkKey(settings, policy, &diagnostics)
            guard let list = settings.value["values"] else { return }
            if list.scalar == nil, list.elements.isEmpty {
                diagnostics.warning("\(policy): values is empty: no trace can match", at: list.location)
            }
            let key = settings.string("key") ?? ""
            if !TraceStateText.isKey(Array(key.utf8)), !key.isEmpty {
                diagnostics.warning(
                    "\(policy): \(Wording.quoted(key)) is no tracestate key (lower case letters, digits, _ - * / @): "
                        + "no trace can match", at: settings.value["key"]?.location ?? policy.location)
            }
        },
        make: { name, settings in
            AnySpanPolicy(
                name: name,
                TraceStateCondition(key: settings.string("key") ?? "", values: settings.strings("values")))
        })

    static let traceFlags = PolicyDefinition(
        type: "trace_flags", summary: "Keeps traces in which some span has the sampled flag.", options: [],
        example: nil, make: { name, _ in AnySpanPolicy(name: name, SampledFlagCondition()) })

    static let ottlCondition = PolicyDefinition(
        type: "ottl_condition", summary: "Keeps traces in which some span or span event meets an OTTL condition.",
        options: [
            StageOption("span", .list(.string), summary: "conditions on spans, any of which may hold"),
            StageOption("spanevent", .list(.string), summary: "conditions on span events, any of which may hold"),
            StageOption(
                "error_mode", .enumeration(["ignore", "silent", "propagate"]), default: "propagate", isInert: true,
                summary: "accepted; a condition that cannot be evaluated on a span does not hold there"),
        ],
        example: #"ottl_condition: {span: ['attributes["k"] == "v"']}"#,
        check: { settings, policy, diagnostics in
            if settings.strings("span").isEmpty, settings.strings("spanevent").isEmpty {
                diagnostics.error(
                    "\(policy): ottl_condition needs at least one condition under span or spanevent",
                    at: policy.location)
            }
            checkConditions(settings, "span", .span, policy, &diagnostics)
            checkConditions(settings, "spanevent", .event, policy, &diagnostics)
        },
        make: { name, settings in
            AnySpanPolicy(
                name: name,
                OTTLCondition(
                    span: settings.strings("span").compactMap { try? OTTLParser.parse($0, .span) },
                    event: settings.strings("spanevent").compactMap { try? OTTLParser.parse($0, .event) }))
        })
}

extension BuiltInPolicies {
    private static func checkConditions(
        _ settings: StageSettings, _ key: String, _ context: OTTLContext, _ policy: PolicyPlace,
        _ diagnostics: inout Diagnostics
    ) {
        guard let list = settings.value[key] else { return }
        for value in list.scalar == nil ? list.elements : [list] {
            let text = value.scalar ?? ""
            do {
                let condition = try OTTLParser.parse(text, context)
                if case .constant(let holds) = condition {
                    diagnostics.warning(
                        "\(policy): \(key) condition \(Wording.quoted(text)) \(holds ? "always" : "never") holds",
                        at: value.location)
                }
            } catch {
                let place = value.place(ofOffset: error.offset)
                diagnostics.error(
                    "\(policy): \(key) condition: \(error.message)\(place.hint)", at: place.location)
            }
        }
    }
}

/// Probability sampling.
extension BuiltInPolicies {
    static let probabilistic = PolicyDefinition(
        type: "probabilistic", summary: "Keeps a share of all traces, chosen by their id.",
        options: [
            StageOption(
                "sampling_percentage", .number(0...100), required: true, summary: "percent of traces to keep, 0 to 100"),
            StageOption(
                "hash_salt", .string, default: ProbabilisticPolicy.defaultSalt,
                summary: "samplers with different salts choose independently; mode hash only"),
            StageOption(
                "mode", .enumeration(["hash", "w3c", "equalizing", "proportional"]), default: "hash",
                summary: "hash: the traces that the Collector's policy keeps; w3c or equalizing: OpenTelemetry's "
                    + "consistent sampling; proportional: the same, relative to what was sampled before"),
        ],
        example: "probabilistic: {sampling_percentage: 1}",
        check: { settings, policy, diagnostics in
            if settings.number("sampling_percentage") == 0 {
                diagnostics.warning(
                    "\(policy): 0 percent keeps nothing",
                    at: settings.value["sampling_percentage"]?.location ?? policy.location)
            }
            if settings.string("mode") != "hash", let salt = settings.value["hash_salt"] {
                diagnostics.error(
                    "\(policy): hash_salt goes with mode hash; in mode \(settings.string("mode") ?? "") the random bits "
                        + "are the trace's own", at: salt.location)
            }
        },
        make: { name, settings in
            let percentage = settings.number("sampling_percentage") ?? 0
            switch settings.string("mode") {
            case "w3c", "equalizing": return ConsistentPolicy(name: name, percentage: percentage, mode: .equalizing)
            case "proportional": return ConsistentPolicy(name: name, percentage: percentage, mode: .proportional)
            default:
                return ProbabilisticPolicy(
                    name: name, percentage: percentage, salt: settings.string("hash_salt") ?? "")
            }
        })
}
