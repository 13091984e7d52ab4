import Pipeline
import Testing
import TraceModel

@testable import Sampling

/// Policies that the Collector does not have.
struct OwnPolicyTests {
    // MARK: - root

    @Test(
        "root asks everything of one span without parent",
        arguments: [
            ("service: [shop]", true), ("service: [other]", false), ("operation: [GET /cart]", true),
            ("operation_pattern: ^GET", true), ("operation_pattern: ^POST", false), ("kind: [server, client]", true),
            ("kind: [producer]", false), ("status_codes: [ERROR]", false), ("status_codes: [OK]", true),
            ("longer_than: 100ms", true), ("longer_than: 250ms", false), ("attributes: { k: v }", true),
            ("attributes: { k: v, n: \"42\", t: \"true\", service.name: shop }", true),
            ("attributes: { n: \"43\" }", false),
            ("service: [shop], kind: [producer]", false),
        ])
    func root(keys: String, isKept: Bool) throws {
        let run = try PolicyRun(policy: "{ name: r, type: root, \(keys) }")
        let attributes = [Attribute("k", .string("v")), Attribute("n", .int(42)), Attribute("t", .bool(true))]
        try run.send(
            1, attributes, name: "GET /cart", kind: .server, milliseconds: 250, status: SpanStatus(code: .ok))
        // What another span has does not count.
        try run.send(
            1, [Attribute("n", .int(43))], parent: 1, name: "POST", kind: .producer,
            resource: [Attribute("service.name", .string("other"))], milliseconds: 9000,
            status: SpanStatus(code: .error))
        #expect(run.keeps(1) == isKept)
    }

    @Test("the keys of our own types may also stand in a block")
    func block() throws {
        let run = try PolicyRun(policy: "{ name: r, type: root, root: { service: [other] } }")
        try run.send(1)
        #expect(!run.keeps(1))
    }

    // MARK: - rare

    @Test("rare keeps the first trace of each operation per interval, whichever of its spans is new")
    func rareOperations() throws {
        let run = try PolicyRun(policy: "{ name: r, type: rare, interval: 60s }")
        try run.send(1, at: 1000, name: "a")
        try run.send(2, at: 3000, name: "a")
        try run.send(3, at: 5000, name: "a")
        try run.send(3, at: 5000, parent: 1, name: "b")
        try run.send(4, at: 7000, name: "b")
        try run.send(5, at: 9000, name: "a", resource: [Attribute("service.name", .string("other"))])
        // A trace that is decided just before the interval is over, and one just after it.
        try run.send(6, at: 60_900, name: "a")
        try run.send(7, at: 61_000, name: "a")
        try run.send(8, at: 63_000, name: "a")
        run.driver.closeAll()
        #expect((1...8).filter { run.keeps(UInt64($0)) } == [1, 3, 5, 7])
    }

    @Test("of many new traces that wait together one is rare")
    func rareTogether() throws {
        let run = try PolicyRun(policy: "{ name: r, type: rare }")
        for trace in UInt64(1)...50 { try run.send(trace, name: "a") }
        #expect((1...50).filter { run.keeps(UInt64($0)) }.count == 1)
    }

    @Test("rare by service sees services only, by shape the set of calls")
    func rareKeys() throws {
        let byService = try PolicyRun(policy: "{ name: r, type: rare, by: service }")
        try byService.send(1, name: "a")
        try byService.send(2, name: "b")
        #expect(byService.keeps(1) && !byService.keeps(2))

        let byShape = try PolicyRun(policy: "{ name: r, type: rare, by: shape }")
        func trace(_ number: UInt64, _ children: [(String, SpanStatus)]) throws {
            let root = number * 100
            let spans =
                [Span(root, 0, "root")]
                + children.enumerated().map { Span(root + 1 + UInt64($0.offset), root, $0.element.0, $0.element.1) }
            for span in spans.reversed() { try byShape.send(span, of: number) }
        }
        try trace(1, [("x", SpanStatus()), ("y", SpanStatus())])
        try trace(2, [("y", SpanStatus()), ("x", SpanStatus()), ("x", SpanStatus())])
        try trace(3, [("x", SpanStatus())])
        try trace(4, [("x", SpanStatus()), ("y", SpanStatus(code: .error))])
        #expect((1...4).filter { byShape.keeps(UInt64($0)) } == [1, 3, 4])
    }

