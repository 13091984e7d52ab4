import Pipeline
import Testing
import TraceModel

@testable import Sampling

struct WindowClosingTests {
    @Test func theRootAndItsSettleTimeCloseAWindow() throws {
        let driver = SamplerDriver()
        try driver.send([SentSpan(trace: 1, id: 2)], at: 1000)
        try driver.send([.root(1)], at: 3000)
        driver.advance(to: 13_999)
        #expect(driver.decisions.isEmpty)
        driver.advance(to: 14_000)
        let decision = try #require(driver.decision(of: 1))
        #expect(decision.trigger == .root)
        #expect(decision.decidedAt == 13_000)
        #expect(decision.spanCount == 2)
        #expect(decision.firstOffset == 0 && decision.lastOffset == 1)
    }

    @Test func theTimeSinceTheLastSpanClosesAWindowWithoutRoot() throws {
        let driver = SamplerDriver()
        try driver.send([SentSpan(trace: 1, id: 2)], at: 1000)
        try driver.send([SentSpan(trace: 1, id: 3)], at: 6000)
        driver.advance(to: 21_000)
        #expect(driver.decisions.isEmpty)
        driver.advance(to: 22_000)
        let decision = try #require(driver.decision(of: 1))
        #expect(decision.trigger == .idle)
        #expect(decision.decidedAt == 21_000)
    }

    @Test func aTraceThatNeverRestsIsDecidedAtTheMaximum() throws {
        let driver = SamplerDriver()
        for second in 1...40 {
            try driver.send([SentSpan(trace: 1, id: UInt64(second))], at: Int64(second) * 1000)
        }
        let decision = try #require(driver.decision(of: 1))
        #expect(decision.trigger == .max)
        #expect(decision.decidedAt == 31_000)
        // Seconds 1 to 31 are in time (the last at the deadline itself); the others follow the decision.
        #expect(decision.spanCount == 31)
        #expect(driver.kept.filter(\.isLate).reduce(0) { $0 + $1.summary.spanCount } == 9)
        #expect(driver.open.isEmpty && driver.wrongRefs.isEmpty)
    }

    @Test func aTraceOverItsSpanLimitIsDecidedAtTheNextTickWithAMarker() throws {
        var settings = WindowSettings()
        settings.maximumSpansPerTrace = 5
        let driver = SamplerDriver(settings)
        try driver.send((1...5).map { SentSpan(trace: 1, id: $0) }, at: 1500)
        try driver.send([SentSpan(trace: 1, id: 6)], at: 1600)
        driver.advance(to: 2000)
        let decision = try #require(driver.decision(of: 1))
        #expect(decision.trigger == .limit)
        #expect(decision.decidedAt == 1500)
        #expect(decision.spanCount == 5)
        #expect(driver.kept.map(\.isLate) == [false, true])
        #expect(driver.open.isEmpty)
    }

    @Test func aTraceOverItsByteLimitIsDecidedAtTheNextTick() throws {
        var settings = WindowSettings()
        settings.maximumBytesPerTrace = 1000
        let driver = SamplerDriver(settings)
        try driver.send([SentSpan(trace: 1, id: 2, padding: 900)], at: 1100)
        try driver.send([SentSpan(trace: 1, id: 3, padding: 900)], at: 1200)
        driver.advance(to: 2000)
        #expect(driver.decision(of: 1)?.trigger == .limit)
    }

    @Test func aSpanAtTheDeadlineIsInTimeAndOneAfterItIsLate() throws {
        let driver = SamplerDriver(.only(max: 2500))
        try driver.send([SentSpan(trace: 1, id: 1)], at: 1000)
        try driver.send([SentSpan(trace: 1, id: 2)], at: 3500)
        try driver.send([SentSpan(trace: 1, id: 3)], at: 3501)
        #expect(driver.decisions.isEmpty)
        driver.advance(to: 4000)
        #expect(driver.decision(of: 1)?.spanCount == 2)
        #expect(driver.kept.map(\.summary.spanCount) == [2, 1])
        #expect(driver.kept.map(\.isLate) == [false, true])
        try driver.send([SentSpan(trace: 1, id: 4)], at: 9000)
        #expect(driver.kept.count == 3)
        #expect(driver.kept[2].decision.policy == "all" && driver.kept[2].isLate)
        #expect(driver.kept[2].decision.decidedAt == 3500)
    }

