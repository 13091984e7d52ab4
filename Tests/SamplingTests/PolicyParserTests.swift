import Pipeline
import Testing

@testable import Sampling

/// The mistakes that the Collector lets through (spec/otel-tail-sampling.md): all are found, each with its place.
struct PolicyParserTests {
    struct Mistake: CustomTestStringConvertible, Sendable {
        var name: String
        var lines: String
        /// What the only message contains, or the messages in their order.
        var messages: [String]

        var testDescription: String { name }
    }

    private static let knownTypes =
        "known types: always_sample, latency, numeric_attribute, probabilistic, status_code,"

    static let mistakes: [Mistake] = [
        Mistake(
            name: "a misspelt type",
            lines: "policies:\n  - { name: slow, type: latancy, latency: { threshold_ms: 5 } }",
            messages: [
                "p.yaml:8:29: error: ", "policy \"slow\": unknown type \"latancy\"",
                "Did you mean \"latency\"? Known types: always",
            ]),
        Mistake(
            name: "a type of later versions", lines: "policies:\n  - { name: t, type: xyz }",
            messages: ["policy \"t\": unknown type \"xyz\"; \(knownTypes)"]),
        Mistake(
            name: "no type", lines: "policies:\n  - { name: t }",
            messages: ["p.yaml:8:9: error: ", "policy \"t\" needs a type; \(knownTypes)"]),
        Mistake(
            name: "a missing block", lines: "policies:\n  - { name: p, type: latency }",
            messages: [
                "policy \"p\": type latency needs a \"latency\" block, for example latency: {threshold_ms: 5000}"
            ]),
        Mistake(
            name: "an empty block", lines: "policies:\n  - { name: p, type: status_code, status_code: }",
            messages: ["policy \"p\": type status_code needs a \"status_code\" block"]),
        Mistake(
            name: "a misspelt block", lines: "policies:\n  - { name: p, type: latency, latencyy: { threshold_ms: 5 } }",
            messages: ["p.yaml:8:35: error: ", "unknown key \"latencyy\"", "Did you mean \"latency\"?"]),
        Mistake(
            name: "the block of another type",
            lines: "policies:\n  - { name: p, type: latency, probabilistic: { sampling_percentage: 5 } }",
            messages: ["that block belongs to type probabilistic, this policy has type latency"]),
        Mistake(
            name: "a misspelt field", lines: "policies:\n  - { name: p, type: latency, latency: { treshold_ms: 5 } }",
            messages: ["p.yaml:8:46: error: ", "unknown key \"treshold_ms\"", "Did you mean \"threshold_ms\"?"]),
        Mistake(name: "no policies", lines: "window: { max: 30s }", messages: ["policies"]),
        Mistake(
            name: "an empty list", lines: "policies: []",
            messages: ["every trace would be dropped", "{ name: everything, type: always_sample }"]),
        Mistake(
            name: "a map for a list", lines: "policies: { name: p, type: always_sample }",
            messages: ["policies must be a list"]),
        Mistake(name: "a text for a policy", lines: "policies: [everything]", messages: ["policies[0] must be a map"]),
        Mistake(
            name: "a negative percentage",
            lines: "policies:\n  - { name: p, type: probabilistic, probabilistic: { sampling_percentage: -5 } }",
            messages: ["sampling_percentage", "-5 is out of range; expected 0 to 100"]),
        Mistake(
            name: "a percentage above 100",
            lines: "policies:\n  - { name: p, type: probabilistic, probabilistic: { sampling_percentage: 1000 } }",
            messages: ["1000 is out of range; expected 0 to 100"]),
        Mistake(
            name: "a percentage that is no number",
            lines: "policies:\n  - { name: p, type: probabilistic, probabilistic: { sampling_percentage: nan } }",
            messages: ["sampling_percentage"]),
        Mistake(
            name: "a negative threshold",
            lines: "policies:\n  - { name: p, type: latency, latency: { threshold_ms: -1 } }",
            messages: ["-1 is out of range"]),
        Mistake(
            name: "an upper threshold below the lower",
            lines: "policies:\n  - { name: p, type: latency, latency: { threshold_ms: 500, upper_threshold_ms: 100 } }",
            messages: ["policy \"p\": upper_threshold_ms 100 is not above threshold_ms 500: no trace can match"]),
        Mistake(
            name: "an unknown status code",
            lines: "policies:\n  - { name: p, type: status_code, status_code: { status_codes: [ERROR, error] } }",
            messages: ["unknown value \"error\"", "\"ERROR\""]),
        Mistake(
            name: "no status codes",
            lines: "policies:\n  - { name: p, type: status_code, status_code: { status_codes: [] } }",
            messages: ["status_codes is empty; name at least one of OK, ERROR, UNSET"]),
        Mistake(
            name: "a name twice",
            lines: "policies:\n  - { name: p, type: trace_flags }\n  - { name: p, type: upstream }",
            messages: ["p.yaml:9:17: error: ", "policy \"p\": the name is taken by the policy in line 8"]),
        Mistake(
            name: "no name", lines: "policies:\n  - { type: always_sample }", messages: ["policies[0] needs a name"]),
        Mistake(
            name: "a wait without unit", lines: "decision_wait: 10\npolicies: [{ name: p, type: always_sample }]",
            messages: ["p.yaml:7:20: error: ", "decision_wait", "10 has no unit; write 10s"]),
        Mistake(
            name: "a wait and a window",
            lines: "decision_wait: 10s\nwindow: { max: 30s }\npolicies: [{ name: p, type: always_sample }]",
            messages: ["decision_wait is the Collector's form of window; write one of the two"]),
        Mistake(
            name: "a wait after root without a wait",
            lines: "decision_wait_after_root_received: 5s\npolicies: [{ name: p, type: always_sample }]",
            messages: ["decision_wait_after_root_received goes with decision_wait"]),
        Mistake(
            name: "a window shorter than its tick",
            lines: "window: { max: 500ms }\npolicies: [{ name: p, type: always_sample }]",
            messages: ["window.max 500ms is shorter than a tick of 1000ms"]),
        Mistake(
            name: "a tick of nothing", lines: "window: { tick: 0s }\npolicies: [{ name: p, type: always_sample }]",
            messages: ["window.tick must be at least 1ms"]),
        Mistake(
            name: "no window at all", lines: "decision_wait: 0s\npolicies: [{ name: p, type: always_sample }]",
            messages: ["window.max 0ms is shorter than a tick"]),
    ]

