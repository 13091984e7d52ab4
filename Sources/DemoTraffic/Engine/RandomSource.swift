#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The module's only source of chance: xoshiro256**, seeded through SplitMix64.
///
/// It draws numbers with its own methods instead of `Int.random(in:using:)`, because the standard library does not
/// promise that its mapping from random bits to values stays the same between releases, and one seed must give the same
/// bytes.
struct RandomSource: Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)
    private var spareNormal: Double?

    /// `stream` separates independent sequences of one seed: each trace has its own, so a change in one trace's shape
    /// does not change the traces after it.
    init(seed: UInt64, stream: UInt64) {
        var mixer = seed ^ (stream &* 0xD134_2543_DE82_EF95)
        func mix() -> UInt64 {
            mixer &+= 0x9E37_79B9_7F4A_7C15
            var value = mixer
            value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
            return value ^ value >> 31
        }
        state = (mix(), mix(), mix(), mix())
    }

    mutating func next() -> UInt64 {
        let rotated = state.1 &* 5
        let result = (rotated << 7 | rotated >> 57) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = state.3 << 45 | state.3 >> 19
        return result
    }

    /// A number of 0..<1.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A number of 0..<bound; the bias of the multiplication is below 2⁻³² for the small bounds used here.
    mutating func index(below bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    mutating func int(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + index(below: range.upperBound - range.lowerBound + 1)
    }

    mutating func double(in range: ClosedRange<Double>) -> Double {
        range.lowerBound + unit() * (range.upperBound - range.lowerBound)
    }

    mutating func chance(_ probability: Double) -> Bool {
        // No draw for certainties: most steps are certain, and this is the hot path.
        if probability >= 1 { return true }
        if probability <= 0 { return false }
        return unit() < probability
    }

    mutating func element<Element>(of elements: [Element]) -> Element { elements[index(below: elements.count)] }

    /// Exponentially distributed with mean 1: the gap between arrivals of a Poisson process.
    mutating func exponential() -> Double { -log(1 - unit()) }

    /// Standard normal, by Marsaglia's polar method (no trigonometry, two values per round).
    mutating func normal() -> Double {
        if let spare = spareNormal {
            spareNormal = nil
            return spare
        }
        while true {
            let x = 2 * unit() - 1
            let y = 2 * unit() - 1
            let radius = x * x + y * y
            guard radius > 0, radius < 1 else { continue }
            let factor = (-2 * log(radius) / radius).squareRoot()
            spareNormal = y * factor
            return x * factor
        }
    }

    /// Log-normal with the given median; `sigma` is the standard deviation of the logarithm.
    mutating func logNormal(median: Double, sigma: Double) -> Double { median * exp(sigma * normal()) }
}

/// Log-normal durations: most near the median, some several times longer, as services behave.
struct Latency: Sendable {
    private var medianNanoseconds: Double
    private var sigma: Double

    init(milliseconds: Double, sigma: Double = 0.45) {
        medianNanoseconds = milliseconds * 1_000_000
        self.sigma = sigma
    }

    func sample(_ random: inout RandomSource) -> Double {
        random.logNormal(median: medianNanoseconds, sigma: sigma)
    }
}

/// Draws indices with given weights.
struct WeightedChoice: Sendable {
    private var cumulative: [Double]

    init(weights: [Double]) {
        var total = 0.0
        cumulative = weights.map { weight in
            total += weight
            return total
        }
    }

    /// Zipf's law: the index n is drawn with a weight of 1 / (n + 1)^exponent.
    init(zipf count: Int, exponent: Double) {
        self.init(weights: (1...count).map { exp(-exponent * log(Double($0))) })
    }

    var isEmpty: Bool { cumulative.isEmpty }

    func sample(_ random: inout RandomSource) -> Int {
        let point = random.unit() * cumulative[cumulative.count - 1]
        var low = 0
        var high = cumulative.count - 1
        while low < high {
            let middle = (low + high) / 2
            if cumulative[middle] <= point { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
