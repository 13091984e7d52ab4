import Sampling
import Workbench

/// A budget sampler on made-up traffic, with what was kept by second.
struct ScenarioRun {
    var offered: [Double] = []
    var kept: [Double] = []
    var errorsOffered = 0
    var errorsKept = 0
    var pairsOffered: Set<[UInt64]> = []
    var pairsKept: Set<[UInt64]> = []
    var sampler: BudgetSampler
    var estimate = 0.0
    var exact = 0.0
    var variance = 0.0

    init(_ traffic: SyntheticTraffic, _ settings: BudgetSettings) {
        sampler = BudgetSampler(settings: settings)
        var traffic = traffic
        let start = traffic.settings.startTime
        var time = start
        while let batch = traffic.next() {
            time += traffic.tick
            let decisions = sampler.decide(batch.map(\.trace), at: time)
            let second = Int((time - 1 - start) / 1000)
            while offered.count <= second {
                offered.append(0)
                kept.append(0)
            }
            let window = UInt64((time - 1) / 60_000)
            for (index, decision) in decisions.enumerated() {
                let trace = batch[index].trace
                let cost = Double(trace.spanCount)
                offered[second] += cost
                exact += 1
                pairsOffered.insert([window, trace.key, trace.shape])
                if trace.hasError { errorsOffered += 1 }
                guard decision.isKept else { continue }
                kept[second] += cost
                pairsKept.insert([window, trace.key, trace.shape])
                if trace.hasError { errorsKept += 1 }
                estimate += decision.weight
                variance += decision.weight * (decision.weight - 1)
            }
        }
    }

    /// Largest deviation of the mean over any `seconds` from the rate, as a share of it.
    func largestError(over seconds: Int, rate: Double) -> Double {
        guard kept.count >= seconds else { return 0 }
        return (0...(kept.count - seconds)).map { first in
            let sum = kept[first..<(first + seconds)].reduce(0, +)
            return abs(sum / (rate * Double(seconds)) - 1)
        }.max() ?? 0
    }

    var coverage: Double { Double(pairsKept.count) / Double(max(1, pairsOffered.count)) }
}
