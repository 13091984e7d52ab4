/// A number computed from sampled traces, with what is known of its error.
public struct Estimate: Sendable, Equatable {
    public var value: Double
    /// Ends of the 95 % confidence interval; `upper` is infinite where the sample says nothing of it.
    public var lower: Double
    public var upper: Double

    public init(value: Double, lower: Double, upper: Double) {
        self.value = value
        self.lower = lower
        self.upper = upper
    }

    /// Nothing is uncertain.
    public static func exact(_ value: Double) -> Estimate { Estimate(value: value, lower: value, upper: value) }

    /// Whether the true value may be this one.
    public func contains(_ value: Double) -> Bool { lower <= value && value <= upper }

    /// Standard errors on either side of a 95 % interval: Student's quantile for the degrees of freedom, by the expansion of
    /// Cornish and Fisher (Abramowitz and Stegun 26.7.5); 1.96 for many.
    static func standardErrors(degreesOfFreedom: Double) -> Double {
        let normal = 1.959964
        // The expansion is of no use below three.
        let freedom = max(3, degreesOfFreedom)
        let cube = normal * normal * normal
        let fifth = cube * normal * normal
        return normal + (cube + normal) / (4 * freedom) + (5 * fifth + 16 * cube + 3 * normal)
            / (96 * freedom * freedom)
    }
}
