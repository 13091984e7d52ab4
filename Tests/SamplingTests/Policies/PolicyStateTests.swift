import Pipeline
import Testing
import TraceModel

@testable import Sampling

/// State that survives a restart: a sampler that is restored decides what the other would have decided.
struct PolicyStateTests {
    static let pipelines = [
        "policies: [{ name: r, type: rate_limiting, rate_limiting: { spans_per_second: 7, burst_capacity: 30 } }]",
        "policies: [{ name: r, type: bytes_limiting, bytes_limiting: { bytes_per_second: 900 } }]",
        """
        policies:
          - name: c
            type: composite
            composite:
              max_total_spans_per_second: 12
              composite_sub_policy: [{ name: k, type: trace_flags }, { name: rest, type: always_sample }]
              rate_allocation: [{ policy: k, percent: 30 }]
        """,
        "policies: [{ name: r, type: rare, interval: 6s, max_keys: 20 }]",
        "policies: [{ name: r, type: rare, by: shape, interval: 6s }]",
        "policies: [{ name: p, type: percentile, percentile: 80, half_life: 60s, min_traces: 5 }]",
        "policies: [{ name: p, type: trace_flags }, { name: l, type: linked, horizon: 5s }]",
        """
        policies:
          - { name: a, type: and, and: { and_sub_policy: [{ name: f, type: trace_flags }, { name: r, type: rate_limiting, rate_limiting: { spans_per_second: 2 } }] } }
          - { name: r, type: rate_limiting, rate_limiting: { spans_per_second: 3 } }
        """,
    ]

    /// Random traces, the same for the same seed, of one span at one time each.
    private func feed(_ run: PolicyRun, _ numbers: Range<Int>) throws {
        for number in numbers {
            var random = SeededRandom(seed: UInt64(number) &* 7919)
            try run.send(
                UInt64(number + 1), at: 10_000 + Int64(number) * 97,
                name: "op\(Int.random(in: 0..<30, using: &random))", milliseconds: .random(in: 1...500, using: &random),
                flags: .random(in: 0...1, using: &random),
                links: number > 3 && Bool.random(using: &random) ? [UInt64(number - 2)] : [])
        }
    }

    @Test("a restored sampler goes on as if it had not been stopped", arguments: pipelines, [0, 1, 250, 499])
    func restored(lines: String, at cut: Int) throws {
        let whole = try PolicyRun(lines)
        try feed(whole, 0..<500)
        whole.driver.closeAll()

        // Everything before the cut is decided, so that what follows depends on the state alone.
        let pause = 10_000 + Int64(cut) * 97 + 2500
        let before = try PolicyRun(lines)
        try feed(before, 0..<cut)
        before.driver.advance(to: pause)
        let straight = try PolicyRun(lines)
        try feed(straight, 0..<cut)
        straight.driver.advance(to: pause)

        let after = try PolicyRun(lines)
        after.driver.sampler.restore(state: before.driver.sampler.state)
        after.driver.advance(to: pause)
        #expect(after.driver.sampler.state == before.driver.sampler.state)
        try feed(after, cut..<500)
        try feed(straight, cut..<500)
        after.driver.closeAll()
        straight.driver.closeAll()
        let continued = straight.driver.decisions.suffix(after.driver.decisions.count)
        #expect(after.driver.decisions.map(\.isKept) == continued.map(\.isKept))
        #expect(after.driver.decisions.map(\.probability) == continued.map(\.probability))
        #expect(after.driver.sampler.state == straight.driver.sampler.state)
        // The case means something: it keeps some and drops some.
        #expect(Set(whole.driver.decisions.map(\.isKept)).count == 2)
    }

    @Test("a state that is damaged, of another version or of other policies is left, and traps nothing")
    func damaged() throws {
        var random = SeededRandom(seed: 23)
        for lines in Self.pipelines {
            let run = try PolicyRun(lines)
            try feed(run, 0..<200)
            run.driver.closeAll()
            let state = run.driver.sampler.state
            for round in 0..<150 {
                var bytes = state
                if round % 3 == 0 { bytes.removeLast(Int.random(in: 1...bytes.count, using: &random)) }
                for _ in 0..<3 where !bytes.isEmpty {
                    bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
                }
                let other = try PolicyRun(lines)
                other.driver.sampler.restore(state: bytes)
                try feed(other, 200..<230)
                other.driver.closeAll()
                #expect(other.driver.decisions.count == 30)
            }
        }
    }

    @Test("an edited list keeps the state of policies that stayed")
    func editedList() throws {
        let limiter = "{ name: r, type: rate_limiting, rate_limiting: { spans_per_second: 1, burst_capacity: 5 } }"
        let before = try PolicyRun("policies: [\(limiter)]")
        for trace in UInt64(1)...5 { try before.send(trace) }
        before.driver.closeAll()
        let after = try PolicyRun("policies: [{ name: f, type: trace_flags }, \(limiter)]")
        after.driver.sampler.restore(state: before.driver.sampler.state)
        try after.send(9)
        #expect(!after.keeps(9))
        let renamed = try PolicyRun("policies: [\(limiter.replacing("name: r", with: "name: s"))]")
        renamed.driver.sampler.restore(state: before.driver.sampler.state)
        try renamed.send(9)
        #expect(renamed.keeps(9))
    }

    @Test("the state of a full policy is bounded")
    func bounded() throws {
        let run = try PolicyRun(
            """
            policies:
              - { name: r, type: rare, interval: 1h, max_keys: 100 }
              - { name: p, type: percentile, max_operations: 50, min_traces: 100000 }
              - { name: l, type: linked, max_traces: 70 }
            """)
        for number in 0..<3000 {
            try run.send(
                UInt64(number + 1), at: 1000 + Int64(number), name: "op\(number)", milliseconds: UInt64(number + 1),
                links: [UInt64(number + 5000)])
        }
        run.driver.closeAll()
        // Keys of 8 bytes with a time; 16 shared sketches of up to some hundred buckets of 10 bytes.
        #expect(run.driver.sampler.state.count < 100 * 18 + 50 * 60 + 16 * 120 * 10 + 140 * 18)
        // What came when the table was full is not rare, though nobody had seen it.
        #expect(run.driver.decisions.filter(\.isKept).count <= 100)
    }
}
