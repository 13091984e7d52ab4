import Glibc

/// The gamma distribution with a mean and a variance: what is known of a sum of positive numbers of which few were seen.
struct GammaDistribution: Sendable, Equatable {
    /// 0 for a distribution that is all at 0.
    let shape: Double
    let scale: Double

    init(mean: Double, variance: Double) {
        guard mean > 0, variance > 0 else {
            shape = 0
            scale = 0
            return
        }
        shape = mean * mean / variance
        scale = variance / mean
    }

    /// The probability of a value up to this one.
    func cumulative(_ value: Double) -> Double {
        guard shape > 0 else { return value >= 0 ? 1 : 0 }
        return Self.regularized(shape, value / scale)
    }

    /// The regularized lower incomplete gamma function P(a, x), to 1e-12 for shapes below `manyTerms`, else to 2e-6.
    static func regularized(_ shape: Double, _ value: Double) -> Double {
        guard value > 0 else { return 0 }
        guard value.isFinite else { return 1 }
        if shape >= manyTerms { return wilsonHilferty(shape, value) }
        var sign: Int32 = 0
        // x^a e^-x / Γ(a)
        let factor = exp(shape * log(value) - value - lgamma_r(shape, &sign))
        if value < shape + 1 {
            // The series of Abramowitz and Stegun 6.5.29: x^a e^-x Σ x^n / Γ(a + n + 1).
            var term = 1 / shape
            var sum = term
            var denominator = shape
            while term > sum * 1e-15 {
                denominator += 1
                term *= value / denominator
                sum += term
            }
            return min(1, factor * sum)
        }
        // The continued fraction of Abramowitz and Stegun 6.5.31 for 1 - P, evaluated as Lentz (1976) does.
        let tiny = 1e-300
        var partial = value + 1 - shape
        var numerator = 1 / tiny
        var denominator = 1 / partial
        var fraction = denominator
        for step in 1...1000 {
            let count = Double(step)
            let product = count * (shape - count)
            partial += 2
            denominator = product * denominator + partial
            numerator = partial + product / numerator
            if abs(denominator) < tiny { denominator = tiny }
            if abs(numerator) < tiny { numerator = tiny }
            denominator = 1 / denominator
            let change = denominator * numerator
            fraction *= change
            if abs(change - 1) < 1e-15 { break }
        }
        return max(0, 1 - factor * fraction)
    }

    /// From here on the cube root of the value is normal to all digits that matter (Wilson and Hilferty 1931).
    private static let manyTerms = 500.0

    private static func wilsonHilferty(_ shape: Double, _ value: Double) -> Double {
        let deviation = (cbrt(value / shape) - 1 + 1 / (9 * shape)) * 3 * shape.squareRoot()
        return 0.5 * erfc(-deviation / 2.0.squareRoot())
    }

    /// The value below which a mixture of two distributions in equal parts has this probability.
    ///
    /// - Parameter probability: 0…1, both ends excluded.
    static func quantile(
        _ probability: Double, ofMixture first: GammaDistribution, _ second: GammaDistribution
    ) -> Double {
        func excess(_ value: Double) -> Double {
            0.5 * (first.cumulative(value) + second.cumulative(value)) - probability
        }
        var low = 0.0
        var atLow = excess(0)
        guard atLow < 0 else { return 0 }
        var high = max(first.shape * first.scale, second.shape * second.scale)
        guard high > 0, high.isFinite else { return high }
        var atHigh = excess(high)
        while atHigh < 0 {
            (low, atLow) = (high, atHigh)
            high *= 2
            guard high.isFinite else { return high }
            atHigh = excess(high)
        }
        // The method of false position as in Illinois (Dowell and Jarratt 1971), halving where it does not get on.
        for step in 0..<100 where high - low > 1e-9 * high {
            let middle = step % 4 == 3 ? (low + high) / 2 : (low * atHigh - high * atLow) / (atHigh - atLow)
            let atMiddle = excess(middle)
            if atMiddle < 0 {
                (low, atLow) = (middle, atMiddle)
                atHigh /= 2
            } else {
                (high, atHigh) = (middle, atMiddle)
                atLow /= 2
            }
        }
        return high
    }
}
