import OTLP
import Pipeline
import Tailrace
import Testing
import TraceModel

@testable import Comparison

struct TraceComparisonTests {
    /// What one sampler keeps, counted by nobody's code but this.
    private final class Counter: TaskObserver {
        var kept: [TraceID: (policy: String, spans: Int, bytes: Int)] = [:]
        var dropped = Set<TraceID>()

        func kept(_ trace: KeptTrace, stage: String) {
            let known = kept[trace.summary.traceID]
            kept[trace.summary.traceID] = (
                known?.policy ?? trace.decision.policy, (known?.spans ?? 0) + trace.summary.spanCount,
                (known?.bytes ?? 0) + trace.summary.byteCount
            )
        }
        func dropped(_ trace: DroppedTrace, stage: String) { dropped.insert(trace.summary.traceID) }
        func rejected(_ record: RejectedRecord) {}
    }

    private func decide(_ pipeline: ComparedPipeline, _ spans: [TestSpan]) throws -> Counter {
        let counter = Counter()
        let decider = try OfflineDecider(plan: pipeline.plan, sampler: pipeline.sampler, observer: counter)
        for span in spans { span.encoded().withUnsafeBytes { decider.process($0, timestamp: Int64(span.start)) } }
        decider.finish()
        return counter
    }

    @Test("each side's figures are those of the sampler alone, and the differences are those of the two sets")
    func figuresAreExact() throws {
        let old = try Fixtures.pipeline([Fixtures.errors, Fixtures.slow(800), Fixtures.share(20)])
        let new = try Fixtures.pipeline([Fixtures.slow(500), Fixtures.share(5), Fixtures.share(30, name: "more")])
        let spans = Fixtures.traffic(700)
        let result = try Fixtures.compare(old, new, spans, exampleCount: 1000)
        let alone = PerSide(old: try decide(old, spans), new: try decide(new, spans))
        for side in Side.allCases {
            let kept = alone[side].kept
            #expect(result.sides[side].kept.traces == kept.count)
            #expect(result.sides[side].kept.spans == kept.values.reduce(0) { $0 + $1.spans })
            #expect(result.sides[side].kept.bytes == kept.values.reduce(0) { $0 + $1.bytes })
            #expect(result.sides[side].droppedTraces == alone[side].dropped.count)
            for row in result.policies {
                let cost = side == .old ? row.old : row.new
                let mine = kept.values.filter { $0.policy == row.name }
                #expect((cost?.traces ?? 0) == mine.count, "\(side) \(row.name)")
                #expect((cost?.spans ?? 0) == mine.reduce(0) { $0 + $1.spans })
            }
        }
        #expect(result.offered.traces == 700)
        #expect(result.offered.spans == 1400)
        let keys = alone.map { Set($0.kept.keys) }
        #expect(Set(result.gained.examples.map(\.traceID)) == keys.new.subtracting(keys.old))
        #expect(Set(result.lost.examples.map(\.traceID)) == keys.old.subtracting(keys.new))
        #expect(result.gained.cost.traces > 0 && result.lost.cost.traces > 0)
        #expect(result.moves.reduce(0) { $0 + $1.traces } == 700)
    }

    @Test("a pipeline compared with itself differs in nothing")
    func noDifference() throws {
        let pipeline = try Fixtures.pipeline([Fixtures.errors, Fixtures.share(30)])
        let result = try Fixtures.compare(pipeline, pipeline, Fixtures.traffic(300))
        #expect(result.keptDifference == TraceCost())
        #expect(result.policies.allSatisfy { $0.difference == TraceCost() })
        #expect(result.gained.cost == TraceCost() && result.lost.cost == TraceCost())
        #expect(result.services.lost.isEmpty && result.operations.gained.isEmpty)
        #expect(result.moves.allSatisfy { $0.from == $0.to })
        #expect(result.errors.missed == PerSide(0))
    }

