import Glibc

/// What the traces of a tier cost per tick at every sampling scale, averaged over the last ticks.
///
/// At a scale `s` a trace is kept with probability `min(1, s * importance)`, so a tier's expected cost is
/// `sum of cost * min(1, s * importance)`: rising, and known for all scales from two sums per octave of `1 / importance`.
struct SpendingCurve: Equatable {
    /// Quarter octaves of `1 / importance`, from `2^lowest` to `2^highest`; what lies outside counts in the outermost.
    static let lowest = -24
    static let highest = 32
    static let buckets = (highest - lowest) * 4

    /// By bucket: sums of the cost, and of the cost times the importance.
    private(set) var cost = [Double](repeating: 0, count: buckets)
    private(set) var slope = [Double](repeating: 0, count: buckets)
    /// Sum of the weights of the ticks that the sums are of: 1 after many.
    private(set) var weight = 0.0

    /// Begins a tick, `ticks` after the last one. `kept` is the part of a weight that is left after a tick, 0..<1.
    mutating func advance(ticks: Int64, kept: Double) {
        let factor = pow(kept, Double(ticks))
        weight = 1 - (1 - weight) * factor
        for bucket in 0..<Self.buckets where cost[bucket] > 0 {
            cost[bucket] *= factor
            slope[bucket] *= factor
        }
    }

    /// Adds a trace of the present tick, whose weight is `share`.
    mutating func add(cost added: Double, importance: Double, share: Double) {
        // The bounds keep the exponent within what the bucket's number can be computed from.
        let inverse = min(max(1 / importance, 0x1p-100), 0x1p100)
        let significand = inverse.significand
        // The fourth roots of 2.
        let quarter =
            significand < 1.189_207_115_002_721
            ? 0 : significand < 1.414_213_562_373_095 ? 1 : significand < 1.681_792_830_507_429 ? 2 : 3
        let bucket = min(max((Int(inverse.exponent) - Self.lowest) * 4 + quarter, 0), Self.buckets - 1)
        cost[bucket] += added * share
        slope[bucket] += added * importance * share
    }

    /// Expected cost per tick at a scale.
    func spending(scale: Double) -> Double {
        guard weight > 0 else { return 0 }
        var sum = 0.0
        for bucket in 0..<Self.buckets where cost[bucket] > 0 { sum += min(cost[bucket], scale * slope[bucket]) }
        return sum / weight
    }

    /// Cost per tick of all.
    var total: Double { weight > 0 ? cost.reduce(0, +) / weight : 0 }

    /// The scale at which several tiers together are expected to cost `budget` per tick; infinite where all of them fit.
    ///
    /// - Parameter curves: each with a factor that its traces' importance is multiplied by.
    static func scale(spending budget: Double, of curves: [(curve: SpendingCurve, factor: Double)]) -> Double {
        // Each bucket costs the more the larger the scale is, until all of it is kept.
        var buckets: [(fullAt: Double, cost: Double, slope: Double)] = []
        var total = 0.0
        var slope = 0.0
        for (curve, factor) in curves where curve.weight > 0 {
            for bucket in curve.cost.indices where curve.cost[bucket] > 0 {
                let cost = curve.cost[bucket] / curve.weight
                let rise = curve.slope[bucket] / curve.weight * factor
                guard rise > 0 else { continue }
                buckets.append((cost / rise, cost, rise))
                total += cost
                slope += rise
            }
        }
        guard total > budget else { return .infinity }
        buckets.sort { $0.fullAt < $1.fullAt }
        var kept = 0.0
        for bucket in buckets {
            let scale = (budget - kept) / slope
            if scale <= bucket.fullAt { return max(scale, 0) }
            kept += bucket.cost
            slope -= bucket.slope
        }
        return buckets.last?.fullAt ?? .infinity
    }

    // MARK: - State

    init() {}

    func encode(to writer: inout StateWriter) {
        writer.double(weight)
        let used = cost.indices.filter { cost[$0] > 0 }
        writer.varint(UInt64(used.count))
        for bucket in used {
            writer.varint(UInt64(bucket))
            writer.double(cost[bucket])
            writer.double(slope[bucket])
        }
    }

    init(from reader: inout StateReader) throws(StateError) {
        weight = try reader.double()
        guard (0...1).contains(weight) else { throw StateError.malformed }
        for _ in 0..<(try reader.count(ofSize: 17)) {
            let bucket = try reader.varint()
            let sums = (try reader.double(), try reader.double())
            guard bucket < UInt64(Self.buckets), sums.0 >= 0, sums.1 >= 0 else { throw StateError.malformed }
            cost[Int(bucket)] = sums.0
            slope[Int(bucket)] = sums.1
        }
    }
}
