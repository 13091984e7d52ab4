import Pipeline
import Testing

@testable import Sampling

/// Policies that load but can never do anything: warnings that name both policies and their lines.
struct PolicyOverlapTests {
    /// Policies in lines 8 and after, one a line.
    private static func warnings(_ policies: [String], before: String = "") -> [String] {
        let lines = (["policies:"] + policies.map { "  - { \($0) }" }).joined(separator: "\n")
        let (plan, diagnostics) = TestPipeline.load(lines + (before.isEmpty ? "" : "\n" + before))
        #expect(plan != nil, "\(diagnostics.sorted)")
        return diagnostics.sorted.map(\.description)
    }

    private static func latency(_ name: String, _ lower: Int, _ upper: Int = 0) -> String {
        "name: \(name), type: latency, latency: { threshold_ms: \(lower), upper_threshold_ms: \(upper) }"
    }

    private static func strings(_ name: String, _ values: String, more: String = "") -> String {
        "name: \(name), type: string_attribute, string_attribute: { key: k, values: [\(values)]\(more) }"
    }

    private static func numbers(_ name: String, _ range: String) -> String {
        "name: \(name), type: numeric_attribute, numeric_attribute: { key: k, \(range) }"
    }

    private static func percent(_ name: String, _ percentage: Int, more: String = "") -> String {
        "name: \(name), type: probabilistic, probabilistic: { sampling_percentage: \(percentage)\(more) }"
    }

    private static func query(_ name: String, _ query: String) -> String {
        "name: \(name), type: traceql, query: '\(query)'"
    }

    private static func group(_ name: String, _ type: String, _ subs: String...) -> String {
        let list = subs.map { "{ \($0) }" }.joined(separator: ", ")
        let value = type == "not" ? list : "[\(list)]"
        return "name: \(name), type: \(type), \(type): { \(type)_sub_policy: \(value) }"
    }

    static let covered: [(String, String)] = [
        (latency("a", 100), latency("b", 500)), (latency("a", 100, 900), latency("b", 200, 900)),
        (numbers("a", "min_value: 400"), numbers("b", "min_value: 500, max_value: 599")),
        (
            numbers("a", "min_value: 5, max_value: 6, invert_match: true"),
            numbers("b", "min_value: 1, invert_match: true")
        ),
        (strings("a", "x, y"), strings("b", "y")),
        (strings("a", "x", more: ", invert_match: true"), strings("b", "x, y", more: ", invert_match: true")),
        (percent("a", 50), percent("b", 10)),
        (percent("a", 50, more: ", mode: w3c"), percent("b", 10, more: ", mode: w3c")),
        (
            "name: a, type: status_code, status_code: { status_codes: [ERROR, OK] }",
            "name: b, type: status_code, status_code: { status_codes: [ERROR] }"
        ),
        (
            "name: a, type: span_count, span_count: { min_spans: 5 }",
            "name: b, type: span_count, span_count: { min_spans: 9, max_spans: 20 }"
        ),
        (
            "name: a, type: root, service: [x, y]",
            "name: b, type: root, service: [x], longer_than: 1s, attributes: { k: v }"
        ),
        (
            "name: a, type: root, longer_than: 1s, attributes: { k: v }",
            "name: b, type: root, longer_than: 2s, attributes: { k: v, l: w }"
        ),
        (
            "name: a, type: trace_state, trace_state: { key: k, values: [v, w] }",
            "name: b, type: trace_state, trace_state: { key: k, values: [w] }"
        ),
        (
            #"name: a, type: ottl_condition, ottl_condition: { span: ['name == "x"', 'name == "y"'] }"#,
            #"name: b, type: ottl_condition, ottl_condition: { span: ['name == "x"'] }"#
        ),
        (latency("a", 100), group("b", "and", latency("l", 200), strings("s", "x"))),
        (
            latency("a", 100),
            group("b", "and", latency("l", 200), "name: r, type: rate_limiting, rate_limiting: { spans_per_second: 5 }")
        ),
        (
            group("a", "and", latency("l", 100), strings("s", "x, y")),
            group("b", "and", strings("s", "x"), latency("l", 100), "name: f, type: trace_flags")
        ),
        (group("a", "not", latency("l", 500)), group("b", "not", latency("l", 100))),
    ]

