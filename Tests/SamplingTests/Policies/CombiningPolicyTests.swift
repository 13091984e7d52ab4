import Pipeline
import Testing
import TraceModel

@testable import Sampling

struct CombiningPolicyTests {
    private static let isError = "{ name: e, type: status_code, status_code: { status_codes: [ERROR] } }"
    private static let hasK = "{ name: k, type: string_attribute, string_attribute: { key: k, values: [v] } }"
    private let failed = SpanStatus(code: .error)
    private let k = [Attribute("k", .string("v"))]

    @Test("the parts of an and may be met by different spans")
    func and() throws {
        let run = try PolicyRun(
            policy: "{ name: a, type: and, and: { and_sub_policy: [\(Self.isError), \(Self.hasK)] } }")
        try run.send(1, status: failed)
        try run.send(1, k, parent: 1)
        try run.send(2, status: failed)
        #expect(run.keeps(1) && !run.keeps(2))
        #expect(run.decision(1)?.policy == "a")
    }

    @Test("policies nest: not in and in drop")
    func nesting() throws {
        let drop =
            "{ name: d, type: drop, drop: { drop_sub_policy: [{ name: a, type: and, and: { and_sub_policy: "
            + "[\(Self.hasK), { name: n, type: not, not: { not_sub_policy: \(Self.isError) } }] } }] } }"
        let run = try PolicyRun("policies: [{ name: all, type: always_sample }, \(drop)]")
        try run.send(1, k)
        try run.send(2, k, status: failed)
        try run.send(3)
        #expect(!run.keeps(1) && run.keeps(2) && run.keeps(3))
        #expect(run.decision(1)?.policy == "d")
        #expect(run.decision(1)?.reason.hasPrefix("policy \"d\" drops") == true)
    }

    @Test("without sample_on_first_match all policies are asked, with it none behind the first that keeps")
    func firstMatch() throws {
        for isFirst in [false, true] {
            let run = try PolicyRun(
                "sample_on_first_match: \(isFirst)\npolicies: [{ name: all, type: always_sample }, \(Self.isError)]")
            try run.send(1, status: failed)
            #expect(run.keeps(1))
            let counters = run.driver.sampler.policyCounters
            #expect(counters.map(\.evaluatedTraces) == [1, isFirst ? 0 : 1])
        }
    }

    @Test("an empty and keeps everything, an empty drop drops everything, and both are warned of")
    func emptyLists() throws {
        let and = try PolicyRun(policy: "{ name: a, type: and, and: { and_sub_policy: [] } }")
        try and.send(1)
        #expect(and.keeps(1))
        let drop = try PolicyRun(
            "policies: [{ name: all, type: always_sample }, { name: d, type: drop, drop: { drop_sub_policy: [] } }]")
        try drop.send(1)
        #expect(!drop.keeps(1))
        let messages = TestPipeline.messages("policies: [{ name: d, type: drop, drop: { drop_sub_policy: [] } }]")
        #expect(messages.contains { $0.contains("warning") && $0.contains("drops every trace") })
    }

    @Test("a limiter at the end of an and is charged only for what would be kept")
    func limiterInAnd() throws {
        let run = try PolicyRun(
            policy: "{ name: a, type: and, and: { and_sub_policy: [\(Self.hasK), { name: r, type: rate_limiting, "
                + "rate_limiting: { spans_per_second: 1, burst_capacity: 2 } }] } }")
        for trace in UInt64(1)...10 { try run.send(trace) }
        for trace in UInt64(11)...14 { try run.send(trace, k) }
        #expect(run.driver.decisions.isEmpty)
        #expect((11...14).filter { run.keeps(UInt64($0)) }.count == 2)
        #expect((1...10).allSatisfy { !run.keeps(UInt64($0)) })
        let counters = run.driver.sampler.policyCounters
        #expect(counters.map(\.name) == ["a", "a > k", "a > r"])
        #expect(counters.map(\.evaluatedTraces) == [14, 14, 4] && counters.map(\.matchedTraces) == [2, 4, 2])
        #expect(counters.map(\.keptTraces) == [2, 0, 0] && counters.map(\.isSubpolicy) == [false, true, true])
    }

    @Test("a trace refused by a limit says so, with the share that the limit lets through")
    func limitedReason() throws {
        let run = try PolicyRun(
            policy: "{ name: r, type: rate_limiting, rate_limiting: { spans_per_second: 1, burst_capacity: 1 } }")
        for trace in UInt64(1)...4 { try run.send(trace) }
        let refused = try #require((1...4).compactMap { run.decision(UInt64($0)) }.last { !$0.isKept })
        #expect(refused.policy == "r" && refused.reason.hasPrefix("policy \"r\" is over its limit"))
        #expect(refused.probability == 0.25)
    }