    @Test func lateSpansOfADroppedTraceAreDroppedToo() throws {
        let driver = SamplerDriver(.only(max: 2500), policies: [KeepNothingPolicy()], wantsDropped: true)
        try driver.send([SentSpan(trace: 1, id: 1)], at: 1000)
        try driver.send([SentSpan(trace: 1, id: 2)], at: 3501)
        driver.advance(to: 4000)
        try driver.send([SentSpan(trace: 1, id: 3), SentSpan(trace: 2, id: 4)], at: 5000)
        #expect(driver.droppedSpans == 1)
        #expect(driver.lateDroppedSpans == 2)
        #expect(driver.droppedTraces.map(\.summary.spanCount) == [1])
        #expect(driver.droppedTraces[0].decision.reason == "no policy matched; window reached its maximum")
        #expect(driver.open == [SamplerDriver.Ref(offset: 2, index: 1)])
        #expect(driver.kept.isEmpty)
    }

    @Test func aTraceIsForgottenAfterTheHorizonAndDecidedAnew() throws {
        var settings = WindowSettings.only(max: 1000)
        settings.decisionHorizon = 60_000
        let driver = SamplerDriver(settings)
        try driver.send([SentSpan(trace: 1, id: 1)], at: 1000)
        driver.advance(to: 3000)
        try driver.send([SentSpan(trace: 1, id: 2)], at: 61_000)
        #expect(driver.decisions.count == 1)
        // The horizon is kept to in steps of a sixth.
        try driver.send([SentSpan(trace: 1, id: 3)], at: 75_000)
        driver.closeAll()
        #expect(driver.decisions.count == 2)
    }

    @Test func tracesOfOneTickAreDecidedTogetherInOrderOfTimeAndID() throws {
        let driver = SamplerDriver(.only(max: 5000))
        try driver.send([SentSpan(trace: 9, id: 1), SentSpan(trace: 3, id: 1)], at: 1200)
        try driver.send([SentSpan(trace: 1, id: 1)], at: 1900)
        try driver.send([SentSpan(trace: 2, id: 1)], at: 1100)
        driver.advance(to: 6999)
        #expect(driver.decisions.isEmpty)
        driver.advance(to: 7000)
        // Trace 2 was sent at 1100, when the stream was at 1900 already.
        let byID = [3, 9].map(TestSpans.traceID).sorted() + [1, 2].map(TestSpans.traceID).sorted()
        #expect(driver.decisions.map(\.traceID) == byID)
        #expect(driver.decisions.map(\.decidedAt) == [6200, 6200, 6900, 6900])
    }

    @Test func aJumpInTimeDecidesEverythingAtItsOwnDeadline() throws {
        let driver = SamplerDriver()
        try driver.send([.root(1)], at: 1000)
        try driver.send([SentSpan(trace: 2, id: 2)], at: 2000)
        try driver.send([.root(3)], at: 1_000_000_000)
        #expect(driver.decisions.map(\.decidedAt) == [11_000, 17_000])
        driver.closeAll()
        #expect(driver.decisions.map(\.trigger) == [.root, .idle, .root])
    }

    @Test func timesAtTheEndsOfTheRangeDoNotTrap() throws {
        for time in [Int64(0), 1, 1 << 52] {
            let driver = SamplerDriver()
            try driver.send([.root(1)], at: time)
            try driver.send([SentSpan(trace: 2, id: 2)], at: time + 1)
            driver.closeAll()
            #expect(driver.decisions.count == 2)
        }
    }

    /// A policy that would have kept the trace with certainty makes it certain, whichever policy stands first: else the
    /// inverse of the probability counts such traces too often.
    @Test func theProbabilityIsThatOfAllPoliciesTogether() throws {
        let policies: [any SamplingPolicy] = [
            ProbabilisticPolicy(name: "some", percentage: 40, salt: ""),
            StatusCodePolicy(name: "errors", statusCodes: [.error]),
        ]
        let driver = SamplerDriver(.only(max: 1000), policies: policies)
        for trace in 1...100 {
            try driver.send([SentSpan(trace: UInt64(trace), id: 1, isError: trace % 2 == 0)], at: 1000)
        }
        driver.closeAll()
        for decision in driver.decisions {
            let isError = decision.traceID.low % 2 == 0
            #expect(decision.probability == (isError ? 1 : 0.4))
            if isError { #expect(decision.isKept) }
        }
        #expect(Set(driver.decisions.map(\.policyIndex)) == [0, 1, DecisionRecord.noPolicy])
    }
}
