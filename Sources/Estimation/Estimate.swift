/// A number computed from sampled traces, with what is known of its error.
public struct Estimate: Sendable, Equatable {
    public var value: Double
    /// Ends of the 95 % confidence interval.
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

    /// Standard errors on either side of a 95 % interval of the normal distribution.
    static let standardErrors = 1.959964
}
