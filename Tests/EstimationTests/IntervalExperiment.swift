import Estimation
import Glibc

/// SplitMix64.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// In (0, 1).
    mutating func uniform() -> Double { Double.random(in: 0..<1, using: &self).nextUp }

    /// Box and Muller.
    mutating func normal() -> Double { (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform()) }
}

/// How often the 95 % intervals of a sample contain what is true of all traffic: made-up traffic is drawn and sampled anew for
/// every seed, each trace independently with its probability, and the exact figures are counted beside.
struct IntervalExperiment {
    /// How probabilities differ.
    enum Weights: String, CaseIterable {
        case equal = "equal, 10"
        case logUniform = "log-uniform, 1 to 100"
        case levels = "2, 10 and 50, equally many traces"
        case levelsOfSample = "2, 10 and 50, equally many kept"
        case certainAndHeavy = "1 (11 traces) and 80"
        case lightAndHeavy = "1.3 and 80 (90 % of the traces)"
        case rootOfCost = "square root of heavy-tailed costs"
        case inverseOfCost = "inverse of heavy-tailed costs"
    }

    /// How errors are sampled.
    enum Errors: String, CaseIterable {
        /// As other traces.
        case asOthers = "as others"
        /// Half of the weight.
        case twice = "twice as likely"
        /// A policy keeps all of them.
        case always = "all kept"
    }

    var weights: Weights
    /// Traces that are sampled on average, besides those that are sure to be kept.
    var sampleSize: Double
    var errorShare = 0.05
    var errors = Errors.asOthers

    static let names = ["traces", "errors", "spans", "error rate", "p50", "p95"]

    struct Outcome {
        /// Runs in which the truth is below and above the interval, in the order of `names`.
        var below = [Int](repeating: 0, count: names.count)
        var above = [Int](repeating: 0, count: names.count)
        /// Widths in relation to the truth.
        var widths = [[Double]](repeating: [], count: names.count)
        /// Runs that kept anything.
        var runs = 0

        func coverage(_ index: Int) -> Double { 1 - Double(below[index] + above[index]) / Double(max(1, runs)) }
        func medianWidth(_ index: Int) -> Double {
            widths[index].isEmpty ? 0 : widths[index].sorted()[widths[index].count / 2]
        }

        mutating func add(_ index: Int, _ estimate: Estimate, exact: Double) {
            let slack = abs(exact) * 1e-9
            if exact < estimate.lower - slack { below[index] += 1 }
            if exact > estimate.upper + slack { above[index] += 1 }
            widths[index].append((estimate.upper - estimate.lower) / (exact > 0 ? exact : 1))
        }
    }

    private struct Trace {
        var probability: Double
        var spans: Int
        var isError: Bool
        var duration: UInt64
    }

    private func trace(_ random: inout SeededRandom) -> Trace {
        var spans = 1 + Int(log(random.uniform()) / log(1 - 1.0 / 8))
        func heavyTailed() -> Int { Int(min(5000, (pow(random.uniform(), -1 / 1.2) * 3 - 2).rounded(.up))) }
        var probability: Double
        switch weights {
        case .equal: probability = 0.1
        case .logUniform: probability = pow(10, -2 * random.uniform())
        case .levels: probability = [0.5, 0.1, 0.02][Int.random(in: 0..<3, using: &random)]
        case .levelsOfSample:
            let number = Int.random(in: 0..<62, using: &random)
            probability = number < 2 ? 0.5 : number < 12 ? 0.1 : 0.02
        case .certainAndHeavy: probability = 1.0 / 80
        case .lightAndHeavy: probability = random.uniform() < 0.1 ? 1 / 1.3 : 1.0 / 80
        case .rootOfCost:
            spans = heavyTailed()
            probability = 0.3 / Double(spans).squareRoot()
        case .inverseOfCost:
            spans = heavyTailed()
            probability = min(1, 0.01 * Double(spans))
        }
        let isError = random.uniform() < errorShare
        if isError {
            switch errors {
            case .asOthers: break
            case .twice: probability = min(1, 2 * probability)
            case .always: probability = 1
            }
        }
        return Trace(
            probability: probability, spans: spans, isError: isError, duration: UInt64(exp(10 + 1.5 * random.normal())))
    }

    func run(seeds: Range<UInt64>) -> Outcome {
        var random = SeededRandom(state: seeds.lowerBound &* 0x2545_f491_4f6c_dd1d)
        // How many traces there are for the sample to have the size.
        let share = (0..<20_000).reduce(0.0) { sum, _ in
            let probability = trace(&random).probability
            return sum + (probability < 1 ? probability : 0) / 20_000
        }
        let size = max(2, Int((sampleSize / share).rounded()))
        var outcome = Outcome()
        for seed in seeds {
            random = SeededRandom(state: seed)
            var traces = (0..<size).map { _ in trace(&random) }
            if weights == .certainAndHeavy {
                for _ in 0..<11 {
                    traces.append(trace(&random))
                    traces[traces.count - 1].probability = 1
                }
            }
            measure(traces, &random, &outcome)
        }
        return outcome
    }

    private func measure(_ traces: [Trace], _ random: inout SeededRandom, _ outcome: inout Outcome) {
        var sample = TrafficEstimator()
        for trace in traces where random.uniform() < trace.probability {
            sample.add(
                probability: trace.probability, isError: trace.isError, duration: trace.duration, spanCount: trace.spans
            )
        }
        guard sample.sampleCount > 0, let rate = sample.errorRate else { return }
        outcome.runs += 1
        let errors = Double(traces.count { $0.isError })
        outcome.add(0, sample.count, exact: Double(traces.count))
        outcome.add(1, sample.errorCount, exact: errors)
        outcome.add(2, sample.spanCount, exact: Double(traces.reduce(0) { $0 + $1.spans }))
        outcome.add(3, rate, exact: errors / Double(traces.count))
        let durations = traces.map(\.duration).sorted()
        for (index, percentile) in zip(4..., sample.percentiles([0.5, 0.95])) {
            let share = [0.5, 0.95][index - 4]
            let exact = durations[NearestRank.index(share, of: durations.count)]
            if let percentile { outcome.add(index, percentile, exact: Double(exact)) }
        }
    }
}
