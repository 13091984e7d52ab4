import Testing
import TraceModel

@testable import Sampling

/// Errors that do not fit whole are kept in outline.
struct BudgetOutlineTests {
    private static let start: Int64 = 1_700_000_040_000

    private static func batch(
        _ random: inout SeededRandom, count: Int, errorShare: Double, outlineShare: Double = 0.2
    ) -> [BudgetTrace] {
        (0..<count).map { _ in
            let key = UInt64.random(in: 0..<10, using: &random)
            let spans = 5 + Int.random(in: 0..<30, using: &random)
            var trace = BudgetTrace(
                traceID: TraceID(high: random.next(), low: random.next()), spanCount: UInt32(spans),
                byteCount: UInt64(spans) * 300, key: key &* 0x9e37_79b9_7f4a_7c15, shape: key,
                hasError: Double.random(in: 0..<1, using: &random) < errorShare, duration: 1_000_000)
            if trace.hasError {
                trace.outlineSpanCount = UInt32(max(2, Double(spans) * outlineShare))
                trace.outlineByteCount = UInt64(trace.outlineSpanCount) * 300
            }
            return trace
        }
    }

    private static func cost(_ trace: BudgetTrace, _ decision: BudgetDecision) -> Double {
        decision.isKept ? Double(decision.isOutline ? trace.outlineSpanCount : trace.spanCount) : 0
    }

