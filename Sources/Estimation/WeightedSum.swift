import Glibc

/// A Horvitz-Thompson sum `Σ w y` with its estimated variance `Σ w (w - 1) y²`.
struct WeightedSum: Sendable {
    private(set) var value = 0.0
    private(set) var variance = 0.0
    /// Sum of the squares of the variance's terms.
    private var squares = 0.0

    mutating func add(_ number: Double, weight: Double) {
        let term = weight * (weight - 1) * number * number
        value += weight * number
        variance += term
        squares += term * term
    }

    /// Few large weights make the variance itself uncertain: Satterthwaite's degrees of freedom.
    var standardErrors: Double {
        Estimate.standardErrors(degreesOfFreedom: squares > 0 ? variance * variance / squares - 1 : .infinity)
    }

    /// The interval is that of the logarithm: the sums are skewed to the right, and a sum that came out low underestimates its
    /// variance too.
    func estimate(atLeast: Double) -> Estimate {
        guard value > 0, variance > 0 else { return .exact(value) }
        let half = standardErrors * variance.squareRoot() / value
        return Estimate(value: value, lower: max(atLeast, value * exp(-half)), upper: value * exp(half))
    }
}