    @Test("policies of one source of randomness give the larger probability, of two sources both together")
    func probabilities() throws {
        let nested = try PolicyRun(
            """
            policies:
              - { name: a, type: probabilistic, probabilistic: { sampling_percentage: 10 } }
              - { name: b, type: probabilistic, probabilistic: { sampling_percentage: 50 } }
            """)
        try nested.send(1)
        #expect(nested.decision(1)?.probability == 0.5)
        let independent = try PolicyRun(
            """
            policies:
              - { name: a, type: probabilistic, probabilistic: { sampling_percentage: 10 } }
              - { name: b, type: probabilistic, probabilistic: { sampling_percentage: 50, hash_salt: other } }
            """)
        try independent.send(1)
        let probability = try #require(independent.decision(1)?.probability)
        #expect(abs(probability - 0.55) < 1e-12)
    }

    @Test("kept traces with their probabilities add up to all traces, also behind a drop policy that drops a share")
    func unbiased() throws {
        let run = try PolicyRun(
            """
            policies:
              - { name: d, type: drop, drop: { drop_sub_policy: [{ name: p, type: probabilistic, probabilistic: { sampling_percentage: 60, hash_salt: d } }] } }
              - { name: errors, type: and, and: { and_sub_policy: [\(Self.isError), { name: p, type: probabilistic, probabilistic: { sampling_percentage: 50 } }] } }
              - { name: rest, type: probabilistic, probabilistic: { sampling_percentage: 20 } }
            """)
        var random = SeededRandom(seed: 17)
        let count = 20_000
        for index in 0..<count {
            try run.send(
                UInt64(index + 1), at: 1000, status: index % 3 == 0 ? failed : SpanStatus(),
                id: TraceID(high: random.next(), low: random.next()))
        }
        run.driver.closeAll()
        let kept = run.driver.decisions.filter(\.isKept)
        let estimate = kept.reduce(0) { $0 + 1 / $1.probability }
        let deviation = kept.reduce(0) { $0 + (1 - $1.probability) / ($1.probability * $1.probability) }.squareRoot()
        #expect(abs(estimate - Double(count)) < 4 * deviation, "\(estimate) ± \(deviation)")
    }

    // MARK: - composite

    private func composite(_ rest: String = "") -> String {
        """
        policies:
          - name: c
            type: composite
            composite:
              max_total_spans_per_second: 10
              policy_order: [second, first]
              composite_sub_policy:
                - { name: first, type: always_sample }
                - { name: second, type: string_attribute, string_attribute: { key: k, values: [v] } }
              rate_allocation: [{ policy: first, percent: 50 }, { policy: second, percent: 50 }]\(rest)
        """
    }

    @Test("a composite asks in policy_order, and goes on to the next when a share is used up")
    func compositeOrder() throws {
        let run = try PolicyRun(composite())
        for trace in UInt64(1)...11 { try run.send(trace, k) }
        let kept = (1...11).filter { run.keeps(UInt64($0)) }
        #expect(kept.count == 10)
        let counters = run.driver.sampler.policyCounters
        #expect(counters.map(\.name) == ["c", "c > second", "c > first"])
        #expect(counters.map(\.keptTraces) == [10, 5, 5])
        let refused = try #require((1...11).compactMap { run.decision(UInt64($0)) }.first { !$0.isKept })
        #expect(refused.policy == "c" && refused.reason.contains("\"c\" > \"second\" is over its limit"))
    }

    @Test("a composite lends what was left of the second before, and never gives more than the total")
    func compositeLending() throws {
        let run = try PolicyRun(composite())
        // In the first second only `first` is used, in part; then it may use the share of the other too.
        for second in 0..<5 {
            for trace in 0..<20 {
                try run.send(UInt64(second * 100 + trace + 1), at: 1000 + Int64(second) * 1000)
            }
        }
        run.driver.closeAll()
        let kept = Dictionary(grouping: run.driver.decisions.filter(\.isKept)) { $0.decidedAt / 1000 }.mapValues(
            \.count)
        #expect(kept.values.sorted() == [5, 10, 10, 10, 10], "\(kept)")
    }

    @Test("a share that was used in the second before is not lent")
    func compositeReserves() throws {
        let run = try PolicyRun(composite())
        for second in 0..<4 {
            let time = 1000 + Int64(second) * 1000
            for trace in 0..<20 { try run.send(UInt64(second * 100 + trace + 1), at: time) }
            for trace in 50..<55 { try run.send(UInt64(second * 100 + trace + 1), at: time, k) }
        }
        run.driver.closeAll()
        for second in 0..<4 {
            let matching = (50..<55).filter { run.keeps(UInt64(second * 100 + $0 + 1)) }
            #expect(matching.count == 5, "second \(second)")
        }
    }
}
