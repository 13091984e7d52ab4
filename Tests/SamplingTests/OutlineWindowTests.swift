import OTLP
import Pipeline
import Testing
import TraceModel

@testable import Sampling

/// What leaves the window of a trace of which only the outline is kept.
struct OutlineWindowTests {
    /// A budget of 100 spans per second; the numbered traces come in one second, each with 40 spans in two branches of the root,
    /// of which the last span of one has an error.
    private static func run(
        annotates: Bool = false, rate: Int = 100, traces: UInt64 = 10, hasRoot: Bool = true,
        late: (SamplerDriver) throws -> Void = { _ in }
    ) throws -> SamplerDriver {
        let (_, policies) = try TestPipeline.sampler(
            """
            policies:
              - { name: shop, type: budget, rate: \(rate) spans/s, cover: { interval: 0s } }
            """)
        var settings = WindowSettings.only(max: 2000)
        settings.annotates = annotates
        let driver = SamplerDriver(settings, policies: policies, wantsDropped: true)
        for (number, trace) in numbers(traces).enumerated() {
            var spans = [SentSpan(trace: trace, id: 1, parent: hasRoot ? 0 : 99, start: 1000, duration: 500)]
            for id in UInt64(2)...21 { spans.append(SentSpan(trace: trace, id: id, parent: 1)) }
            for id in UInt64(22)...40 {
                spans.append(SentSpan(trace: trace, id: id, parent: id == 22 ? 1 : 22, isError: id == 40))
            }
            // Sent twice: the copy is merged away, whatever is kept of the trace.
            spans.append(spans[39])
            try driver.send(spans, at: Int64(number + 1) * 10)
        }
        try late(driver)
        driver.closeAll()
        return driver
    }

    /// Spread as random ids are; odd and even in turn.
    private static func numbers(_ count: UInt64) -> [UInt64] { (1...count).map { $0 &* 0x9e37_79b9_7f4a_7c15 } }

    private static func spanIDs(_ trace: KeptTrace) throws -> [UInt64] {
        try TestSpans.decode(trace.payload).map(\.span.spanID.value).sorted()
    }

    private static func leftOut(_ trace: KeptTrace) throws -> [UInt64: AttributeValue] {
        var values: [UInt64: AttributeValue] = [:]
        for span in try TestSpans.decode(trace.payload).map(\.span) {
            for attribute in span.attributes where attribute.key == "tailrace.left_out_spans" {
                values[span.spanID.value] = attribute.value
            }
        }
        return values
    }

    @Test("of a trace kept in outline the root, the error and the way between them are stored, and the root says so")
    func stored() throws {
        let driver = try Self.run()
        let outlines = driver.kept.filter { $0.summary.leftOutSpanCount > 0 }
        let whole = driver.kept.filter { $0.summary.leftOutSpanCount == 0 }
        #expect(outlines.count + whole.count == 10)
        #expect(outlines.count >= 7)
        for trace in outlines {
            #expect(try Self.spanIDs(trace) == [1, 22, 40])
            #expect(trace.summary.spanCount == 3 && trace.summary.leftOutSpanCount == 37)
            #expect(trace.summary.totalSpanCount == 40 && trace.summary.errorCount == 1)
            // Of the whole trace.
            #expect(trace.summary.duration == 500_000_000)
            #expect(try Self.leftOut(trace) == [1: .int(37)])
            #expect(trace.decision.reason.contains("outline kept, tier error"))
            let record = try #require(driver.decisions.first { $0.traceID == trace.summary.traceID })
            #expect(record.isOutline && record.isKept && record.spanCount == 41)
            #expect((record.wholeProbability ?? 1) < record.probability)
        }
        for trace in whole {
            #expect(try Self.spanIDs(trace) == Array(1...40))
            #expect(try Self.leftOut(trace).isEmpty)
        }
        // Every span went somewhere: I16.
        let kept = driver.kept.reduce(0) { $0 + $1.summary.spanCount }
        #expect(kept + driver.leftOutSpans + driver.duplicates == 410)
        #expect(driver.leftOutSpans == 37 * outlines.count && driver.duplicates == 10)
        #expect(driver.droppedSpans == 0 && driver.droppedTraces.isEmpty)
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
        #expect(kept <= 105)
    }

