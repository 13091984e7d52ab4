import Sampling
import Testing
import TraceModel
import Workbench

/// What docs/adaptive-sampling.md promises, on made-up traffic; seeds and rates are the tests' arguments.
struct BudgetPromiseTests {
    /// 10x up and down.
    private static func step(seed: UInt64, base: Double = 10_000, phase: Int = 20) -> SyntheticTraffic {
        var settings = SyntheticTraffic.Settings { second in
            second >= phase && second < 2 * phase ? base * 10 : base
        }
        settings.seed = seed
        settings.duration = 3 * phase
        return SyntheticTraffic(settings)
    }

    @Test(
        "the budget holds to 1 % over any 10 s and to 5 % in any second through a 10x step, and settles in a tick",
        arguments: [(1, 2000.0), (2, 2000.0), (3, 1000.0), (4, 5000.0)])
    func budget(seed: Int, rate: Double) {
        let run = ScenarioRun(Self.step(seed: UInt64(seed)), BudgetSettings(rate: rate))
        #expect(run.largestError(over: 10, rate: rate) <= 0.01)
        // Also in the first second after each step: it settles within a tick.
        #expect(run.largestError(over: 1, rate: rate) <= 0.05)
        #expect(run.coverage == 1)
    }

    @Test("a step from below the budget never takes more than 1.05 times the budget in a second", arguments: [1, 2, 3])
    func peak(seed: Int) {
        let run = ScenarioRun(Self.step(seed: UInt64(seed), base: 1000), BudgetSettings(rate: 2000))
        #expect((run.kept.max() ?? 0) <= 2000 * 1.05)
        #expect(run.kept[0..<20].elementsEqual(run.offered[0..<20]), "below the budget everything is kept")
        // Within the step the budget is used.
        #expect(run.kept[20..<40].allSatisfy { $0 >= 2000 * 0.95 })
    }

    @Test(
        "every key and shape is kept in every 60 s while that costs at most half of the budget", arguments: [1, 2, 3])
    func coverage(seed: Int) {
        // 200 operations with three shapes and errors; most pairs come once or twice in a window.
        var settings = SyntheticTraffic.Settings { $0 % 50 < 25 ? 8_000 : 40_000 }
        settings.seed = UInt64(seed)
        settings.duration = 150
        let run = ScenarioRun(SyntheticTraffic(settings), BudgetSettings(rate: 1000))
        #expect(run.pairsOffered.count > 1000)
        #expect(run.coverage == 1)
        #expect(run.largestError(over: 1, rate: 1000) <= 0.05)
    }

    @Test("every error is kept while errors cost at most 80 % of what coverage leaves", arguments: [1, 2, 3])
    func errors(seed: Int) {
        let run = ScenarioRun(Self.step(seed: UInt64(seed)), BudgetSettings(rate: 2000))
        #expect(run.errorsOffered > 1500)
        #expect(run.errorsKept == run.errorsOffered)
    }

    @Test("when everything fails, as many errors as fit are kept, and the budget holds", arguments: [1, 2])
    func allErrors(seed: Int) {
        var settings = SyntheticTraffic.Settings { _ in 20_000 }
        settings.seed = UInt64(seed)
        settings.duration = 30
        settings.errorShare = { $0 < 15 ? 0.01 : 1 }
        let run = ScenarioRun(SyntheticTraffic(settings), BudgetSettings(rate: 2000))
        #expect(run.largestError(over: 1, rate: 2000) <= 0.05)
        #expect(run.largestError(over: 10, rate: 2000) <= 0.01)
        #expect(abs(run.estimate / run.exact - 1) < 0.1)
    }

    @Test("a hundred thousand distinct keys neither break the budget nor take more than 64 MB", arguments: [1])
    func cardinality(seed: Int) {
        var settings = SyntheticTraffic.Settings { _ in 30_000 }
        settings.seed = UInt64(seed)
        settings.duration = 80
        settings.uniqueKeyShare = { $0 >= 15 ? 0.8 : 0 }
        let run = ScenarioRun(SyntheticTraffic(settings), BudgetSettings(rate: 2000))
        #expect(run.pairsOffered.count > 100_000)
        #expect(run.largestError(over: 10, rate: 2000) <= 0.01)
        #expect(run.largestError(over: 1, rate: 2000) <= 0.05)
        #expect(run.sampler.byteCount <= 64 << 20)
        #expect(run.sampler.serialized().count <= 1 << 20)
        #expect(run.sampler.counters.coverageSuspendedTicks > 10)
        #expect(run.errorsKept == run.errorsOffered)
        #expect(abs(run.estimate / run.exact - 1) < 0.05)
    }
}
