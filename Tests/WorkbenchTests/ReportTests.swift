import Sampling
import Testing
import Workbench

struct ReportTests {
    @Test("ours holds the budget where the samplers it is compared with do not, on the same traffic")
    func comparison() throws {
        var settings = SyntheticTraffic.Settings { (60..<90).contains($0) ? 25_000 : 2500 }
        settings.duration = 120
        settings.seed = 11
        var simulation = Simulation(
            rate: 500, unit: .spans,
            samplers: [SimulatedBudget(BudgetSettings(rate: 500))]
                + Simulation.compared(rate: 500, unit: .spans, meanOffered: 2500))
        simulation.run(SyntheticTraffic(settings))
        let budget = try #require(simulation.outcomes.first { $0.name == "budget" })
        #expect(budget.largestError(over: 10, rate: 500, offered: simulation.offered) <= 0.01)
        #expect(budget.peak(rate: 500) <= 1.05)
        // All errors only while they cost at most 80 % of what coverage leaves: at 10x they are half of the budget, and in the
        // first tick of a coverage window the other half covers.
        #expect(budget.errorRecall > 0.99)
        #expect(budget.keyCoverage == 1)
        #expect(abs(budget.countBias(traces: simulation.traceCount)) < 0.1)
        let refinery = try #require(simulation.outcomes.first { $0.name == "ema_throughput" })
        #expect(refinery.peak(rate: 500) > 3)
        let bucket = try #require(simulation.outcomes.first { $0.name == "rate_limiting" })
        #expect(bucket.countBias(traces: simulation.traceCount) < -0.5)

        let report = SimulationReport(title: "a <step>", simulation: simulation, steps: [60, 90])
        #expect(report.table.split(separator: "\n").count == 2 + simulation.outcomes.count)
        #expect(report.html.contains("a &lt;step&gt;"))
        #expect(report.html.contains("<svg") && !report.html.contains("http"))
        // One line per sampler in two plots, and the offered load.
        #expect(report.html.split(separator: "<polyline").count - 1 == 2 * simulation.outcomes.count + 1)
    }

    @Test("the same seed makes the same traffic, another seed another", arguments: Scenario.allCases)
    func seeds(scenario: Scenario) {
        func first(_ seed: UInt64) -> [UInt64] {
            var traffic = scenario.traffic(rate: 100, seed: seed, tick: 1000)
            return (traffic.next() ?? []).map(\.trace.randomness)
        }
        #expect(first(3) == first(3))
        #expect(first(3) != first(4))
    }
}