    @Test("a lost trace is named with its root, duration and what kept it before")
    func lostTracesAreNamed() throws {
        let spans = [
            TestSpan(trace: 1, span: 1, service: "shop", name: "POST /order", milliseconds: 250),
            TestSpan(trace: 1, span: 2, parent: 1, service: "pay", name: "charge", isError: true),
            TestSpan(trace: 2, span: 3, service: "shop", name: "GET /", milliseconds: 900),
        ]
        let result = try Fixtures.compare(
            try Fixtures.pipeline([Fixtures.errors, Fixtures.slow(800)]), try Fixtures.pipeline([Fixtures.slow(800)]),
            spans)
        let example = try #require(result.lost.examples.first)
        #expect(result.lost.examples.count == 1)
        #expect(example.traceID == TestSpan.id(1))
        #expect(example.service == "shop" && example.operation == "POST /order" && example.hasRoot)
        #expect(example.duration == 250_000_000)
        #expect(example.isError && example.spanCount == 2)
        #expect(example.keptBy.old == "errors" && example.keptBy.new == nil)
        #expect(result.gained.cost == TraceCost())
        #expect(result.errors.traces == 1)
        #expect(result.errors.missed == PerSide(old: 0, new: 1))
        #expect(result.sides.old.keptErrors == 1 && result.sides.new.keptErrors == 0)
        #expect(result.errors.examples.new.map(\.traceID) == [TestSpan.id(1)])
        #expect(result.services.lost == [.init(service: "pay", operation: nil, spans: 1, traces: nil)])
        #expect(
            Set(result.operations.lost.map { "\($0.service) \($0.operation ?? "")" })
                == ["shop POST /order", "pay charge"])
        #expect(result.operations.offered == 3 && result.operations.covered == PerSide(old: 3, new: 1))
    }

    @Test("examples show errors first, then slow traces, and every root operation before a second trace of any")
    func examplesAreChosen() throws {
        var spans: [TestSpan] = []
        for number in 1...20 as ClosedRange<UInt64> {
            spans.append(
                TestSpan(
                    trace: number, span: number, name: number <= 15 ? "often" : "seldom\(number)",
                    milliseconds: number, isError: number == 3 || number == 18))
        }
        let none = try Fixtures.pipeline([Fixtures.slow(100_000)])
        let result = try Fixtures.compare(
            try Fixtures.pipeline([Fixtures.everything]), none, spans, slow: .duration(19_000_000), exampleCount: 4)
        // Errors: 18 (seldom18), 3 (often); slow: 20; then the longest of an operation that is not shown yet.
        #expect(result.lost.examples.map(\.traceID) == [18, 3, 20, 19].map { TestSpan.id($0) })
        #expect(result.lost.errors == 2 && result.lost.slow == 1)
        #expect(result.lost.groups.first?.operation == "often" && result.lost.groups.first?.traces == 15)
        #expect(try Fixtures.compare(none, none, spans, exampleCount: 0).lost.examples.isEmpty)
    }

    @Test("slow means longer than the exact percentile of the trace's root operation")
    func slowTraces() throws {
        func fact(_ id: UInt64, root: UInt32, _ duration: UInt64) -> TraceFacts {
            var facts = TraceFacts(traceID: TestSpan.id(id))
            facts.startTime = 1
            facts.endTime = 1 + duration
            facts.root = root
            return facts
        }
        var traces = (1...200).map { fact(UInt64($0), root: 1, UInt64($0)) }
        traces += [fact(500, root: 2, 5000), fact(501, root: 2, 1)]
        let slow = SlowRule.percentile(99).slowTraces(traces)
        // 198 of 200 do not exceed 198; of two traces the larger one is the 99th percentile.
        #expect(slow.indices.filter { slow[$0] } == [198, 199])
        let fixed = SlowRule.duration(198).slowTraces(traces)
        #expect(fixed.indices.filter { fixed[$0] } == [198, 199, 200])
        #expect(SlowRule("p99.9") == .percentile(99.9) && SlowRule("250ms") == .duration(250_000_000))
        for wrong in ["p100", "p0", "p", "5", "fast", "-1s", ""] { #expect(SlowRule(wrong) == nil, "\(wrong)") }
    }

    @Test("late spans count for the policy that kept their trace, and what they are is known to both sides")
    func lateSpans() throws {
        let spans = [
            TestSpan(trace: 1, span: 1, name: "GET /"),
            TestSpan(trace: 2, span: 2, name: "GET /", start: 60_000),
            TestSpan(trace: 1, span: 3, parent: 1, name: "late", start: 61_000, isError: true),
        ]
        let result = try Fixtures.compare(
            try Fixtures.pipeline([Fixtures.everything]), try Fixtures.pipeline([Fixtures.errors]), spans)
        #expect(result.policies.first?.old?.spans == 3 && result.policies.first?.old?.traces == 2)
        #expect(result.sides.old.lateSpans == 1)
        // The error came after the new sampler had decided: it is one that it misses.
        #expect(result.errors.traces == 1 && result.errors.missed == PerSide(old: 0, new: 1))
        #expect(result.operations.lost.contains { $0.operation == "late" })
    }

    @Test("traces that a filter takes away are told from those that the sampler dropped")
    func filteredTraces() throws {
        let spans = [TestSpan(trace: 1, span: 1, name: "GET /health"), TestSpan(trace: 2, span: 2, name: "GET /")]
        let new = try Fixtures.pipeline(
            [Fixtures.everything], stages: "  useful: { kind: filter, from: spans, exclude: { name: [GET /health] } }",
            from: "useful")
        let result = try Fixtures.compare(try Fixtures.pipeline([Fixtures.everything]), new, spans)
        #expect(result.sides.new.unsampledTraces == 1 && result.sides.new.droppedTraces == 0)
        #expect(result.lost.examples.map(\.traceID) == [TestSpan.id(1)])
        #expect(result.operations.lost.map(\.operation) == ["GET /health"])
    }

    @Test("each partition is decided by a task of its own, on its own stream time")
    func partitionsAreApart() throws {
        // One trace per second and task: in one task the second trace would be refused.
        let limited =
            "{ name: limited, type: rate_limiting, rate_limiting: { spans_per_second: 1, burst_capacity: 1 } }"
        let comparison = TraceComparison(
            old: try Fixtures.pipeline([limited]), new: try Fixtures.pipeline([Fixtures.everything]))
        for number in 0..<4 as Range<UInt64> {
            let span = TestSpan(trace: number + 1, span: number + 1)
            try span.encoded().withUnsafeBytes {
                try comparison.process(
                    $0, at: 1_750_000_000_000 - Int64(number) * 3_600_000,
                    partition: PartitionID(cluster: "c", topic: "t", partition: Int32(number)))
            }
        }
        let result = comparison.finish(slow: .percentile(99), exampleCount: 10)
        #expect(result.sides.old.kept.traces == 4 && result.sides.new.kept.traces == 4)
        #expect(result.length == 3 * 3_600_000)
        #expect(result.series.intervals.reduce(0) { $0 + $1.offered } == 4)
    }

    @Test("a record that is no OTLP request is refused and the rest is compared")
    func brokenRecords() throws {
        let comparison = TraceComparison(
            old: try Fixtures.pipeline([Fixtures.everything]), new: try Fixtures.pipeline([Fixtures.errors]))
        #expect(throws: ScanError.self) {
            try [0x0a, 0xff, 0x01].withUnsafeBytes {
                try comparison.process($0, at: 0, partition: Fixtures.partition)
            }
        }
        try TestSpan(trace: 1, span: 1).encoded().withUnsafeBytes {
            try comparison.process($0, at: 0, partition: Fixtures.partition)
        }
        let result = comparison.finish(slow: .percentile(99), exampleCount: 10)
        #expect(result.offered == TraceCost(traces: 1, spans: 1, bytes: result.offered.bytes))
        #expect(result.sides.old.kept.traces == 1)
    }

    @Test("operations beyond the limit share one entry and lose no span")
    func manyOperations() {
        var table = OperationTable(limit: 50)
        for number in 0..<1000 {
            let name = Array("op\(number % 200)".utf8)
            name.withUnsafeBytes { name in
                let place = table.place(service: UnsafeRawBufferPointer(start: nil, count: 0), name: name)
                table.countSpan(place)
                table.countKept(place, trace: UInt32(number), side: .old)
                table.countKept(place, trace: UInt32(number), side: .old)
            }
        }
        #expect(table.entries.count == 51)
        #expect(table.entries.reduce(0) { $0 + $1.spans } == 1000)
        #expect(table.entries.reduce(0) { $0 + $1.traces.old } == 1000)
        #expect(table.entries[OperationTable.overflow].spans == 750)
        #expect(table.entries.first { $0.name == "op7" }?.spans == 5)
    }

    @Test("a time series keeps its sums and its bound whatever order times come in", arguments: [1, 2, 3, 4, 5])
    func timeSeries(seed: UInt64) {
        var state = seed
        func random(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        var series = TimeSeries()
        var sum = 0
        let scale = [1000, 100_000, 10_000_000, 1_000_000_000, 4_000_000_000_000] as [UInt64]
        for _ in 0..<2000 {
            let time = Int64(1_700_000_000_000 + random(scale[Int(seed) - 1]))
            series.addOffered(3, at: time)
            series.addKept(1, side: .new, at: time + Int64(random(30_000)))
            sum += 1
        }
        #expect(series.intervals.count <= 400)
        #expect(series.intervals.reduce(0) { $0 + $1.offered } == 3 * sum)
        #expect(series.intervals.reduce(0) { $0 + $1.kept.new } == sum)
        #expect(series.intervals.reduce(0) { $0 + $1.kept.old } == 0)
    }
}
