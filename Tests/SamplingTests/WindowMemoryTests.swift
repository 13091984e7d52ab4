import Pipeline
import Testing
import TraceModel

@testable import Sampling

struct WindowMemoryTests {
    @Test func shrinkingDecidesTheOldestTracesFirst() throws {
        let driver = SamplerDriver()
        for trace in 1...2000 as ClosedRange<UInt64> {
            try driver.send([SentSpan(trace: trace, id: 1, padding: 9000)], at: 1000 + Int64(trace))
        }
        let full = driver.sampler.usedBytes
        driver.sampler.shrink(toBytes: full / 2, output: driver)
        #expect(driver.sampler.usedBytes <= full / 2)
        let decided = driver.decisions.count
        #expect(decided > 500 && decided < 1600)
        #expect(Set(driver.decisions.map(\.traceID)) == Set((1...UInt64(decided)).map(TestSpans.traceID)))
        #expect(driver.decisions.allSatisfy { $0.trigger == .memory && $0.decidedAt == 3000 })
        // A decision made early holds, too.
        try driver.send([SentSpan(trace: 1, id: 2)], at: 4000)
        #expect(driver.kept.last?.isLate == true)
        #expect(driver.kept.last?.decision.trigger == .memory)
        driver.closeAll()
        #expect(driver.decisions.count == 2000)
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
    }

    @Test func memoryComesBackWhenTracesAreDecided() throws {
        let driver = SamplerDriver(.only(max: 5000), policies: [KeepNothingPolicy()])
        let empty = driver.sampler.usedBytes
        for trace in 1...150_000 as ClosedRange<UInt64> {
            try driver.send([SentSpan(trace: trace, id: 1, padding: 300)], at: 1000)
        }
        #expect(driver.sampler.usedBytes > 50_000_000)
        driver.advance(to: 10_000)
        #expect(driver.sampler.gauges.openTraces == 0 && driver.sampler.gauges.openSpans == 0)
        #expect(driver.sampler.usedBytes <= empty + SpanArena.chunkSize + 4096)
        // What was released is usable again.
        try driver.send([SentSpan(trace: 1_000_000, id: 1)], at: 20_000)
        driver.closeAll()
        #expect(driver.decisions.count == 150_001)
        #expect(driver.open.isEmpty)
    }

    @Test func aSteadyStreamKeepsAboutOneWindowInMemory() throws {
        let driver = SamplerDriver(.only(max: 5000), policies: [KeepNothingPolicy()])
        var highest = 0
        for step in 0..<3000 as Range<Int64> {
            let trace = UInt64(step) * 10 + 1
            let spans = (0..<10).map { SentSpan(trace: trace + $0, id: 1, padding: 1000) }
            try driver.send(spans, at: step * 20)
            if step > 1000 { highest = max(highest, driver.sampler.usedBytes) }
        }
        // 250 records are in a window of 5 s: 3 MB of spans.
        #expect(highest < 10 * SpanArena.chunkSize)
    }

    @Test func aSpanLargerThanAChunkIsHeldAndReleased() throws {
        let driver = SamplerDriver(.only(max: 1000))
        try driver.send([.root(1), SentSpan(trace: 1, id: 2, padding: 3 * SpanArena.chunkSize)], at: 1000)
        try driver.send([SentSpan(trace: 2, id: 1)], at: 1000)
        driver.advance(to: 5000)
        try driver.send([SentSpan(trace: 3, id: 1)], at: 5000)
        #expect(try driver.storedSpans().count == 3)
        #expect(driver.sampler.usedBytes < 2 * SpanArena.chunkSize)
    }

    @Test func manyResourcesThatAreGoneAreForgotten() throws {
        let driver = SamplerDriver(.only(max: 1000))
        for trace in 1...8000 as ClosedRange<UInt64> {
            try driver.send([SentSpan(trace: trace, id: 1, service: "pod-\(trace)")], at: Int64(trace) * 100)
        }
        #expect(driver.sampler.usedBytes < 4 * SpanArena.chunkSize)
        driver.closeAll()
        #expect(Set(driver.kept.map(\.summary.rootService)).count == 8000)
    }
}

struct TraceTableTests {
    /// Ids whose one half is constant must not share a fingerprint, also those that make a factor of the hash 0, 1 or -1.
    @Test(arguments: [0, 0x9e37_79b9_7f4a_7c15, 0xe703_7ed1_a0b4_28db].flatMap { [$0, $0 ^ 1, ~$0] } as [UInt64])
    func idsWithAConstantHalfHashApart(half: UInt64) {
        var hashes: Set<UInt64> = []
        for number in 1...20_000 as ClosedRange<UInt64> {
            hashes.insert(TraceTable.hash(TraceID(high: half, low: number)))
            hashes.insert(TraceTable.hash(TraceID(high: number, low: half)))
        }
        #expect(hashes.count > 39_990)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func theTraceTableAgreesWithADictionary(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var table = TraceTable()
        var model: [TraceID: UInt32] = [:]
        for step in 0..<60_000 {
            // Few different hashes: long probe sequences.
            let id = TraceID(high: 0x9e37_79b9_7f4a_7c15, low: .random(in: 1...3000, using: &random))
            let found = table.find(id)
            #expect(found == model[id] ?? TraceTable.none)
            if found == TraceTable.none {
                model[id] = table.insert(id, seen: Int64(step))
            } else if Bool.random(using: &random) {
                let generation = table[found].generation
                let before = table.isCurrent(found, generation: generation)
                table.remove(found)
                let after = table.isCurrent(found, generation: generation)
                #expect(before && !after)
                model[id] = nil
            }
            let count = table.count
            #expect(count == model.count)
        }
    }
}
