import Estimation
import Sampling

/// Runs samplers on the same traffic and measures what they do.
package struct Simulation {
    /// What one sampler did.
    package struct Outcome: Sendable {
        package var name: String
        /// Cost kept in each second, in the budget's unit.
        package var kept: [Double] = []
        package var keysOffered: Set<[UInt64]> = []
        package var keysKept: Set<[UInt64]> = []
        package var shapesOffered: Set<[UInt64]> = []
        package var shapesKept: Set<[UInt64]> = []
        package var rareOffered: Set<[UInt64]> = []
        package var rareKept: Set<[UInt64]> = []
        package var errorsOffered = 0
        package var errorsKept = 0
        /// Those of them of which only the outline is kept.
        package var outlinesKept = 0
        package var estimator = TrafficEstimator()
        /// Deviation of the estimated number of traces from the exact one, by ten seconds.
        package var bias: [Double] = []
        var estimatedNow = 0.0
        var exactNow = 0.0
    }

    package let rate: Double
    package let unit: BudgetUnit
    package private(set) var offered: [Double] = []
    package private(set) var outcomes: [Outcome] = []
    package private(set) var traceCount = 0
    private var samplers: [any SimulatedSampler]
    private let coverageInterval: Int64

    package init(rate: Double, unit: BudgetUnit, samplers: [any SimulatedSampler], coverageInterval: Int64 = 60_000) {
        self.rate = rate
        self.unit = unit
        self.samplers = samplers
        self.coverageInterval = coverageInterval
        outcomes = samplers.map { Outcome(name: $0.name) }
    }

    /// - Parameter startTime: a multiple of the coverage interval, milliseconds.
    package mutating func run(_ traffic: some SimulatedTraffic, startTime: Int64 = 1_700_000_040_000) {
        var traffic = traffic
        var time = startTime
        while let batch = traffic.next() {
            let end = time + traffic.tick
            let second = Int((end - 1 - startTime) / 1000)
            while offered.count <= second { beginSecond() }
            for item in batch { offered[second] += cost(item) }
            traceCount += batch.count
            for index in samplers.indices {
                let decisions = samplers[index].decide(batch, from: time, to: end)
                count(batch, decisions, second: second, window: UInt64((end - 1) / coverageInterval), in: index)
            }
            time = end
        }
        finishBias()
    }

    private mutating func beginSecond() {
        if offered.count > 0, offered.count % 10 == 0 { finishBias() }
        offered.append(0)
        for index in outcomes.indices { outcomes[index].kept.append(0) }
    }

    private mutating func finishBias() {
        for index in outcomes.indices {
            let exact = outcomes[index].exactNow
            outcomes[index].bias.append(exact > 0 ? outcomes[index].estimatedNow / exact - 1 : 0)
            outcomes[index].estimatedNow = 0
            outcomes[index].exactNow = 0
        }
    }

    private func cost(_ item: SimulatedTrace, isOutline: Bool = false) -> Double {
        switch unit {
        case .spans: Double(isOutline ? item.trace.outlineSpanCount : item.trace.spanCount)
        case .bytes: Double(isOutline ? item.trace.outlineByteCount : item.trace.byteCount)
        case .traces: 1
        }
    }

    private mutating func count(
        _ batch: [SimulatedTrace], _ decisions: [SimulatedDecision], second: Int, window: UInt64, in index: Int
    ) {
        for (item, decision) in zip(batch, decisions) {
            let trace = item.trace
            let key = [window, trace.key]
            let shape = [window, trace.shape]
            outcomes[index].keysOffered.insert(key)
            outcomes[index].shapesOffered.insert(shape)
            if item.isRare { outcomes[index].rareOffered.insert(key) }
            if trace.hasError { outcomes[index].errorsOffered += 1 }
            outcomes[index].exactNow += 1
            guard decision.isKept else { continue }
            outcomes[index].kept[second] += cost(item, isOutline: decision.isOutline)
            outcomes[index].keysKept.insert(key)
            // What was not on the way to an error is not seen in an outline.
            if !decision.isOutline { outcomes[index].shapesKept.insert(shape) }
            if decision.isOutline { outcomes[index].outlinesKept += 1 }
            if item.isRare { outcomes[index].rareKept.insert(key) }
            if trace.hasError { outcomes[index].errorsKept += 1 }
            outcomes[index].estimatedNow += 1 / decision.probability
            outcomes[index].estimator.add(
                probability: decision.probability, isError: trace.hasError, duration: trace.duration,
                spanCount: Int(trace.spanCount))
        }
    }

    /// The samplers that are compared with a budget: the same goal, as far as they can be told one.
    package static func compared(rate: Double, unit: BudgetUnit, meanOffered: Double) -> [any SimulatedSampler] {
        // Refinery's count spans; a budget in bytes or traces is translated by what a trace has on average.
        let spans: Double =
            switch unit {
            case .spans: rate
            case .bytes: rate / 400
            case .traces: rate * 10
            }
        return [
            SimulatedDynamic(
                name: "ema_throughput", .movingThroughput(goal: spans, initialRate: 10, .init())),
            SimulatedDynamic(name: "total_throughput", .total(goal: spans, interval: 30_000)),
            SimulatedDynamic(
                name: "windowed_throughput", .windowed(goal: spans, update: 1000, lookback: 30_000)),
            SimulatedShare(name: "deterministic", share: spans / max(1, meanOffered)),
            SimulatedTokenBucket(name: "rate_limiting", rate: spans),
        ]
    }
}

extension Simulation.Outcome {
    private static func share(_ kept: Int, _ offered: Int) -> Double {
        offered == 0 ? 1 : Double(kept) / Double(offered)
    }

    package var keyCoverage: Double { Self.share(keysKept.count, keysOffered.count) }
    package var shapeCoverage: Double { Self.share(shapesKept.count, shapesOffered.count) }
    package var rareCoverage: Double { Self.share(rareKept.count, rareOffered.count) }
    package var errorRecall: Double { Self.share(errorsKept, errorsOffered) }

    /// Deviation of the estimated number of traces over the whole run.
    package func countBias(traces: Int) -> Double { estimator.count.value / Double(max(1, traces)) - 1 }

    /// The most kept in any second, as a multiple of the budget.
    package func peak(rate: Double) -> Double { (kept.max() ?? 0) / rate }

    /// The largest deviation over any `seconds` in which more was offered than the budget, as a share of the budget.
    package func largestError(over seconds: Int, rate: Double, offered: [Double]) -> Double {
        guard kept.count >= seconds else { return 0 }
        var largest = 0.0
        for first in 0...(kept.count - seconds) {
            let range = first..<(first + seconds)
            let sum = kept[range].reduce(0, +) / (rate * Double(seconds)) - 1
            // Nobody can keep what was not there.
            let isLoaded = offered[range].allSatisfy { $0 >= rate }
            largest = max(largest, isLoaded ? abs(sum) : sum)
        }
        return largest
    }

    /// Seconds after a step until what is kept stays within 10 % of the budget for ten seconds; nil where it never does.
    package func settleTime(after step: Int, rate: Double) -> Int? {
        guard step < kept.count else { return nil }
        for first in step..<kept.count where first + 10 <= kept.count {
            if kept[first..<(first + 10)].allSatisfy({ abs($0 / rate - 1) <= 0.1 }) { return first - step }
        }
        return nil
    }
}