    @Test(arguments: mistakes)
    func aMistakeIsReportedOnceWithItsPlace(mistake: Mistake) throws {
        let (plan, diagnostics) = TestPipeline.load(mistake.lines)
        let messages = diagnostics.sorted.map(\.description)
        #expect(plan == nil || !diagnostics.hasErrors)
        #expect(diagnostics.hasErrors)
        #expect(messages.count == 1, "\(messages)")
        for part in mistake.messages {
            #expect(messages.first?.contains(part) == true, "\(messages) should say: \(part)")
        }
    }

    @Test func allMistakesAreReportedAtOnce() {
        let messages = TestPipeline.messages(
            """
            policies:
              - { name: a, type: latancy }
              - { name: b, type: latency }
              - { name: c, type: probabilistic, probabilistic: { sampling_percentage: 101, salt: x } }
            """)
        #expect(messages.count == 4, "\(messages)")
    }

    @Test func aListOfTheCollectorsIsTaken() throws {
        let (settings, policies) = try TestPipeline.sampler(
            """
            decision_wait: 10s
            decision_wait_after_root_received: 2s
            num_traces: 100
            expected_new_traces_per_sec: 10
            policies:
              - { name: all, type: always_sample }
              - { name: slow, type: latency, latency: { threshold_ms: 5000, upper_threshold_ms: 10000 } }
              - { name: errors, type: status_code, status_code: { status_codes: [ERROR, UNSET] } }
              - { name: some, type: probabilistic, probabilistic: { hash_salt: s, sampling_percentage: 7.5 } }
            """)
        #expect(policies.map(\.name) == ["all", "slow", "errors", "some"])
        #expect(settings.max == 10_000 && settings.settle == 2000 && settings.idle == nil && settings.tick == 1000)
    }

    @Test func aWindowHasTheDocumentedDefaults() throws {
        let (settings, _) = try TestPipeline.sampler("policies: [{ name: all, type: always_sample }]")
        var expected = WindowSettings()
        expected.annotates = true
        #expect(settings == expected)
        let (short, _) = try TestPipeline.sampler(
            "decision_wait: 300ms\npolicies: [{ name: all, type: always_sample }]")
        #expect(short.max == 300 && short.settle == nil && short.tick == 300)
    }
}
