import Pipeline
import Testing

@testable import Sampling

/// Mistakes in policies beyond those of `PolicyParserTests`: what is wrong, where, and what was meant.
struct PolicyValidationTests {
    private static let composite = """
        policies:
          - name: c
            type: composite
            composite:
              max_total_spans_per_second: 10
              composite_sub_policy: [{ name: slow, type: latency, latency: { threshold_ms: 5 } }, { name: rest, type: always_sample }]
              rate_allocation: [{ policy: slow, percent: 50 }, { policy: rest, percent: 50 }]
              policy_order: [slow, rest]
        """

    struct Mistake: CustomTestStringConvertible, Sendable {
        var name: String
        var lines: String
        var messages: [String]

        init(_ name: String, _ lines: String, _ messages: String...) {
            self.name = name
            self.lines = lines
            self.messages = messages
        }

        var testDescription: String { name }
    }

    static let errors: [Mistake] = [
        Mistake(
            "a misspelt type of a sub-policy",
            "policies: [{ name: pay, type: and, and: { and_sub_policy: [{ name: s, type: latancy }] } }]",
            "p.yaml:7:81: error: policy \"pay\" > and > \"s\": unknown type \"latancy\". Did you mean \"latency\"?"),
        Mistake(
            "a missing block of a sub-policy",
            "policies: [{ name: pay, type: not, not: { not_sub_policy: { name: s, type: latency } } }]",
            "policy \"pay\" > not > \"s\": type latency needs a \"latency\" block, for example"),
        Mistake(
            "a nameless sub-policy",
            "policies: [{ name: pay, type: and, and: { and_sub_policy: [{ type: trace_flags }] } }]",
            "policy \"pay\" > and > and_sub_policy[0] needs a name"),
        Mistake(
            "equal names of sub-policies",
            "policies: [{ name: a, type: and, and: { and_sub_policy: [{ name: s, type: trace_flags }, { name: s, type: upstream }] } }]",
            "policy \"a\" > and > \"s\": the name is taken by the policy in line 7"),
        Mistake(
            "a composite inside an and",
            "policies: [{ name: a, type: and, and: { and_sub_policy: [{ name: c, type: composite }] } }]",
            "type composite cannot be part of another policy; write it in the list of policies itself"),
        Mistake(
            "a misspelt key of a block", "policies: [{ name: a, type: and, and: { and_sub_policies: [] } }]",
            "unknown key \"and_sub_policies\". Did you mean \"and_sub_policy\"?"),
        Mistake(
            "a list where one policy belongs", "policies: [{ name: n, type: not, not: { not_sub_policy: [] } }]",
            "not_sub_policy is one policy, not a list"),
        Mistake(
            "an unknown name in policy_order", composite.replacing("policy_order: [slow", with: "policy_order: [slwo"),
            "p.yaml:14:26: error: policy \"c\": policy_order names \"slwo\", which is no sub-policy. Did you mean \"slow\"?"
        ),
        Mistake(
            "an unknown name in rate_allocation", composite.replacing("{ policy: rest,", with: "{ policy: others,"),
            "rate_allocation names \"others\", which is no sub-policy; they are slow, rest"),
        Mistake(
            "a name twice in rate_allocation", composite.replacing("{ policy: rest,", with: "{ policy: slow,"),
            "rate_allocation names \"slow\" twice"),
        Mistake(
            "percents above 100 in sum", composite.replacing("percent: 50 }]", with: "percent: 60 }]"),
            "the percents of rate_allocation add up to 110, more than 100"),
        Mistake(
            "a percent above 100", composite.replacing("percent: 50 }]", with: "percent: 150 }]"),
            "rate_allocation[1].percent: 150 is out of range; expected 0 to 100"),
        Mistake(
            "a negative rate", "policies: [{ name: r, type: rate_limiting, rate_limiting: { spans_per_second: -1 } }]",
            "-1 is out of range"),
        Mistake(
            "minimum above maximum",
            "policies: [{ name: n, type: numeric_attribute, numeric_attribute: { key: k, min_value: 5, max_value: 1 } }]",
            "policy \"n\": max_value 1 is below min_value 5: no span can match"),
        Mistake(
            "span_count upside down",
            "policies: [{ name: n, type: span_count, span_count: { min_spans: 5, max_spans: 1 } }]",
            "policy \"n\": max_spans 1 is below min_spans 5: no trace can match"),
        Mistake(
            "a bad pattern",
            "policies: [{ name: s, type: string_attribute, string_attribute: { key: k, values: [ok, \"a(b\"], enabled_regex_matching: true } }]",
            "p.yaml:7:94: error: policy \"s\": pattern \"a(b\": missing )"),
        Mistake(
            "a key of another type", "policies: [{ name: r, type: rare, intervall: 5m }]",
            "policy \"r\": unknown key \"intervall\". Did you mean \"interval\"?"),
        Mistake(
            "an interval without unit", "policies: [{ name: r, type: rare, interval: 5 }]",
            "policy \"r\": interval: 5 has no unit; write 5s"),
        Mistake(
            "an interval of nothing", "policies: [{ name: r, type: rare, interval: 0s }]",
            "policy \"r\": interval must be longer than 0"),
        Mistake(
            "an unknown mode",
            "policies: [{ name: p, type: probabilistic, probabilistic: { sampling_percentage: 5, mode: w4c } }]",
            "unknown value \"w4c\". Did you mean \"w3c\"?"),
        Mistake(
            "a salt that cannot count",
            "policies: [{ name: p, type: probabilistic, probabilistic: { sampling_percentage: 5, mode: w3c, hash_salt: x } }]",
            "hash_salt goes with mode hash"),
        Mistake(
            "upstream with everything off",
            "policies: [{ name: u, type: upstream, threshold: false, sampled_flag: false }]", "no trace can match"),
        Mistake(
            "pending traces to be lost",
            "drop_pending_traces_on_shutdown: true\npolicies: [{ name: a, type: always_sample }]",
            "they are read again after the restart; leave the option out"),
        Mistake(
            "decisions on parts of traces",
            "sampling_strategy: span-ingest\npolicies: [{ name: a, type: always_sample }]",
            "span-ingest decides on parts of traces"),
        Mistake(
            "tail_storage beside a window",
            "window: { max: 10s }\ntail_storage: pebble\npolicies: [{ name: a, type: always_sample }]",
            "tail_storage is the Collector's form of window.buffer: disk; write it there"),
        Mistake(
            "an OTTL policy without conditions",
            "policies: [{ name: o, type: ottl_condition, ottl_condition: { error_mode: ignore } }]",
            "needs at least one condition under span or spanevent"),
    ]

