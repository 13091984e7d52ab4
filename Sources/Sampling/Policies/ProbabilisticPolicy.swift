import TraceModel

/// `probabilistic`: keeps a share of all traces by a hash of their id, the same traces as the Collector would.
///
/// FNV-1a 64 over salt and trace id, compared with `percentage` of the number range, inclusively; the threshold is computed
/// with a 64-bit mantissa as Go's `big.Float` does.
public final class ProbabilisticPolicy: SamplingPolicy {
    public static let defaultSalt = "default-hash-seed"

    public let name: String
    private let saltState: UInt64
    private let threshold: UInt64
    private let probability: Double
    public let randomness: String?

    public init(name: String, percentage: Double, salt: String) {
        self.name = name
        let salt = salt.isEmpty ? Self.defaultSalt : salt
        randomness = "hash \(salt)"
        saltState = salt.utf8.reduce(FNV1a.offsetBasis) { FNV1a.add($1, to: $0) }
        threshold = Self.threshold(percentage: percentage)
        probability = Swift.min(1, Swift.max(0, percentage / 100))
    }

    /// `(2^64 - 1) * percentage / 100`, truncated and saturated. The product needs more than a Double's mantissa: 128-bit
    /// integers hold it exactly, since a Double is an integer times a power of two.
    static func threshold(percentage: Double) -> UInt64 {
        let share = percentage / 100
        guard share > 0 else { return 0 }
        guard share < 1 else { return .max }
        // share = significand * 2^exponent with a 53-bit significand.
        let significand = UInt64(share.significandBitPattern) | (share.isNormal ? 1 << 52 : 0)
        let shift = 52 - Int(share.exponent)
        let product = UInt64.max.multipliedFullWidth(by: significand)
        // Go rounds the product to 64 bits of mantissa before it truncates; only the bits above matter here.
        let wide = UInt128(product.high) << 64 | UInt128(product.low)
        return shift >= 128 ? 0 : UInt64(truncatingIfNeeded: rounded(wide) >> UInt128(shift))
    }

    /// Rounds to the 64 most significant bits, to nearest, ties to even.
    private static func rounded(_ value: UInt128) -> UInt128 {
        let extra = 128 - value.leadingZeroBitCount - 64
        guard extra > 0 else { return value }
        let unit = UInt128(1) << UInt128(extra)
        let rest = value & (unit - 1)
        let floor = value - rest
        let half = unit >> 1
        let isOdd = floor & unit != 0
        return rest > half || (rest == half && isOdd) ? floor &+ unit : floor
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        hash(of: trace.traceID) <= threshold ? .keep(probability: probability) : .pass(probability: probability)
    }

    func hash(of id: TraceID) -> UInt64 {
        var hash = saltState
        for half in 0..<2 {
            let word = half == 0 ? id.high : id.low
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                hash = FNV1a.add(UInt8(truncatingIfNeeded: word >> shift), to: hash)
            }
        }
        return hash
    }
}
