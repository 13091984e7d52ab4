import OTLP
import Pipeline
import Testing
import TraceModel

@testable import Sampling

struct AssemblerTests {
    /// Many traces from several services and scopes, mixed in records of any size: what is stored is what was sent.
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func storedSpansAreTheSpansThatWereSentWithTheirResourceAndScope(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let driver = SamplerDriver()
        var sent: [DecodedSpan] = []
        var time: Int64 = 1000
        var nextID: UInt64 = 1
        for _ in 0..<400 {
            var record: [SentSpan] = []
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                var span = SentSpan(trace: .random(in: 1...40, using: &random), id: nextID)
                span.service = "service-\(Int.random(in: 0...3, using: &random))"
                span.scope = "scope-\(Int.random(in: 0...2, using: &random))"
                span.padding = Bool.random(using: &random) ? 0 : .random(in: 1...3000, using: &random)
                nextID += 1
                record.append(span)
            }
            sent += try TestSpans.decode(TestSpans.encode(record))
            try driver.send(record, at: time)
            time += .random(in: 0...600, using: &random)
        }
        driver.closeAll()
        let stored = try driver.storedSpans()
        #expect(stored.count == sent.count, "seed \(seed)")
        #expect(Set(stored) == Set(sent), "seed \(seed)")
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
        for trace in driver.kept {
            let decoded = try OTLPDecoder.decode(trace.payload)
            let resources = decoded.map(\.resource)
            #expect(Set(resources).count == resources.count, "a resource is written once per trace")
            #expect(Set(trace.spans(decoded).map(\.traceID)) == [trace.summary.traceID])
            #expect(trace.spans(decoded).count == trace.summary.spanCount)
        }
    }

    @Test func aSpanSentTwiceIsStoredOnce() throws {
        let driver = SamplerDriver()
        try driver.send([.root(1), SentSpan(trace: 1, id: 2), SentSpan(trace: 1, id: 2)], at: 1000)
        try driver.send([SentSpan(trace: 1, id: 2), SentSpan(trace: 1, id: 3)], at: 1500)
        driver.closeAll()
        #expect(driver.duplicates == 2)
        #expect(try driver.storedSpans().map(\.span.spanID.value).sorted() == [1, 2, 3])
        #expect(driver.kept[0].summary.spanCount == 3)
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
    }

    @Test func aClientAndAServerSpanMayShareAnID() throws {
        let driver = SamplerDriver()
        try driver.send([SentSpan(trace: 1, id: 2, kind: .client), SentSpan(trace: 1, id: 2, kind: .server)], at: 1000)
        driver.closeAll()
        #expect(driver.duplicates == 0)
        #expect(Set(try driver.storedSpans().map(\.span.kind)) == [.client, .server])
    }

    @Test func theSummaryNamesTheRootAndSpansAllTimes() throws {
        let driver = SamplerDriver()
        try driver.send(
            [SentSpan(trace: 1, id: 2, start: 500, duration: 100, isError: true, service: "back")], at: 1000)
        var root = SentSpan.root(1, id: 9)
        root.start = 400
        root.duration = 150
        root.service = "front"
        try driver.send([root], at: 1000)
        driver.closeAll()
        let summary = try #require(driver.kept.first).summary
        #expect(summary.rootService == "front" && summary.rootName == "op-9" && summary.hasRoot)
        #expect(summary.startTime == 400_000_000 && summary.endTime == 600_000_000)
        #expect(summary.errorCount == 1 && summary.spanCount == 2)
    }

    @Test func lateSpansDoNotPassForTheRoot() throws {
        let driver = SamplerDriver(.only(max: 2500))
        try driver.send([.root(1)], at: 1000)
        try driver.send([SentSpan(trace: 1, id: 2)], at: 3600)
        driver.advance(to: 5000)
        #expect(driver.kept.map(\.summary.hasRoot) == [true, false])
        #expect(driver.kept.map(\.summary.rootName) == ["op-1", "op-2"])
    }

    @Test func aRootThatComesLateIsFound() throws {
        let driver = SamplerDriver(.only(max: 2500))
        try driver.send([SentSpan(trace: 1, id: 2)], at: 1000)
        try driver.send([SentSpan(trace: 1, id: 3), .root(1)], at: 3600)
        driver.advance(to: 5000)
        #expect(driver.kept.map(\.summary.hasRoot) == [false, true])
        #expect(driver.kept.map(\.summary.rootName) == ["op-2", "op-1"])
    }

    /// Each span its own resource: the work must grow with their number, not with its square.
    @Test func aTraceOfManyResourcesIsAssembledInReasonableTime() throws {
        let driver = SamplerDriver()
        var spans: [SentSpan] = []
        for id in 1...20_000 as ClosedRange<UInt64> {
            var span = SentSpan(trace: 1, id: id)
            span.service = "s\(id)"
            spans.append(span)
        }
        try driver.send(spans, at: 1000)
        let time = ContinuousClock().measure { driver.closeAll() }
        #expect(driver.kept.first?.summary.spanCount == 20_000)
        #expect(time < .seconds(5))
    }

    @Test func whatAScrubberCannotReadIsLeftOut() throws {
        let driver = SamplerDriver(scrubbers: [FailingScrubber()])
        try driver.send([.root(1), SentSpan(trace: 1, id: 2)], at: 1000)
        driver.closeAll()
        #expect(try driver.storedSpans().map(\.span.spanID.value) == [1])
    }
}

/// Cannot read spans with the id 2.
private final class FailingScrubber: SpanScrubber {
    func canChange(attributeKey: String) -> Bool { false }
    var canChangeSpanName: Bool { false }
    func scrubSpan(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        if SpanFields(message).spanID.value == 2 { throw ScanError(.truncated, at: 0) }
        output += message
    }
    func scrubResource(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        output += message
    }
    func scrubScope(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        output += message
    }
    func scrubName(_ name: String) -> String { name }
    var counts: [(rule: String, count: UInt64)] { [] }
}

extension KeptTrace {
    fileprivate func spans(_ decoded: [ResourceSpans]) -> [Span] {
        decoded.flatMap { $0.scopeSpans.flatMap(\.spans) }
    }
}
