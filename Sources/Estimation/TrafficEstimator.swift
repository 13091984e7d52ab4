import Glibc

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
    private var traces = WeightedSum()
    private var errors = WeightedSum()
    private var spans = WeightedSum()
    private var observations: [Observation] = []

    public init() {}

    /// Counts a kept trace.
    ///
    /// - Parameters:
    ///   - probability: with which it was kept, in (0, 1]; anything else is taken as 1.
    ///   - duration: nanoseconds.
    public mutating func add(probability: Double, isError: Bool, duration: UInt64, spanCount: Int = 1) {
        let weight = probability > 0 && probability < 1 ? 1 / probability : 1
        sampleCount += 1
        traces.add(1, weight: weight)
        spans.add(Double(spanCount), weight: weight)
        if isError {
            sampleErrorCount += 1
            errors.add(1, weight: weight)
        }
        observations.append(Observation(duration: duration, weight: weight))
    }

    /// All traces. Never below the number that was seen.
    public var count: Estimate { traces.estimate(atLeast: Double(sampleCount)) }

    /// Traces with an error.
    public var errorCount: Estimate {
        var estimate = errors.estimate(atLeast: Double(sampleErrorCount))
        // That none was seen does not mean that there is none.
        if sampleErrorCount == 0, sampleCount > 0 { estimate.upper = max(estimate.upper, unseenShare * count.upper) }
        return estimate
    }

    /// Kept traces that stand for others too.
    public var sampledCount: Int { observations.count { $0.weight > 1 } }

    /// Of all traces the largest share that may well be of a kind of which no sampled trace is: at 95 % confidence, by the
    /// chance of seeing none among so many (Clopper and Pearson 1934, "rule of three"), with the size that unequal weights
    /// leave (Kish 1965). Traces that were sure to be kept are all there.
    private var unseenShare: Double {
        var sum = 0.0
        var squares = 0.0
        for observation in observations where observation.weight > 1 {
            sum += observation.weight
            squares += observation.weight * observation.weight
        }
        guard squares > 0, traces.value > 0 else { return 0 }
        return sum / traces.value * (1 - pow(0.05, squares / (sum * sum)))
    }

    /// Spans of all traces.
    public var spanCount: Estimate { spans.estimate(atLeast: 0) }

    /// Share of the traces that have an error, 0…1; nil without traces.
    public var errorRate: Estimate? {
        guard traces.value > 0 else { return nil }
        let rate = errors.value / traces.value
        // Σ w (w - 1) (e - rate)² with e = 1 for errors and 0 for others.
        let others = max(0, traces.variance - errors.variance)
        let variance = errors.variance * (1 - rate) * (1 - rate) + others * rate * rate
        if sampleErrorCount == 0 { return Estimate(value: 0, lower: 0, upper: unseenShare) }
        if sampleErrorCount == sampleCount { return Estimate(value: 1, lower: 1 - unseenShare, upper: 1) }
        guard variance > 0, rate > 0, rate < 1 else { return .exact(rate) }
        // On the scale of the odds' logarithm the interval stays within 0 and 1.
        let odds = log(rate / (1 - rate))
        let half = traces.standardErrors * variance.squareRoot() / traces.value / (rate * (1 - rate))
        return Estimate(
            value: rate, lower: 1 / (1 + exp(-(odds - half))), upper: 1 / (1 + exp(-(odds + half))))
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
        let sampledCount = observations.count { $0.weight > 1 }
        return shares.map { share in
            let target = min(max(share, 0), 1) * sum
            let index = cumulative.partitioning { $0 >= target }
            let below = index < variances.count ? variances[index] : variance
            var spread = below * (1 - share) * (1 - share) + (variance - below) * share * share
            // Too few sampled traces for one beyond the percentile: that none was seen says nothing.
            if Double(sampledCount) * min(share, 1 - share) < 2 { spread = max(spread, variance * share * (1 - share)) }
            let half = traces.standardErrors * spread.squareRoot() / sum
            // Where the interval reaches beyond the slowest trace seen, there may be slower ones.
            return Estimate(
                value: duration(at: share), lower: duration(at: share - half),
                upper: half > 0 && share + half >= 1 ? .infinity : duration(at: share + half))
        }
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
