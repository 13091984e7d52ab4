import Sampling
import Testing
import Workbench

struct BudgetPromiseTests {
    private static func step(seed: UInt64, scale: Double = 1, phase: Int = 20) -> SyntheticTraffic {
        var settings = SyntheticTraffic.Settings { second in
            (second >= phase && second < 2 * phase ? 100_000 : 10_000) * scale
        }
        settings.seed = seed
        settings.duration = 3 * phase
        return SyntheticTraffic(settings)
    }

    @Test("the budget holds to 1 % over 10 s and to 5 % in any second through a 10x step", arguments: [1, 2])
    func budget(seed: Int) {
        let run = ScenarioRun(Self.step(seed: UInt64(seed)), BudgetSettings(rate: 2000))
        print("any second", run.largestError(over: 1, rate: 2000), "10 s", run.largestError(over: 10, rate: 2000),
            "coverage", run.coverage, "errors", run.errorsKept, run.errorsOffered, run.sampler.counters,
            "estimate", run.estimate / run.exact - 1, run.sampler.byteCount)
        #expect(run.largestError(over: 10, rate: 2000) <= 0.01)
        #expect(run.largestError(over: 1, rate: 2000) <= 0.05)
        #expect(run.coverage == 1)
        #expect(run.errorsKept == run.errorsOffered)
    }
}
