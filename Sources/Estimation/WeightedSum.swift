/// A Horvitz-Thompson sum `Σ w y` with a confidence interval that holds for few and unequal terms too.
///
/// What was seen, `Σ y`, is certain. In doubt is what was not: `T = Σ y` of the traces that were dropped. A trace kept with
/// probability `p` tells of a geometric number of dropped ones like it, with mean `w - 1` and variance `w (w - 1)`
/// (`w = 1/p`), so `T` is taken as gamma distributed with the mean `Σ (w - 1) y` and the variance `Σ w (w - 1) y²`: Fay and
/// Feuer's interval of a weighted sum of counts ("Confidence intervals for directly standardized rates", Statistics in Medicine
/// 16, 1997). Of equal terms it is the exact interval of Clopper and Pearson, as near as a gamma distribution is to the negative
/// binomial one. What could have been seen just beyond the last is one more term; it counts half, which is the mid-p version (Fay
/// and Kim, Biometrical Journal 59, 2017): the exact one is too wide.
struct WeightedSum: Sendable {
    /// `Σ y`.
    private(set) var seen = 0.0
    /// `Σ (w - 1) y`.
    private(set) var unseen = 0.0
    /// `Σ w (w - 1) y²`.
    private(set) var variance = 0.0
    /// Terms with a weight above 1, and the sum of the squares of their variances.
    private(set) var sampledCount = 0.0
    private var squares = 0.0
    /// `Σ y` of those terms.
    private var sampledSeen = 0.0

    /// The estimate.
    var value: Double { seen + unseen }

    mutating func add(_ number: Double, weight: Double) {
        let term = weight * (weight - 1) * number * number
        seen += number
        guard term > 0 else { return }
        unseen += (weight - 1) * number
        variance += term
        squares += term * term
        sampledCount += 1
        sampledSeen += number
    }

    mutating func add(_ other: WeightedSum) {
        seen += other.seen
        unseen += other.unseen
        variance += other.variance
        sampledCount += other.sampledCount
        squares += other.squares
        sampledSeen += other.sampledSeen
    }

    /// What is left of this sum without a part of it.
    func without(_ part: WeightedSum) -> WeightedSum {
        var rest = self
        rest.seen -= part.seen
        rest.sampledCount -= part.sampledCount
        rest.sampledSeen -= part.sampledSeen
        // Differences of nearly equal numbers: nothing sampled left is nothing left.
        guard rest.sampledCount > 0 else {
            (rest.unseen, rest.variance, rest.squares, rest.sampledSeen) = (0, 0, 0, 0)
            return rest
        }
        rest.unseen = max(0, unseen - part.unseen)
        rest.variance = max(0, variance - part.variance)
        rest.squares = max(0, squares - part.squares)
        return rest
    }

    /// As many equal terms would leave the variance as uncertain (Satterthwaite's degrees of freedom).
    var effectiveCount: Double { squares > 0 ? variance * variance / squares : 0 }

    /// Standard errors on either side of a 95 % interval of a number of which the variance is estimated beside it: few large
    /// terms make that uncertain.
    var standardErrors: Double {
        Estimate.standardErrors(degreesOfFreedom: squares > 0 ? effectiveCount - 1 : .infinity)
    }

    /// The variance with an allowance for terms that were not seen and are larger than most: where terms are unequal the
    /// estimated variance hangs on few of them, and is mostly too low. By the square of Student's quantile in relation to the
    /// normal one; nothing for equal terms, whose variance is as well known as their sum.
    private var cautiousVariance: Double {
        let inequality = squares / (variance * variance) - 1 / sampledCount
        guard inequality > 1e-12 else { return variance }
        let ratio =
            Estimate.standardErrors(degreesOfFreedom: 1 / inequality)
            / Estimate.standardErrors(degreesOfFreedom: .infinity)
        return variance * ratio * ratio
    }

    /// The 95 % interval.
    ///
    /// - Parameter population: the sum that this one is a part of; nil for one that is the whole. One unseen trace more may be
    ///   an average one of the population, so that a part of which only light traces were seen allows for heavy ones, until
    ///   there are many.
    func estimate(in population: WeightedSum? = nil) -> Estimate {
        let cautious = sampledCount > 0 ? cautiousVariance : 0
        var next = (exact: 0.0, cautious: 0.0)
        if unseen > 0 { next = (variance / unseen, cautious / unseen) }
        if let population, population.sampledCount > sampledCount {
            let mean = population.unseen / population.sampledCount
            let square = population.variance / population.sampledCount
            next = ((variance + square) / (unseen + mean), (cautious + square) / (unseen + mean))
        }
        guard next.cautious > 0 || sampledCount > 0 else { return .exact(value) }
        guard (cautious + next.cautious * next.cautious).isFinite else {
            return Estimate(value: value, lower: seen, upper: .infinity)
        }
        func quantile(_ probability: Double, variance: Double, next: Double) -> Double {
            GammaDistribution.quantile(
                probability, ofMixture: GammaDistribution(mean: unseen, variance: variance),
                GammaDistribution(mean: unseen + next, variance: variance + next * next))
        }
        let lower = seen + quantile(0.025, variance: variance, next: next.exact)
        let upper = seen + quantile(0.975, variance: cautious, next: next.cautious)
        return Estimate(value: value, lower: min(value, lower), upper: max(value, upper))
    }

    /// The interval with its lower end rounded down to whole traces above what was seen: how many were not seen is a geometric
    /// number, which is an exponential one rounded down. Without it, traffic of which nothing was dropped would be below.
    func rounded(_ estimate: Estimate) -> Estimate {
        guard sampledCount > 0, sampledSeen > 0, estimate.lower > seen else { return estimate }
        let size = sampledSeen / sampledCount
        var rounded = estimate
        rounded.lower = (seen + ((estimate.lower - seen) / size).rounded(.down) * size).rounded(.down)
        return rounded
    }
}