    // MARK: - linked

    @Test("a trace that a kept trace links to is kept, and one that links to a kept trace")
    func linked() throws {
        func run(_ direction: String) throws -> [Int] {
            let run = try PolicyRun(
                "policies: [{ name: flag, type: trace_flags }, { name: l, type: linked, direction: \(direction), horizon: 60s }]"
            )
            try run.send(1, at: 1000, flags: 1, links: [3])
            try run.send(2, at: 3000, links: [1])
            try run.send(3, at: 5000)
            try run.send(4, at: 7000, links: [99])
            try run.send(5, at: 9000)
            try run.send(5, at: 9000, parent: 1, links: [98, 2])
            try run.send(6, at: 80_000, links: [1])
            return (1...6).filter { run.keeps(UInt64($0)) }
        }
        #expect(try run("from") == [1, 3])
        // What is kept for its link is itself a kept trace.
        #expect(try run("to") == [1, 2, 5])
        #expect(try run("both") == [1, 2, 3, 5])
    }

    // MARK: - percentile

    @Test("percentile keeps what is slower than its operation was of late")
    func percentile() throws {
        let run = try PolicyRun(policy: "{ name: p, type: percentile, percentile: 99, min_traces: 50, half_life: 1h }")
        var number: UInt64 = 0
        func send(_ name: String, _ milliseconds: UInt64) throws -> UInt64 {
            number += 1
            try run.send(number, at: 1000 + Int64(number), name: name, milliseconds: milliseconds)
            return number
        }
        for index in 0..<49 { _ = try send("fast", 10 + UInt64(index % 5)) }
        let tooEarly = try send("fast", 900)
        for index in 0..<300 { _ = try send("fast", 10 + UInt64(index % 5)) }
        for index in 0..<300 { _ = try send("slow", 800 + UInt64(index % 100)) }
        let outlier = try send("fast", 1500)
        let normal = try send("slow", 850)
        run.driver.closeAll()
        #expect(run.keeps(outlier) && !run.keeps(normal) && !run.keeps(tooEarly))
    }

    @Test("a sketch finds quantiles within one bucket of 3 %", arguments: [0.5, 0.9, 0.99])
    func sketch(share: Double) {
        var random = SeededRandom(seed: 31)
        var sketch = DurationSketch(at: 0)
        var durations: [UInt64] = []
        for _ in 0..<20_000 {
            let duration = UInt64(1_000_000 * (1 / Double.random(in: 0.001...1, using: &random)))
            durations.append(duration)
            sketch.add(duration)
        }
        durations.sort()
        let exact = durations[Int(share * Double(durations.count - 1))]
        let found = Int(sketch.quantile(share) ?? 0)
        #expect(abs(found - Int(DurationSketch.bucket(exact))) <= 1)
        #expect(sketch.buckets.count < 400)
    }

    @Test("buckets of a sketch are in the order of durations")
    func sketchBuckets() {
        var last: UInt16 = 0
        for duration in [0, 1, 31, 32, 33, 63, 64, 1000, 1_000_000, 1_000_000_000, UInt64(Int64.max), .max] as [UInt64]
        {
            let bucket = DurationSketch.bucket(duration)
            #expect(duration == 0 || bucket > last)
            #expect(bucket < 2048)
            last = bucket
        }
    }

    // MARK: - upstream and consistent sampling

    @Test(
        "upstream keeps what the flag or a threshold says was sampled",
        arguments: [
            ("", "", UInt32(1), true), ("", "", 0, false), ("", "", 256, false),
            ("", "ot=th:8;rv:80000000000000", 0, true),
            ("", "ot=th:8;rv:7fffffffffffff", 0, false), ("threshold: false", "ot=th:8;rv:80000000000000", 0, false),
            ("sampled_flag: false", "", 1, false), ("", "a=b,ot=th:0", 0, true), ("", "ot=th:8;rv:8", 1, true),
        ])
    func upstream(keys: String, state: String, flags: UInt32, isKept: Bool) throws {
        let run = try PolicyRun(policy: "{ name: u, type: upstream\(keys.isEmpty ? "" : ", " + keys) }")
        try run.send(1, state: state, flags: flags)
        #expect(run.keeps(1) == isKept)
    }

