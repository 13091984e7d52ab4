import Glibc

/// A Horvitz-Thompson sum `Σ w y` with its estimated variance `Σ w (w - 1) y²`.
struct WeightedSum: Sendable {
    private(set) var value = 0.0
    private(set) var variance = 0.0
    /// Of the value, what traces contribute that were sure to be kept.
    private var certain = 0.0
    /// Sampled terms, and the sum of the squares of their variances.
    private var sampledCount = 0.0
    private var squares = 0.0

    mutating func add(_ number: Double, weight: Double) {
        let term = weight * (weight - 1) * number * number
        value += weight * number
        guard term > 0 else {
            certain += weight * number
            return
        }
        variance += term
        squares += term * term
        sampledCount += 1
    }

    /// Standard errors on either side of a 95 % interval of a number of which the variance is estimated beside it: few large
    /// terms make that uncertain (Satterthwaite's degrees of freedom).
    var standardErrors: Double {
        Estimate.standardErrors(degreesOfFreedom: squares > 0 ? variance * variance / squares - 1 : .infinity)
    }

    /// The same for the sum itself. Equal terms make its variance known as soon as the sum is, and the score interval allows for
    /// that. Only what inequality of the terms adds to the uncertainty of the variance is left for Student's distribution.
    private var scoreErrors: Double {
        let inequality = squares / (variance * variance) - 1 / sampledCount
        return Estimate.standardErrors(degreesOfFreedom: inequality > 1e-12 ? 1 / inequality : .infinity)
    }

    /// The score interval (Wilson 1927; of counts Rao's): the true sums `T` for which the observed one is not further away than
    /// the *true* sum's standard errors, its variance being in proportion to it. Nothing of the logarithm or of Student's
    /// distribution is needed to allow for a sum that came out low and underestimates its variance.
    func estimate(atLeast: Double) -> Estimate {
        let sampled = value - certain
        guard sampled > 0, variance > 0 else { return .exact(value) }
        let errors = scoreErrors
        // (sampled - T)² = errors² · variance · T / sampled, solved for T.
        let half = errors * errors * variance / sampled / 2
        let root = (half * (2 * sampled + half)).squareRoot()
        return Estimate(
            value: value, lower: max(atLeast, certain + sampled + half - root), upper: certain + sampled + half + root)
    }
}