    @Test(
        "when many traces fail at once all their outlines are kept, some whole, and the budget holds",
        arguments: [1, 2])
    func manyErrors(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var sampler = BudgetSampler(settings: BudgetSettings(rate: 2000))
        var errors = 0
        var outlines = 0
        for tick in 1...60 {
            let traces = Self.batch(&random, count: 400, errorShare: 0.5)
            let decisions = sampler.decide(traces, at: Self.start + Int64(tick) * 1000)
            var kept = 0.0
            for (trace, decision) in zip(traces, decisions) {
                kept += Self.cost(trace, decision)
                if decision.isOutline { outlines += 1 }
                guard trace.hasError else {
                    #expect(!decision.isOutline)
                    continue
                }
                errors += 1
                #expect(decision.isKept && decision.probability == 1)
                #expect(
                    decision.isOutline
                        == (decision.wholeProbability < 1
                            && trace.randomness < Randomness.threshold(probability: decision.wholeProbability)))
                #expect(decision.wholeProbability > 0)
            }
            #expect(kept <= 2000 * 1.05)
            #expect(kept >= 2000 * 0.95)
        }
        #expect(outlines > errors / 2 && outlines < errors)
        #expect(sampler.counters.outlines == UInt64(outlines) && sampler.counters.leftOutCost > 0)
    }

    @Test("traces with an error that all fit are kept whole")
    func whole() {
        var random = SeededRandom(seed: 3)
        var sampler = BudgetSampler(settings: BudgetSettings(rate: 4000))
        for tick in 1...30 {
            let traces = Self.batch(&random, count: 400, errorShare: 0.1)
            let decisions = sampler.decide(traces, at: Self.start + Int64(tick) * 1000)
            for (trace, decision) in zip(traces, decisions) where trace.hasError {
                #expect(decision.isKept && !decision.isOutline && !decision.hasOutline && decision.probability == 1)
            }
        }
    }

    @Test("a budget in traces, one without outlines and a dry run keep nothing in outline")
    func without() {
        var random = SeededRandom(seed: 4)
        var settings = [BudgetSettings(rate: 50, unit: .traces), BudgetSettings(rate: 500), BudgetSettings(rate: 500)]
        settings[1].mustKeep.outlines = false
        settings[2].isDryRun = true
        var samplers = settings.map { BudgetSampler(settings: $0) }
        for tick in 1...20 {
            let traces = Self.batch(&random, count: 300, errorShare: 0.5)
            for index in samplers.indices {
                let decisions = samplers[index].decide(traces, at: Self.start + Int64(tick) * 1000)
                #expect(decisions.allSatisfy { !$0.isOutline && !$0.hasOutline })
                if index == 2 {
                    // What is kept anyway stands for itself, also where the budget would have given it a weight.
                    #expect(decisions.allSatisfy { $0.isKept && $0.probability == 1 && $0.threshold == 0 })
                    #expect(decisions.contains { ($0.dryRunProbability ?? 1) < 1 })
                }
            }
        }
    }

    /// With 20 spans per second a tick holds a trace, and many ticks are planned together; with 400 a tick is decided as a whole. The
    /// outlines themselves fit, or do not.
    @Test(
        "traces, their errors and all their spans are counted right from outlines and whole traces, over 200 seeds",
        arguments: [(400.0, 60, 0.1), (400.0, 60, 0.6), (20.0, 8, 0.1), (20.0, 8, 0.6)])
    func unbiased(rate: Double, tracesPerTick: Int, outlineShare: Double) {
        var deviations: [String: [Double]] = [:]
        for seed in 1...200 {
            var random = SeededRandom(seed: UInt64(seed))
            var sampler = BudgetSampler(settings: BudgetSettings(rate: rate))
            var exact: [String: Double] = [:]
            var estimate: [String: Double] = [:]
            for tick in 1...(rate > 100 ? 40 : 250) {
                let traces = Self.batch(&random, count: tracesPerTick, errorShare: 0.4, outlineShare: outlineShare)
                let decisions = sampler.decide(traces, at: Self.start + Int64(tick) * 1000)
                for (trace, decision) in zip(traces, decisions) {
                    let outline = Double(trace.outlineSpanCount)
                    let beyond = Double(trace.spanCount) - outline
                    exact["traces", default: 0] += 1
                    exact["errors", default: 0] += trace.hasError ? 1 : 0
                    exact["spans", default: 0] += outline + beyond
                    exact["beyond outlines", default: 0] += trace.hasError ? beyond : 0
                    guard decision.isKept else { continue }
                    estimate["traces", default: 0] += decision.weight
                    estimate["errors", default: 0] += trace.hasError ? decision.weight : 0
                    // A trace's own record says how many spans it had; or the spans are counted, each with its own weight.
                    estimate["spans", default: 0] += (outline + beyond) * decision.weight
                    if !decision.isOutline, trace.hasError {
                        estimate["beyond outlines", default: 0] += beyond / decision.wholeProbability
                    }
                }
            }
            for (name, value) in exact { deviations[name, default: []].append((estimate[name] ?? 0) / value - 1) }
        }
        for (name, values) in deviations.sorted(by: { $0.key < $1.key }) {
            let mean = values.reduce(0, +) / Double(values.count)
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
            let error = (variance / Double(values.count)).squareRoot()
            print("rate \(rate), outlines of \(outlineShare): \(name) \(mean) ± \(error)")
            #expect(abs(mean) <= 3 * error, "\(name): \(mean) ± \(error)")
        }
    }

    @Test("debts are no reason to see fewer errors: after a giant trace outlines are kept as before")
    func debts() {
        var random = SeededRandom(seed: 6)
        var sampler = BudgetSampler(settings: BudgetSettings(rate: 30))
        var before = 0.0
        var after = 0.0
        for tick in 1...2400 {
            let time = Self.start + Int64(tick) * 1000
            let traces = Self.batch(&random, count: 2, errorShare: 0.5)
            let decisions = sampler.decide(traces, at: time)
            if tick == 1800 { sampler.charge(seconds: 200) }
            for (trace, decision) in zip(traces, decisions) where trace.hasError && tick > 1200 {
                if tick <= 1800 { before += decision.probability } else { after += decision.probability }
            }
        }
        #expect(sampler.balance < 0)
        #expect(after > 0.9 * before, "\(after) of \(before)")
    }

    @Test(
        "in debt, after pauses, with slow traces and new shapes every trace has a chance, and no more than one",
        arguments: [1, 2, 3, 4, 5, 6])
    func chances(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let rate = [2.0, 10, 60, 100, 150, 300][seed % 6]
        var settings = BudgetSettings(rate: rate)
        settings.rules = [
            BudgetRule(name: "own", action: .ownBudget(rate: rate / 5)), BudgetRule(name: "kept", action: .mustKeep),
        ]
        var sampler = BudgetSampler(settings: settings)
        var time = Self.start
        for tick in 1...3000 {
            // Now and then a pause after which everything comes at once.
            let isLate = Int.random(in: 0..<50, using: &random) == 0
            time += isLate ? Int64.random(in: 1...400, using: &random) * 1000 : 1000
            var traces = Self.batch(
                &random, count: isLate ? 80 : Int.random(in: 1...4, using: &random),
                errorShare: tick % 500 < 100 ? 0.9 : 0.2)
            for index in traces.indices {
                traces[index].duration = UInt64.random(in: 1_000_000...1_000_000_000, using: &random)
                // At times everything becomes slower and slower.
                if tick % 700 > 500 { traces[index].duration += UInt64(tick % 700) * 1_000_000_000 }
                if Int.random(in: 0..<20, using: &random) == 0 { traces[index].spanCount *= 20 }
                if Int.random(in: 0..<9, using: &random) == 0 { traces[index].shape = random.next() }
                traces[index].rules = UInt64.random(in: 0..<8, using: &random) & 3
            }
            if Int.random(in: 0..<400, using: &random) == 0 { sampler.charge(seconds: 250) }
            for decision in sampler.decide(traces, at: time) {
                #expect(
                    decision.probability > 0 && decision.probability <= 1, "seed \(seed), rate \(rate), tick \(tick)")
                #expect(decision.wholeProbability > 0 && decision.wholeProbability <= decision.probability)
            }
        }
    }

    /// Slow traces took what a debt had left to all, and the rest had no chance.
    @Test("while a debt is paid, and slow traces have most of the spans, the rest has a chance")
    func restInDebt() {
        var random = SeededRandom(seed: 9)
        var settings = BudgetSettings(rate: 100)
        settings.coverage = nil
        var sampler = BudgetSampler(settings: settings)
        var slow = 0
        for tick in 1...3000 {
            // What was left over, and as much again.
            if tick == 2000 || tick == 2001 { sampler.charge(seconds: 300) }
            var traces = Self.batch(&random, count: 2, errorShare: 0)
            for index in traces.indices {
                let isSlow = Int.random(in: 0..<120, using: &random) == 0
                traces[index].key = 1
                traces[index].duration =
                    isSlow ? 5_000_000_000 : UInt64.random(in: 1_000_000..<2_000_000, using: &random)
                traces[index].spanCount = isSlow ? 4000 : 2
            }
            for decision in sampler.decide(traces, at: Self.start + Int64(tick) * 1000) {
                #expect(decision.probability > 0, "tick \(tick), \(decision.tier)")
                if decision.tier == .slow { slow += 1 }
            }
        }
        #expect(slow > 20, "\(slow)")
    }

    @Test(
        "a state with outlines goes on as if nothing had happened",
        arguments: [15.0, 300.0])
    func state(rate: Double) {
        var random = SeededRandom(seed: 7)
        let settings = BudgetSettings(rate: rate)
        var sampler = BudgetSampler(settings: settings)
        for tick in 1...60 {
            let traces = Self.batch(&random, count: 50, errorShare: 0.5)
            var continued = BudgetSampler(settings: settings)
            let isRestored = continued.restore(sampler.serialized())
            #expect(isRestored)
            let time = Self.start + Int64(tick) * 1000
            #expect(continued.decide(traces, at: time) == sampler.decide(traces, at: time))
        }
        #expect(sampler.counters.outlines > 0)
    }

    @Test("a state of the version before outlines is read, and saved so that it can be read again")
    func earlierState() throws {
        var random = SeededRandom(seed: 10)
        let settings = BudgetSettings(rate: 5000)
        var sampler = BudgetSampler(settings: settings)
        _ = sampler.decide(Self.batch(&random, count: 50, errorShare: 0.5), at: Self.start)
        // Without a plan, version 3 has two numbers more: behind the version, the tick and seven numbers.
        var state = sampler.serialized()
        #expect(state[0] == 3)
        let tickEnd = try #require(state.dropFirst().firstIndex { $0 < 0x80 }) + 1
        state[0] = 2
        state.removeSubrange(tickEnd + 56..<tickEnd + 72)
        var continued = BudgetSampler(settings: settings)
        let isRead = continued.restore(state)
        #expect(isRead)
        var again = BudgetSampler(settings: settings)
        let isReadAgain = again.restore(continued.serialized())
        #expect(isReadAgain)
        let traces = Self.batch(&random, count: 50, errorShare: 0.5)
        #expect(again.decide(traces, at: Self.start + 1000) == sampler.decide(traces, at: Self.start + 1000))
    }

    @Test("what a new sampler borrows for its first shapes is bounded, and paid back")
    func loan() {
        var random = SeededRandom(seed: 8)
        var sampler = BudgetSampler(settings: BudgetSettings(rate: 10))
        var kept = 0.0
        var largest = 0.0
        for tick in 1...20_000 {
            var traces = Self.batch(&random, count: 1, errorShare: 0)
            // Every trace of the first hour has a shape of its own.
            if tick < 3600 { traces[0].shape = UInt64(tick) }
            let decisions = sampler.decide(traces, at: Self.start + Int64(tick) * 1000)
            kept += Self.cost(traces[0], decisions[0])
            largest = max(largest, kept - 10 * Double(tick))
        }
        // Half of the budget for ten minutes, and a few traces.
        #expect(largest > 300 && largest < 3600, "\(largest)")
        #expect(abs(kept / 200_000 - 1) < 0.01, "\(kept)")
    }
}
