/// Estimates all traffic from the traces that a sampler kept: counts, error rate, sums and percentiles, each with a 95 %
/// confidence interval.
///
/// A trace that was kept with probability *p* stands for `1/p` traces (Horvitz and Thompson 1952): sums are unbiased whatever
/// the probabilities are, as long as none is 0. The variance of a sum is estimated by `Σ w (w - 1) y²` with `w = 1/p`: under
/// priority sampling the covariances are zero for a count budget and nearly so for a cost budget (Duffield, Lund, Thorup
/// 2007). Rates are ratios of two sums, with the linearised variance; percentiles have Woodruff's interval (1952): the
/// percentiles at the ends of the distribution function's interval.
///
/// Traces that were kept without a probability (late error spans of a dropped trace) must not be added.
/// Holds 16 bytes per trace for the percentiles. A value; not synchronised.
public struct TrafficEstimator: Sendable {
    private struct Observation: Sendable {
        var duration: UInt64
        var weight: Double
    }

    /// Kept traces.
    public private(set) var sampleCount = 0
    public private(set) var sampleErrorCount = 0
    private var weightSum = 0.0
    private var countVariance = 0.0
    private var errorSum = 0.0
    /// `Σ w (w - 1)` over the traces with an error.
    private var errorVariance = 0.0
    private var spanSum = 0.0
    private var spanVariance = 0.0
    private var observations: [Observation] = []

    public init() {}

    /// Counts a kept trace.
    ///
    /// - Parameters:
    ///   - probability: with which it was kept, in (0, 1]; anything else is taken as 1.
    ///   - duration: nanoseconds.
    public mutating func add(probability: Double, isError: Bool, duration: UInt64, spanCount: Int = 1) {
        let weight = probability > 0 && probability < 1 ? 1 / probability : 1
        let variance = weight * (weight - 1)
        sampleCount += 1
        weightSum += weight
        countVariance += variance
        let spans = Double(spanCount)
        spanSum += weight * spans
        spanVariance += variance * spans * spans
        if isError {
            sampleErrorCount += 1
            errorSum += weight
            errorVariance += variance
        }
        observations.append(Observation(duration: duration, weight: weight))
    }

    /// All traces. Never below the number that was seen.
    public var count: Estimate {
        interval(weightSum, variance: countVariance, atLeast: Double(sampleCount))
    }

    /// Traces with an error.
    public var errorCount: Estimate {
        interval(errorSum, variance: errorVariance, atLeast: Double(sampleErrorCount))
    }

    /// Spans of all traces.
    public var spanCount: Estimate { interval(spanSum, variance: spanVariance, atLeast: 0) }

    /// Share of the traces that have an error, 0…1; nil without traces.
    public var errorRate: Estimate? {
        guard weightSum > 0 else { return nil }
        let rate = errorSum / weightSum
        // Σ w (w - 1) (e - rate)² with e = 1 for errors and 0 for others.
        let others = countVariance - errorVariance
        let variance = errorVariance * (1 - rate) * (1 - rate) + max(0, others) * rate * rate
        let half = Estimate.standardErrors * variance.squareRoot() / weightSum
        return Estimate(value: rate, lower: max(0, rate - half), upper: min(1, rate + half))
    }

    /// The duration that this share of all traces does not exceed, nanoseconds; nil without traces.
    public func percentile(_ share: Double) -> Estimate? { percentiles([share])[0] }

    /// Several percentiles for one sort.
    public func percentiles(_ shares: [Double]) -> [Estimate?] {
        guard !observations.isEmpty else { return shares.map { _ in nil } }
        let sorted = observations.sorted { $0.duration < $1.duration }
        var cumulative: [Double] = []
        cumulative.reserveCapacity(sorted.count)
        var sum = 0.0
        var variances: [Double] = []
        var variance = 0.0
        for observation in sorted {
            sum += observation.weight
            cumulative.append(sum)
            variance += observation.weight * (observation.weight - 1)
            variances.append(variance)
        }
        func duration(at share: Double) -> Double {
            let target = min(max(share, 0), 1) * sum
            let index = cumulative.partitioning { $0 >= target }
            return Double(sorted[min(index, sorted.count - 1)].duration)
        }
        return shares.map { share in
            let target = min(max(share, 0), 1) * sum
            let index = cumulative.partitioning { $0 >= target }
            let below = index < variances.count ? variances[index] : variance
            let spread = below * (1 - share) * (1 - share) + (variance - below) * share * share
            let half = Estimate.standardErrors * spread.squareRoot() / sum
            return Estimate(
                value: duration(at: share), lower: duration(at: share - half), upper: duration(at: share + half))
        }
    }

    private func interval(_ value: Double, variance: Double, atLeast: Double) -> Estimate {
        let half = Estimate.standardErrors * variance.squareRoot()
        return Estimate(value: value, lower: max(atLeast, value - half), upper: value + half)
    }
}

extension Array {
    /// The first index whose element meets the condition, where no element behind it fails it; `count` for none.
    fileprivate func partitioning(where condition: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if condition(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