    @Test("a mistake is one error, with its place", arguments: errors)
    func error(mistake: Mistake) {
        let (_, diagnostics) = TestPipeline.load(mistake.lines)
        let errors = diagnostics.sorted.filter { $0.severity == .error }.map(\.description)
        #expect(errors.count == 1, "\(errors)")
        for part in mistake.messages { #expect(errors.first?.contains(part) == true, "\(errors) should say: \(part)") }
    }

    static let warnings: [Mistake] = [
        Mistake(
            "a policy behind one that keeps everything",
            "policies: [{ name: all, type: always_sample }, { name: f, type: trace_flags }]",
            "policy \"f\" never decides: policy \"all\" in line 7 keeps every trace before it"),
        Mistake(
            "the same policy twice", "policies: [{ name: f, type: trace_flags }, { name: g, type: trace_flags }]",
            "policy \"g\" never decides: policy \"f\" in line 7 is the same"),
        Mistake(
            "a pattern without the switch",
            "policies: [{ name: s, type: string_attribute, string_attribute: { key: k, values: [\"^/health\"] } }]",
            "\"^/health\" looks like a pattern, but is compared as it stands; set enabled_regex_matching: true"),
        Mistake(
            "no values", "policies: [{ name: s, type: trace_state, trace_state: { key: k, values: [] } }]",
            "values is empty: no trace can match"),
        Mistake(
            "a rate of nothing", "policies: [{ name: r, type: rate_limiting, rate_limiting: { spans_per_second: 0 } }]",
            "a rate of 0 keeps nothing"),
        Mistake(
            "no share", composite.replacing(", { policy: rest, percent: 50 }", with: ""),
            "\"rest\" has no percent in rate_allocation and gets an equal share, 5 spans per second"),
        Mistake(
            "a share below one span", composite.replacing("percent: 50 }]", with: "percent: 3 }]"),
            "3 % of 10 spans per second is less than one span"),
        Mistake(
            "a key that no tracestate has",
            "policies: [{ name: t, type: trace_state, trace_state: { key: K, values: [v] } }]",
            "is no tracestate key"),
    ]

    @Test("what cannot do anything is a warning, and loads", arguments: warnings)
    func warning(mistake: Mistake) {
        let (plan, diagnostics) = TestPipeline.load(mistake.lines)
        let warnings = diagnostics.sorted.map(\.description)
        #expect(plan != nil && !diagnostics.hasErrors && warnings.count == 1, "\(warnings)")
        for part in mistake.messages {
            #expect(warnings.first?.contains(part) == true, "\(warnings) should say: \(part)")
        }
    }

    @Test("a composite as documented is taken without a word")
    func noWarning() {
        #expect(TestPipeline.messages(Self.composite).isEmpty)
    }

    @Test("the Collector's other options are taken")
    func collectorOptions() throws {
        let (settings, _) = try TestPipeline.sampler(
            """
            decision_wait: 10s
            num_traces: 100
            expected_new_traces_per_sec: 10
            block_on_overflow: true
            sample_on_first_match: true
            maximum_trace_size_bytes: 1000000
            drop_pending_traces_on_shutdown: false
            sampling_strategy: trace-complete
            num_shards: 4
            decision_cache: { sampled_cache_size: 100, non_sampled_cache_size: 200 }
            policies: [{ name: all, type: always_sample }]
            """)
        #expect(settings.stopsAtFirstMatch && settings.droppedAboveBytes == 1_000_000 && settings.annotates)
    }

    @Test("more policies than a decision can name are an error, as many as it can are not")
    func tooMany() {
        func lines(_ count: Int) -> String {
            "policies:\n"
                + (0..<count).map { "  - { name: p\($0), type: span_count, span_count: { min_spans: \($0 + 2) } }" }
                .joined(separator: "\n")
        }
        let messages = TestPipeline.messages(lines(65_536))
        #expect(
            messages.count == 1
                && messages[0].contains("65536 policies, sub-policies included; a sampler has at most 65535"))
    }

    @Test("policies nested without end are an error")
    func deep() {
        var policy = "{ name: x, type: trace_flags }"
        for _ in 0..<40 { policy = "{ name: x, type: not, not: { not_sub_policy: \(policy) } }" }
        let messages = TestPipeline.messages("policies: [\(policy)]")
        #expect(messages.contains { $0.contains("policies nest deeper than 16") }, "\(messages)")
    }
}
