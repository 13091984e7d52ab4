import Estimation
import Sampling
import Testing
import Workbench

struct EstimateTests {
    /// One short run: estimates of everything, and the exact values beside them.
    private struct Outcome {
        var estimates: [Estimate] = []
        var exact: [Double] = []
    }

    private static let names = [
        "traces", "spans", "error rate", "median duration", "99th percentile", "traces of the most frequent operation",
        "traces of operation 5", "error rate of operation 0",
    ]

    private static func run(seed: UInt64, _ budget: BudgetSettings) -> Outcome {
        var settings = SyntheticTraffic.Settings { _ in 20_000 }
        settings.seed = seed
        settings.duration = 4
        settings.errorShare = { _ in 0.03 }
        var traffic = SyntheticTraffic(settings)
        var sampler = BudgetSampler(settings: budget)
        var time = settings.startTime
        var all = TrafficEstimator()
        var kept = TrafficEstimator()
        var allByOperation = [TrafficEstimator](repeating: TrafficEstimator(), count: 6)
        var keptByOperation = allByOperation
        while let batch = traffic.next() {
            time += traffic.tick
            let decisions = sampler.decide(batch.map(\.trace), at: time)
            for (item, decision) in zip(batch, decisions) {
                let trace = item.trace
                func add(_ estimator: inout TrafficEstimator, _ probability: Double) {
                    estimator.add(
                        probability: probability, isError: trace.hasError, duration: trace.duration,
                        spanCount: Int(trace.spanCount))
                }
                add(&all, 1)
                if item.operation < 6 { add(&allByOperation[item.operation], 1) }
                guard decision.isKept else { continue }
                add(&kept, decision.probability)
                if item.operation < 6 { add(&keptByOperation[item.operation], decision.probability) }
            }
        }
        func values(_ total: TrafficEstimator, _ operations: [TrafficEstimator]) -> [Estimate] {
            let percentiles = total.percentiles([0.5, 0.99]).map { $0 ?? .exact(0) }
            return [total.count, total.spanCount, total.errorRate ?? .exact(0)] + percentiles
                + [operations[0].count, operations[5].count, operations[0].errorRate ?? .exact(0)]
        }
        return Outcome(
            estimates: values(kept, keptByOperation), exact: values(all, allByOperation).map(\.value))
    }

    @Test(
        "counts, rates and percentiles are unbiased and their intervals hold in 93 to 97 % of 400 runs",
        arguments: [false, true])
    func estimates(mustKeepIsOverfull: Bool) {
        var budget = BudgetSettings(rate: mustKeepIsOverfull ? 600 : 2000)
        budget.mustKeep.slowerThan = mustKeepIsOverfull ? nil : 0.99
        var sums = [Double](repeating: 0, count: Self.names.count)
        var inside = [Int](repeating: 0, count: Self.names.count)
        let runs = 400
        for seed in 1...runs {
            let outcome = Self.run(seed: UInt64(seed), budget)
            for index in outcome.exact.indices {
                sums[index] += outcome.estimates[index].value / outcome.exact[index] - 1
                if outcome.estimates[index].contains(outcome.exact[index]) { inside[index] += 1 }
            }
        }
        for (index, name) in Self.names.enumerated() {
            print(name, sums[index] / Double(runs), Double(inside[index]) / Double(runs))
        }
    }
}
