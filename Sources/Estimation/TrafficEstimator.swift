import Glibc

/// Estimates all traffic from the traces that a sampler kept: counts, error rate, sums and percentiles, each with a 95 %
/// confidence interval.
///
/// A trace that was kept with probability *p* stands for `1/p` traces (Horvitz and Thompson 1952): sums are unbiased whatever
/// the probabilities are, as long as none is 0. The variance of a sum is estimated by `Σ w (w - 1) y²` with `w = 1/p`: under
/// priority sampling the covariances are zero for a count budget and nearly so for a cost budget (Duffield, Lund, Thorup
/// 2007). Intervals of sums are those of `WeightedSum`; those of error rates join the intervals of the traces with and without
/// an error. Percentiles have Woodruff's interval (1952): the percentiles at the ends of the distribution function's interval.
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
    /// What this is a part of.
    private var population: SampledPopulation?

    public init() {}

    /// The same as a part of other traffic, whose sample tells how heavy traces may be that were not seen here.
    public func part(of population: SampledPopulation) -> TrafficEstimator {
        var part = self
        part.population = population
        return part
    }

    /// Adds this traffic to a population.
    func join(_ population: inout SampledPopulation) { population.add(traces: traces, spans: spans) }

    static func weight(_ probability: Double) -> Double { probability > 0 && probability < 1 ? 1 / probability : 1 }

    /// Counts a kept trace.
    ///
    /// - Parameters:
    ///   - probability: with which it was kept, in (0, 1]; anything else is taken as 1.
    ///   - duration: nanoseconds.
    public mutating func add(probability: Double, isError: Bool, duration: UInt64, spanCount: Int = 1) {
        let weight = Self.weight(probability)
        sampleCount += 1
        traces.add(1, weight: weight)
        spans.add(Double(spanCount), weight: weight)
        if isError {
            sampleErrorCount += 1
            errors.add(1, weight: weight)
        }
        observations.append(Observation(duration: duration, weight: weight))
    }

    /// Kept traces that stand for others too.
    public var sampledCount: Int { Int(traces.sampledCount) }

    /// The estimated number of traces, without an interval.
    public var countValue: Double { traces.value }

    /// All traces. Never below the number that was seen.
    public var count: Estimate { traces.rounded(unroundedCount) }

    /// Traces with an error.
    public var errorCount: Estimate { errors.rounded(unroundedErrorCount(unroundedCount)) }

    /// Spans of all traces.
    public var spanCount: Estimate {
        spans.sampledCount > 0 ? spans.rounded(spans.estimate(in: population?.spans)) : .exact(spans.value)
    }

    /// Share of the traces that have an error, 0…1; nil without traces.
    public var errorRate: Estimate? {
        let count = unroundedCount
        return errorRate(count: count, errorCount: unroundedErrorCount(count))
    }

    /// The three that share their calculation.
    var countsAndRate: (count: Estimate, errorCount: Estimate, errorRate: Estimate?) {
        let count = unroundedCount
        let errorCount = unroundedErrorCount(count)
        return (traces.rounded(count), errors.rounded(errorCount), errorRate(count: count, errorCount: errorCount))
    }

    private var unroundedCount: Estimate {
        traces.sampledCount > 0 ? traces.estimate(in: population?.traces) : .exact(traces.value)
    }

    private func unroundedErrorCount(_ count: Estimate) -> Estimate {
        areErrorsKeptOnPurpose
            ? .exact(errors.value)
            : part(errors, in: traces, atMost: count.upper - Double(sampleCount - sampleErrorCount))
    }

    /// Traces of one kind.
    ///
    /// - Parameter limit: what all traces leave without those that are known to be of another kind.
    private func part(_ part: WeightedSum, in population: WeightedSum, atMost limit: Double) -> Estimate {
        var estimate = part.estimate(in: population)
        estimate.upper = max(estimate.value, min(estimate.upper, limit))
        return estimate
    }

    /// Whether errors seem to be kept because they are errors, so that none was dropped: those seen were all sure to be kept, and
    /// if that had nothing to do with the error, it were unlikely (5 %) that none of them is among the sampled traces (Fisher's
    /// exact test).
    private var areErrorsKeptOnPurpose: Bool {
        guard errors.sampledCount == 0, sampleErrorCount > 0 else { return false }
        let certain = Double(sampleCount) - traces.sampledCount
        var chance = 1.0
        for index in 0..<sampleErrorCount where chance >= 0.05 {
            chance *= (certain - Double(index)) / (Double(sampleCount) - Double(index))
        }
        return chance < 0.05
    }

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

    /// Traces with and without an error are sampled independently. The interval of the ratio of their numbers comes from the
    /// intervals of both ("method of variance estimates recovery": Donner and Zou, Statistical Methods in Medical Research 21,
    /// 2012), that of the share from the ratio's.
    private func errorRate(count: Estimate, errorCount: Estimate) -> Estimate? {
        guard traces.value > 0 else { return nil }
        let rate = errors.value / traces.value
        guard traces.sampledCount > 0 else { return .exact(rate) }
        let others = part(
            traces.without(errors), in: population?.traces ?? traces, atMost: count.upper - Double(sampleErrorCount))
        let odds = Self.ratio(errorCount, others)
        func share(_ odds: Double) -> Double { odds.isFinite ? odds / (1 + odds) : 1 }
        var estimate = Estimate(
            value: rate, lower: min(rate, share(odds.lower)), upper: max(rate, share(odds.upper)))
        if sampleErrorCount == 0 { estimate.upper = max(estimate.upper, unseenShare) }
        if sampleErrorCount == sampleCount { estimate.lower = min(estimate.lower, 1 - unseenShare) }
        return estimate
    }

    /// The 95 % interval of the ratio of two independent numbers, not both 0.
    private static func ratio(_ above: Estimate, _ below: Estimate) -> (lower: Double, upper: Double) {
        let product = above.value * below.value
        func root(_ first: Double, _ second: Double) -> Double {
            max(0, product * product - first * (2 * above.value - first) * second * (2 * below.value - second))
                .squareRoot()
        }
        let upper = (product + root(above.upper, below.lower)) / (below.lower * (2 * below.value - below.lower))
        let lowerRoot = product + root(above.lower, below.upper)
        let lower = lowerRoot > 0 ? above.lower * (2 * above.value - above.lower) / lowerRoot : 0
        return (lower.isFinite ? max(0, lower) : 0, upper.isFinite ? upper : .infinity)
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
            // The trace at the percentile is on either side in part: it may be heavier than all beyond it together.
            let (before, after) =
                index < variances.count
                ? (index > 0 ? variances[index - 1] : 0, variances[index]) : (variance, variance)
            let part = index < sorted.count ? (cumulative[index] - target) / sorted[index].weight : 0
            let below = after - (after - before) * min(max(part, 0), 1)
            var spread = below * (1 - share) * (1 - share) + (variance - below) * share * share
            // Too few sampled traces for one beyond the percentile: that none was seen says nothing.
            if Double(sampledCount) * min(share, 1 - share) < 2 { spread = max(spread, variance * share * (1 - share)) }
            let half = traces.standardErrors * spread.squareRoot() / sum
            // Where the interval reaches beyond the fastest or the slowest trace seen, there may be others.
            return Estimate(
                value: duration(at: share), lower: half > 0 && share - half <= 0 ? 0 : duration(at: share - half),
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