    @Test(
        "thresholds are written as OpenTelemetry writes them",
        arguments: [
            (1.0, "0"), (0.5, "8"), (0.25, "c"), (0.01, "fd70a3d70a3d71"), (0.1, "e6666666666666"), (0.75, "4"),
        ])
    func thresholdText(probability: Double, text: String) {
        let threshold = SamplingThreshold.threshold(probability: probability)
        let digits = SamplingThreshold.text(threshold)
        #expect(String(decoding: digits, as: UTF8.self) == text)
        let parsed = digits.withUnsafeBytes { SamplingThreshold.parse(threshold: $0) }
        #expect(parsed == threshold)
        #expect(abs(SamplingThreshold.probability(threshold: threshold) - probability) <= 0x1p-56)
    }

    private func consistent(_ percentage: Double, _ mode: String, state: String) throws -> Decision {
        let run = try PolicyRun(
            policy:
                "{ name: p, type: probabilistic, probabilistic: { sampling_percentage: \(percentage), mode: \(mode) } }"
        )
        try run.send(1, state: state)
        return try #require(run.decision(1))
    }

    @Test("w3c compares the trace's random bits with the threshold")
    func w3c() throws {
        #expect(try consistent(50, "w3c", state: "ot=rv:80000000000000").isKept)
        #expect(try !consistent(50, "w3c", state: "ot=rv:7fffffffffffff").isKept)
        // Without rv the random bits are the last 56 of the id, here nearly zero.
        #expect(try !consistent(99.9, "w3c", state: "").isKept)
        #expect(try consistent(100, "w3c", state: "").isKept)
    }

    @Test("equalizing leaves what was sampled more alone, proportional takes its share of it")
    func combining() throws {
        // th:c is 25 %.
        let equalized = try consistent(50, "equalizing", state: "ot=th:c;rv:c0000000000000")
        #expect(equalized.isKept && equalized.probability == 0.25)
        let lower = try consistent(10, "equalizing", state: "ot=th:c;rv:c0000000000000")
        #expect(!lower.isKept && lower.probability == 0.1)
        let proportional = try consistent(50, "proportional", state: "ot=th:c;rv:e0000000000000")
        #expect(proportional.isKept && proportional.probability == 0.125)
        #expect(try !consistent(50, "proportional", state: "ot=th:c;rv:dfffffffffffff").isKept)
    }

    @Test("the probability of other policies counts in what was sampled before")
    func upstreamProbability() throws {
        let run = try PolicyRun(policy: "{ name: all, type: always_sample }")
        try run.send(1, state: "ot=th:c;rv:f0000000000000")
        try run.send(2)
        #expect(run.decision(1)?.probability == 0.25 && run.decision(2)?.probability == 1)
    }

    @Test("w3c keeps its share of random traces, and a lower share a subset", arguments: [UInt64(1), 2])
    func share(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let low = ConsistentPolicy(name: "l", percentage: 5, mode: .equalizing)
        let high = ConsistentPolicy(name: "h", percentage: 20, mode: .equalizing)
        var counts = (low: 0, high: 0)
        for _ in 0..<50_000 {
            let trace = TraceEvidence.empty(TraceID(high: random.next(), low: random.next()))
            let isLow = low.vote(on: trace, matched: ConditionBits(low: 0)).isKeep
            let isHigh = high.vote(on: trace, matched: ConditionBits(low: 0)).isKeep
            if isLow { counts.low += 1 }
            if isHigh { counts.high += 1 }
            #expect(!isLow || isHigh)
        }
        #expect(abs(counts.low - 2500) < 250 && abs(counts.high - 10_000) < 450)
    }
}

/// A span of a trace whose shape matters.
private struct Span {
    var id: UInt64
    var parent: UInt64
    var name: String
    var status: SpanStatus

    init(_ id: UInt64, _ parent: UInt64, _ name: String, _ status: SpanStatus = SpanStatus()) {
        self.id = id
        self.parent = parent
        self.name = name
        self.status = status
    }
}

extension PolicyRun {
    fileprivate func send(_ span: Span, of trace: UInt64) throws {
        try send(trace, at: 1000, parent: span.parent, name: span.name, status: span.status, span: span.id)
    }
}
