import Sampling

/// What a sampler under comparison did with one trace.
package struct SimulatedDecision: Sendable {
    package var isKept: Bool
    package var probability: Double
    /// Only the spans with an error and those above them.
    package var isOutline = false
}

/// A sampler under comparison.
package protocol SimulatedSampler {
    var name: String { get }
    /// Decides the traces of a tick, in their order.
    ///
    /// - Parameters:
    ///   - start: beginning of the tick, milliseconds.
    ///   - end: its end.
    mutating func decide(_ batch: [SimulatedTrace], from start: Int64, to end: Int64) -> [SimulatedDecision]
}

/// Ours.
package struct SimulatedBudget: SimulatedSampler {
    package let name: String
    package private(set) var sampler: BudgetSampler

    package init(name: String = "budget", _ settings: BudgetSettings) {
        self.name = name
        sampler = BudgetSampler(settings: settings)
    }

    package mutating func decide(_ batch: [SimulatedTrace], from start: Int64, to end: Int64) -> [SimulatedDecision] {
        sampler.decide(batch.map(\.trace), at: end).map {
            SimulatedDecision(isKept: $0.isKept, probability: $0.probability, isOutline: $0.isOutline)
        }
    }
}

/// Refinery's: a rate per key, and each trace on its own when it comes.
package struct SimulatedDynamic: SimulatedSampler {
    package let name: String
    private var sampler: DynamicSampler

    package init(name: String, _ algorithm: DynamicSampler.Algorithm) {
        self.name = name
        sampler = DynamicSampler(algorithm)
    }

    package mutating func decide(_ batch: [SimulatedTrace], from start: Int64, to end: Int64) -> [SimulatedDecision] {
        batch.map { item in
            let rate = sampler.rate(
                of: item.trace.key, count: Double(item.trace.spanCount), at: start + Int64(item.offset))
            return SimulatedDecision(
                isKept: Randomness.uniform(item.trace.randomness) <= 1 / rate, probability: 1 / rate)
        }
    }
}

/// One share of everything.
package struct SimulatedShare: SimulatedSampler {
    package let name: String
    private let share: Double

    package init(name: String, share: Double) {
        self.name = name
        self.share = min(1, share)
    }

    package mutating func decide(_ batch: [SimulatedTrace], from start: Int64, to end: Int64) -> [SimulatedDecision] {
        batch.map {
            SimulatedDecision(isKept: Randomness.uniform($0.trace.randomness) <= share, probability: share)
        }
    }
}

/// A token bucket, as the Collector's `rate_limiting`: it knows no probability, so what it keeps stands for itself only.
package struct SimulatedTokenBucket: SimulatedSampler {
    package let name: String
    private let rate: Double
    private var tokens: Double
    private var last: Double?

    package init(name: String, rate: Double) {
        self.name = name
        self.rate = rate
        tokens = rate * 2
    }

    package mutating func decide(_ batch: [SimulatedTrace], from start: Int64, to end: Int64) -> [SimulatedDecision] {
        batch.map { item in
            let now = Double(start) + item.offset
            tokens = min(rate * 2, tokens + rate * max(0, now - (last ?? now)) / 1000)
            last = now
            let cost = Double(item.trace.spanCount)
            guard tokens >= cost else { return SimulatedDecision(isKept: false, probability: 1) }
            tokens -= cost
            return SimulatedDecision(isKept: true, probability: 1)
        }
    }
}
