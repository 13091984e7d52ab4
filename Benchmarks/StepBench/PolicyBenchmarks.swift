import BenchmarkWorkloads
import OTLP
import Pipeline
import Sampling
import TraceModel

/// What policies cost: the whole path from scan to decision with more and more of them, by turns on the same traffic.
enum PolicyBenchmarks {
    /// Policies as people have them: by status, latency, attributes of spans and resources, patterns and numbers.
    private static let typical = [
        "{ name: errors, type: status_code, status_code: { status_codes: [ERROR] } }",
        "{ name: slow, type: latency, latency: { threshold_ms: 60000 } }",
        "{ name: failing, type: numeric_attribute, numeric_attribute: { key: http.response.status_code, min_value: 500, max_value: 599 } }",
        "{ name: tenant, type: string_attribute, string_attribute: { key: tenant.id, values: [acme, umbrella] } }",
        "{ name: routes, type: string_attribute, string_attribute: { key: http.route, values: ['^/admin/.*', '^/internal/.*'], enabled_regex_matching: true } }",
        "{ name: debug, type: boolean_attribute, boolean_attribute: { key: app.debug, value: true } }",
        "{ name: service, type: string_attribute, string_attribute: { key: service.name, values: [ledger, fraud] } }",
        "{ name: large, type: span_count, span_count: { min_spans: 5000 } }",
        "{ name: slow posts, type: and, and: { and_sub_policy: [{ name: a, type: latency, latency: { threshold_ms: 30000 } }, { name: b, type: string_attribute, string_attribute: { key: http.request.method, values: [POST] } }] } }",
        "{ name: rest, type: probabilistic, probabilistic: { sampling_percentage: 1 } }",
    ]

    /// Ten like them with values that no span has: every condition is tested on every span, and the same traces are kept as
    /// with one policy. What is more than with one are the conditions and the votes alone.
    private static let matchingNothing = [
        "{ name: wide, type: span_count, span_count: { min_spans: 4000 } }",
        "{ name: slow, type: latency, latency: { threshold_ms: 60000 } }",
        "{ name: failing, type: numeric_attribute, numeric_attribute: { key: http.response.status_code, min_value: 700, max_value: 799 } }",
        "{ name: tenant, type: string_attribute, string_attribute: { key: tenant.id, values: [nobody, noone] } }",
        "{ name: routes, type: string_attribute, string_attribute: { key: http.route, values: ['^/nothing/.*', '^/nowhere/.*'], enabled_regex_matching: true } }",
        "{ name: debug, type: boolean_attribute, boolean_attribute: { key: app.debug, value: true } }",
        "{ name: service, type: string_attribute, string_attribute: { key: service.name, values: [nothing, nowhere] } }",
        "{ name: large, type: span_count, span_count: { min_spans: 5000 } }",
        "{ name: slow posts, type: and, and: { and_sub_policy: [{ name: a, type: latency, latency: { threshold_ms: 30000 } }, { name: b, type: string_attribute, string_attribute: { key: http.request.method, values: [NONE] } }] } }",
        "{ name: rest, type: probabilistic, probabilistic: { sampling_percentage: 1 } }",
    ]

    private static var fifty: [String] {
        let more = (0..<40).map { number -> String in
            let key = "app.attribute.\(number)"
            return switch number % 4 {
            case 0: "{ name: s\(number), type: string_attribute, string_attribute: { key: \(key), values: [a, b, c] } }"
            case 1: "{ name: n\(number), type: numeric_attribute, numeric_attribute: { key: \(key), min_value: 10 } }"
            case 2: "{ name: l\(number), type: latency, latency: { threshold_ms: \(60_000 + number) } }"
            default:
                "{ name: r\(number), type: string_attribute, string_attribute: { key: http.route, values: ['^/x\(number)/.*'], enabled_regex_matching: true } }"
            }
        }
        return typical + more
    }

    /// A decision reads bits only: what sets them does not matter.
    private final class NeverAsked: SpanCondition {
        func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool { false }
    }

