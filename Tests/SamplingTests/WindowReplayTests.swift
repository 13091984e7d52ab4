import Pipeline
import Testing
import TraceModel

@testable import Sampling

/// I13: the same records give the same decisions, however they are read. I7: a replay repeats what was decided.
struct WindowReplayTests {
    struct Arrival {
        var spans: [SentSpan]
        var time: Int64
    }

    /// Traces of a few spans, spread over up to 45 s, in records of up to five spans; some spans are sent twice.
    static func traffic(seed: UInt64, traces: Int = 120) -> [Arrival] {
        var random = SeededRandom(seed: seed)
        var spans: [(time: Int64, span: SentSpan)] = []
        for trace in 1...UInt64(traces) {
            let start = Int64.random(in: 0...60_000, using: &random)
            let length = Bool.random(using: &random) ? Int64.random(in: 0...3000, using: &random) : 45_000
            for id in 1...UInt64.random(in: 1...8, using: &random) {
                var span = SentSpan(trace: trace, id: id)
                span.parent = id == 1 && Int.random(in: 0...9, using: &random) > 0 ? 0 : 1
                span.isError = Int.random(in: 0...19, using: &random) == 0
                span.service = "s\(id % 3)"
                let time = start + Int64.random(in: 0...length, using: &random)
                spans.append((time, span))
                if Int.random(in: 0...9, using: &random) == 0 { spans.append((time + 700, span)) }
            }
        }
        spans.sort { ($0.time, $0.span.trace, $0.span.id) < ($1.time, $1.span.trace, $1.span.id) }
        var arrivals: [Arrival] = []
        while !spans.isEmpty {
            let count = min(spans.count, Int.random(in: 1...5, using: &random))
            let group = spans.prefix(count)
            spans.removeFirst(count)
            // Record timestamps are not in order: producers differ by a few hundred milliseconds.
            let jitter = Int64.random(in: -300...0, using: &random)
            arrivals.append(Arrival(spans: group.map(\.span), time: max(0, group[group.startIndex].time + jitter)))
        }
        return arrivals
    }

    static func policies() -> [any SamplingPolicy] {
        [
            StatusCodePolicy(name: "errors", statusCodes: [.error]),
            LatencyPolicy(name: "slow", threshold: 0, upperThreshold: 0),
            ProbabilisticPolicy(name: "some", percentage: 30, salt: ""),
        ]
    }

    /// Feeds arrivals from an index on; stream time is the highest timestamp seen.
    private static func feed(
        _ driver: SamplerDriver, _ arrivals: [Arrival], from first: Int = 0, startTime: Int64 = .min,
        skip: (SamplerDriver.Ref) -> Bool = { _ in false }, until last: Int? = nil
    ) throws -> Int64 {
        var streamTime = startTime
        for index in first..<(last ?? arrivals.count) {
            streamTime = max(streamTime, arrivals[index].time)
            let skipped = Set(
                (0..<UInt32(arrivals[index].spans.count)).filter {
                    skip(SamplerDriver.Ref(offset: Int64(index), index: $0))
                })
            try driver.send(arrivals[index].spans, at: streamTime, offset: Int64(index), skipping: skipped)
        }
        return streamTime
    }

    private struct Outcome: Equatable {
        var decisions: [TraceID: DecisionRecord] = [:]
        var stored: [DecodedSpan: Int] = [:]

        mutating func add(_ driver: SamplerDriver) throws {
            for decision in driver.decisions {
                #expect(decisions[decision.traceID] == nil, "\(decision.traceID.hex) was decided twice")
                decisions[decision.traceID] = decision
            }
            for span in try driver.storedSpans() { stored[span, default: 0] += 1 }
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func aReplayFromTheWatermarkDecidesAsTheFirstRunDid(seed: UInt64) throws {
        let arrivals = Self.traffic(seed: seed)
        let whole = SamplerDriver(policies: Self.policies())
        _ = try Self.feed(whole, arrivals)
        whole.closeAll()
        var expected = Outcome()
        try expected.add(whole)
        #expect(whole.open.isEmpty && whole.wrongRefs.isEmpty)

        var random = SeededRandom(seed: seed &* 31)
        for _ in 0..<12 {
            let crash = Int.random(in: 1..<arrivals.count, using: &random)
            let before = SamplerDriver(policies: Self.policies())
            _ = try Self.feed(before, arrivals, until: crash)
            let open = before.open
            let low = open.map { Int($0.offset) }.min() ?? crash
            let timeAtLow = arrivals[..<low].map(\.time).max() ?? .min
            let after = SamplerDriver(policies: Self.policies())
            after.sampler.restore(before.decisions)
            _ = try Self.feed(after, arrivals, from: low, startTime: timeAtLow) { ref in
                ref.offset < crash && !open.contains(ref)
            }
            after.closeAll()
            #expect(after.open.isEmpty && after.wrongRefs.isEmpty)
            var found = Outcome()
            try found.add(before)
            try found.add(after)
            #expect(found == expected, "seed \(seed), crash after record \(crash), replay from \(low)")
        }
    }

    @Test func reportsOfTimeBetweenRecordsChangeNothing() throws {
        let arrivals = Self.traffic(seed: 77)
        let plain = SamplerDriver(policies: Self.policies())
        _ = try Self.feed(plain, arrivals)
        plain.closeAll()
        let nervous = SamplerDriver(policies: Self.policies())
        var streamTime = Int64.min
        for (index, arrival) in arrivals.enumerated() {
            streamTime = max(streamTime, arrival.time)
            nervous.advance(to: streamTime)
            nervous.advance(to: streamTime - 10)
            try nervous.send(arrival.spans, at: streamTime, offset: Int64(index))
        }
        nervous.closeAll()
        #expect(nervous.decisions == plain.decisions)
        #expect(nervous.kept.map(\.payload) == plain.kept.map(\.payload))
    }
}