    @Test(
        "late spans of an outline are stored where they have an error, also after a restart", arguments: [false, true])
    func late(isRestarted: Bool) throws {
        let first = try Self.run()
        let outline = try #require(first.decisions.first { $0.isOutline }).traceID
        let whole = first.decisions.first { !$0.isOutline }?.traceID
        var driver = first
        if isRestarted {
            driver = SamplerDriver(.only(max: 2000), wantsDropped: true)
            driver.sampler.restore(first.decisions)
        }
        let before = driver.kept.count
        for number in Self.numbers(10) where [outline, whole].contains(TestSpans.traceID(number)) {
            try driver.send(
                [
                    SentSpan(trace: number, id: 50, parent: 2),
                    SentSpan(trace: number, id: 51, parent: 50, isError: true),
                ], at: 10_000)
        }
        let stored = driver.kept[before...]
        #expect(try stored.filter { $0.summary.traceID == outline }.flatMap(Self.spanIDs) == [51])
        if let whole { #expect(try stored.filter { $0.summary.traceID == whole }.flatMap(Self.spanIDs) == [50, 51]) }
        #expect(stored.allSatisfy { $0.isLate && $0.summary.leftOutSpanCount == 0 })
        #expect(driver.lateDroppedSpans == 1)
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
    }

    @Test("spans that come between a deadline and its tick follow the outline as late spans do")
    func betweenDeadlineAndTick() throws {
        // The first trace's window closes at 2010, its tick ends at 3000.
        let driver = try Self.run { driver in
            for number in Self.numbers(10) {
                try driver.send(
                    [
                        SentSpan(trace: number, id: 60, parent: 2),
                        SentSpan(trace: number, id: 61, parent: 60, isError: number % 2 == 0),
                    ], at: 2500)
            }
        }
        let late = driver.kept.filter(\.isLate)
        for record in driver.decisions {
            let spans = try late.filter { $0.summary.traceID == record.traceID }.flatMap(Self.spanIDs)
            let hasError = record.traceID.low % 2 == 0
            #expect(spans == (record.isOutline ? hasError ? [61] : [] : [60, 61]))
        }
        let kept = driver.kept.reduce(0) { $0 + $1.summary.spanCount }
        #expect(kept + driver.leftOutSpans + driver.duplicates + driver.lateDroppedSpans == 430)
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
    }

    @Test("in a trace that was lucky to be kept whole the spans beyond the outline say that they stand for more")
    func weights() throws {
        let driver = try Self.run(annotates: true, rate: 300, traces: 12)
        var wholeTraces = 0
        for trace in driver.kept {
            let record = try #require(driver.decisions.first { $0.traceID == trace.summary.traceID })
            let chance = try #require(record.wholeProbability)
            let thresholds = try TestSpans.decode(trace.payload).reduce(into: [UInt64: Double]()) { result, span in
                let state = Array(span.span.traceState.utf8)
                result[span.span.spanID.value] = state.withUnsafeBytes { UpstreamSampling(traceState: $0).probability }
            }
            #expect([1, 22, 40].allSatisfy { abs((thresholds[$0] ?? 0) - record.probability) < 1e-9 })
            if record.isOutline { continue }
            wholeTraces += 1
            for id in 2...21 as ClosedRange<UInt64> { #expect(abs((thresholds[id] ?? 0) - chance) < 1e-9) }
            #expect(chance < record.probability)
        }
        #expect(wholeTraces > 0)
    }

    @Test("where the root did not come the first span that is stored says what was left out")
    func withoutRoot() throws {
        let outlines = try Self.run(hasRoot: false).kept.filter { $0.summary.leftOutSpanCount > 0 }
        #expect(!outlines.isEmpty)
        for trace in outlines {
            #expect(try Self.spanIDs(trace) == [1, 22, 40])
            #expect(try Self.leftOut(trace) == [1: .int(37)])
        }
    }

    @Test("what an earlier sampler left out is added to what is left out now")
    func notes() throws {
        let annotation = SpanAnnotation.none
        let span = Span(
            traceID: TestSpans.traceID(1), spanID: SpanID(1), parentSpanID: SpanID(0), name: "a", kind: .internal,
            startTime: 1, endTime: 2,
            attributes: [Attribute("x", .int(1)), Attribute("tailrace.left_out_spans", .int(5))],
            status: SpanStatus(code: .unset))
        let before = OTLPEncoder.encode([
            ResourceSpans(
                resource: Resource(attributes: []),
                scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: [span])])
        ])
        // The span's own message is the last field of its scope, which is the last of the request.
        let message = try #require(SpanMessages.last(before))
        var writer = ProtobufWriter(reservingCapacity: 100)
        message.withUnsafeBytes { annotation.write($0, isRoot: true, leftOutSpans: 37, into: &writer) }
        var request = ProtobufWriter(reservingCapacity: 200)
        request.messageField(1) { resource in
            resource.bytesField(1, [UInt8]())
            resource.messageField(2) { scope in scope.bytes.append(contentsOf: writer.bytes) }
        }
        let after = try #require(try TestSpans.decode(request.bytes).first).span
        #expect(after.attributes == [Attribute("x", .int(1)), Attribute("tailrace.left_out_spans", .int(42))])
        #expect(after.name == "a" && after.traceState.isEmpty)
    }
}

/// Finds a span's message in a request of one span.
private enum SpanMessages {
    static func last(_ request: [UInt8]) -> [UInt8]? {
        var bytes = request[...]
        // Request 1, resource spans 2, scope spans 2: each as long as what is left, but for what stands before.
        for field in [1, 2, 2] as [UInt8] {
            while let tag = bytes.first {
                bytes = bytes.dropFirst()
                guard let length = varint(&bytes) else { return nil }
                if tag == field << 3 | 2 {
                    bytes = bytes.prefix(length)
                    break
                }
                bytes = bytes.dropFirst(length)
            }
        }
        return Array(bytes)
    }

    private static func varint(_ bytes: inout ArraySlice<UInt8>) -> Int? {
        var value = 0
        var shift = 0
        while let byte = bytes.popFirst() {
            value |= Int(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }
}