    /// The same ten, deciding traces of which nothing but the evidence is there.
    private static func runDecisions() {
        func anySpan(_ name: String) -> any SamplingPolicy { AnySpanPolicy(name: name, NeverAsked()) }
        func slow(_ threshold: UInt64) -> any SamplingPolicy {
            LatencyPolicy(name: "slow", threshold: threshold, upperThreshold: 0)
        }
        let policies = PolicyList([
            StatusCodePolicy(name: "errors", statusCodes: [.error]), slow(60_000), anySpan("failing"),
            anySpan("tenant"), anySpan("routes"), anySpan("debug"), anySpan("service"),
            SpanCountPolicy(name: "large", minimum: 5000, maximum: 0),
            AndPolicy(name: "slow posts", [slow(30_000), anySpan("post")]),
            ProbabilisticPolicy(name: "rest", percentage: 1, salt: ""),
        ])
        var kept = 0
        let traces = 1_000_000
        var times: [Double] = []
        for round in 0..<8 {
            let begin = Measuring.cpuSeconds()
            for number in 0..<traces {
                let mixed = UInt64(truncatingIfNeeded: number) &* 0x9e37_79b9_7f4a_7c15
                let trace = TraceEvidence(
                    traceID: TraceID(high: mixed, low: ~mixed), duration: mixed >> 32, spanCount: 10, errorCount: 0,
                    byteCount: 5000, statusSeen: number % 50 == 0 ? 5 : 1, hasRoot: true, decidedAt: 0)
                // One in 64 meets the first conditions.
                if policies.decide(trace, matched: mixed >> 58 == 0 ? 3 : 0, of: 0).isKept { kept += 1 }
            }
            if round > 0 { times.append((Measuring.cpuSeconds() - begin) / Double(traces) * 1e9) }
        }
        print(
            "decision by 10 policies: \(Measuring.format(Measuring.median(times))) ns per trace (median of 7), "
                + "\(kept / 8) of \(traces) kept")
    }

    private static var sets: [(name: String, policies: [String])] {
        [
            ("1 policy", Array(typical.suffix(1))), ("10 policies", typical),
            ("10 policies that keep no more than the one", matchingNothing), ("50 policies", fifty),
        ]
    }

    /// One set of policies alone, a few rounds: for tools that count instructions, whose figures do not depend on what else
    /// the machine does.
    static func run(set: Int, rounds: Int, spans: Int) throws {
        guard sets.indices.contains(set) else { throw StageError("sets of policies are 0 to \(sets.count - 1)") }
        let records = try RecordSet(spans: spans)
        let workload = try SamplingWorkload(records, policies: sets[set].policies)
        for _ in 0..<rounds {
            workload.prepareRound()
            workload.runRound()
            workload.closeWindows()
        }
        print("\(sets[set].name): \(records.spanCount) spans, \(rounds) rounds")
    }

    static func run() throws {
        runDecisions()
        let records = try RecordSet(spans: 1_000_000)
        let workloads = try sets.map { (name: $0.name, work: try SamplingWorkload(records, policies: $0.policies)) }
        var times = workloads.map { _ in [Double]() }
        var decisions = workloads.map { _ in [Double]() }
        for round in 0..<8 {
            for (index, workload) in workloads.enumerated() {
                workload.work.prepareRound()
                let begin = Measuring.cpuSeconds()
                workload.work.runRound()
                let middle = Measuring.cpuSeconds()
                let traces = workload.work.openTraces
                let reopened = Measuring.cpuSeconds()
                workload.work.closeWindows()
                let end = Measuring.cpuSeconds()
                // The first rounds warm caches and let tables grow.
                guard round > 1 else { continue }
                times[index].append((middle - begin) / Double(records.spanCount) * 1e9)
                decisions[index].append((end - reopened) / Double(max(1, traces)) * 1e9)
            }
        }
        for (index, workload) in workloads.enumerated() {
            let time = Measuring.median(times[index])
            // Each round's difference by itself: the sets ran one after the other, under about the same load.
            let difference = Measuring.median(zip(times[index], times[0]).map { $0 - $1 })
            let more = index == 0 ? "" : ", \(Measuring.format(difference)) more than with one"
            print(
                "\(workload.name): \(Measuring.format(time)) ns per span\(more), \(Int(1e9 / time)) spans/s (scan, window and "
                    + "decide; median of 6); \(Measuring.format(Measuring.median(decisions[index]))) ns per trace that is closed, decided and let go"
            )
        }
    }
}