    @Test("a policy that an earlier one covers never decides", arguments: covered)
    func covers(first: String, second: String) {
        #expect(
            Self.warnings([first, second]) == [
                "p.yaml:9:9: warning: policy \"b\" never decides: policy \"a\" in line 8 keeps every trace that it keeps"
            ])
        // The other way round both can decide.
        #expect(Self.warnings([second, first]).isEmpty)
    }

    static let different: [(String, String)] = [
        (latency("a", 100, 500), latency("b", 200)), (strings("a", "x"), strings("b", "x, y")),
        (strings("a", "x"), strings("b", "x", more: ", invert_match: true")),
        (strings("a", "x"), strings("b", "x").replacing("key: k", with: "key: l")),
        (strings("a", "x"), strings("b", "x", more: ", enabled_regex_matching: true")),
        (percent("a", 50), percent("b", 10, more: ", hash_salt: other")),
        (percent("a", 50), percent("b", 10, more: ", mode: w3c")),
        (numbers("a", "min_value: 1, max_value: 5"), numbers("b", "min_value: 2, max_value: 6")),
        ("name: a, type: root, service: [x]", "name: b, type: root, operation: [x]"),
        ("name: a, type: root, service: [x], longer_than: 2s", "name: b, type: root, service: [x], longer_than: 1s"),
        (
            "name: a, type: rate_limiting, rate_limiting: { spans_per_second: 5 }",
            "name: b, type: rate_limiting, rate_limiting: { spans_per_second: 5 }"
        ),
        (
            group(
                "a", "and", latency("l", 100), "name: r, type: rate_limiting, rate_limiting: { spans_per_second: 5 }"),
            latency("b", 200)
        ),
        (query("a", "{ .x = 1 }"), query("b", "{ .x = 2 }")),
        (group("a", "and", latency("l", 100), strings("s", "x")), latency("b", 200)),
    ]

    @Test("policies that can both decide are not warned of", arguments: different)
    func noWarning(first: String, second: String) { #expect(Self.warnings([first, second]).isEmpty) }

    @Test("a policy all of whose traces a drop policy drops never decides, wherever the drop stands")
    func dropped() {
        let drop = Self.group("d", "drop", Self.strings("s", "x, y"))
        for policies in [[drop, Self.strings("b", "x")], [Self.strings("b", "x"), drop]] {
            let line = policies[0] == drop ? (8, 9) : (9, 8)
            #expect(
                Self.warnings(policies) == [
                    "p.yaml:\(line.1):9: warning: policy \"b\" never decides: policy \"d\" in line \(line.0) drops every trace "
                        + "that it keeps"
                ])
        }
        #expect(Self.warnings([drop, Self.strings("b", "x, z")]).isEmpty)
        #expect(
            Self.warnings([drop, Self.group("e", "drop", Self.strings("s", "x"))]).first?.contains(
                "policy \"e\" never decides: policy \"d\" in line 8 drops every trace that it drops") == true)
    }

    static let impossible: [(String, String)] = [
        (
            group("a", "and", latency("l", 100), latency("m", 0, 50)),
            #""l" (line 8) and "m" (line 8) exclude each other"#
        ),
        (
            group("a", "and", latency("l", 100), latency("m", 0, 100)),
            #""l" (line 8) and "m" (line 8) exclude each other"#
        ),
        (
            group("a", "and", strings("s", "x"), group("n", "not", strings("t", "x, y"))),
            #""s" (line 8) and "n" (line 8) exclude each other"#
        ),
        (
            group(
                "a", "drop", "name: s, type: span_count, span_count: { min_spans: 9 }",
                "name: t, type: span_count, span_count: { max_spans: 8 }"),
            #""s" (line 8) and "t" (line 8) exclude each other"#
        ),
        (group("a", "not", "name: s, type: always_sample"), #"its sub-policy "s" (line 8) matches every trace"#),
    ]

    @Test("sub-policies that exclude each other are warned of, with both lines", arguments: impossible)
    func contradiction(policy: String, reason: String) {
        let warnings = Self.warnings([policy])
        #expect(warnings.count == 1, "\(warnings)")
        let text = "p.yaml:8:9: warning: policy \"a\" can never match: "
        #expect(warnings.first?.hasPrefix(text) == true && warnings.first?.contains(reason) == true, "\(warnings)")
    }

    @Test("what excludes nothing is not warned of")
    func possible() {
        #expect(Self.warnings([Self.group("a", "and", Self.latency("l", 100), Self.latency("m", 0, 101))]).isEmpty)
        // Different spans may match.
        #expect(
            Self.warnings([
                Self.group("a", "and", Self.numbers("n", "max_value: 1"), Self.numbers("o", "min_value: 5"))
            ]).isEmpty)
    }

    @Test("a contradiction deep inside is named with its path")
    func nested() {
        let inner = Self.group("in", "and", Self.latency("l", 100), Self.latency("m", 0, 50))
        let warnings = Self.warnings([Self.group("a", "and", inner, "name: f, type: trace_flags")])
        #expect(
            warnings.count == 1 && warnings[0].contains("its sub-policy \"in\" (line 8) cannot match"), "\(warnings)")
    }

    @Test("a rate that a bucket of this size cannot reach is warned of")
    func burst() {
        let policy = "name: r, type: rate_limiting, rate_limiting: { spans_per_second: 100, burst_capacity: 10 }"
        let warnings = Self.warnings([policy])
        #expect(
            warnings.count == 1
                && warnings[0].contains(
                    "policy \"r\": 100 spans per second cannot be reached: traces are decided once per window.tick (1000ms)"
                ),
            "\(warnings)")
        #expect(Self.warnings([policy], before: "window: { tick: 100ms }").isEmpty)
    }

    @Test("a policy beside a budget is warned of: what it keeps is on top of the rate")
    func besideBudget() {
        #expect(
            Self.warnings(["name: a, type: trace_flags", "name: b, type: budget, rate: 100 spans/s"]) == [
                "p.yaml:9:9: warning: policy \"b\": what \"a\" (line 8) keeps comes on top of the rate; to count it in, make "
                    + "it a rule of the budget with action: keep"
            ])
        // What is dropped is not kept.
        let drop = Self.group("d", "drop", "name: f, type: trace_flags")
        #expect(Self.warnings([drop, "name: b, type: budget, rate: 100 spans/s"]).isEmpty)
    }

    @Test("mistakes in a policy do not hide those of the policies inside it")
    func mistakesInside() {
        let messages = TestPipeline.messages(
            "policies:\n  - { name: b, type: budget, rate: 5, rules: [{ name: r, when: [{ name: z, type: lattency }] }] }\n"
                + "  - { name: a, type: and, and: { and_sub_policy: [{ name: y, type: lattency }], nd: 1 } }")
        #expect(messages.count == 4, "\(messages)")
        #expect(messages.count { $0.contains("Did you mean \"latency\"?") } == 2, "\(messages)")
    }

    @Test("mistakes are not followed by warnings about the same policy")
    func mistakesFirst() {
        let messages = TestPipeline.messages(
            "policies:\n  - { \(Self.percent("a", 1000)) }\n  - { \(Self.latency("b", 5)) }")
        #expect(messages.count == 1 && messages[0].contains("1000 is out of range"), "\(messages)")
    }

    @Test("a misspelt name or type of a policy is said once, at the key")
    func misspeltKeys() {
        #expect(
            TestPipeline.messages("policies:\n  - { name: a, typ: trace_flags }") == [
                "p.yaml:8:20: error: policy \"a\": unknown key \"typ\". Did you mean \"type\"?"
            ])
        #expect(
            TestPipeline.messages("policies:\n  - { nmae: a, type: trace_flags }") == [
                "p.yaml:8:11: error: policies[0]: unknown key \"nmae\". Did you mean \"name\"?"
            ])
        #expect(
            TestPipeline.messages("policies:\n  - { name: a, latency: { threshold_ms: 5 } }") == [
                "p.yaml:8:9: error: policy \"a\" needs a type; to go with its block write type: latency"
            ])
    }

    @Test("the Collector's latency with only an upper threshold is taken")
    func upperThresholdOnly() {
        #expect(Self.warnings(["name: a, type: latency, latency: { upper_threshold_ms: 500 }"]).isEmpty)
    }

    @Test("places in quoted texts are exact, escapes or not")
    func placesInQuotes() {
        let expected = "p.yaml:8:88: error: policy \"o\": span condition: unexpected \"=\"; compare with =="
        let start = "policies:\n  - { name: o, type: ottl_condition, ottl_condition: { span: ["
        #expect(TestPipeline.messages(start + #""attributes[\"a\"]   = 1""# + "] } }").first == expected)
        #expect(TestPipeline.messages(start + #"'attributes["a"]     = 1'"# + "] } }").first == expected)
        #expect(TestPipeline.messages(start + #"'name == "it''s" and = 1'"# + "] } }").first?.contains(":8:") == true)
    }
}
