import Pipeline
import TraceModel

/// Consistent probability sampling as OpenTelemetry and W3C trace context level 2 define it: 56 bits of randomness against a
/// threshold. See https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/.
package enum Randomness {
    /// 2^56: the number of different values.
    package static let range: UInt64 = 1 << 56

    /// The last seven bytes of a trace id.
    @inlinable
    package static func of(_ id: TraceID) -> UInt64 { id.low & (range &- 1) }

    /// Uniform in (0, 1]: small values are kept first.
    @inlinable
    package static func uniform(_ randomness: UInt64) -> Double {
        Double(range &- (randomness & (range &- 1))) * 0x1p-56
    }

    /// The smallest randomness that is kept with this probability.
    package static func threshold(probability: Double) -> UInt64 {
        DecisionDetail.threshold(probability: probability)
    }

    /// The probability that a randomness is not below the threshold.
    @inlinable
    package static func probability(threshold: UInt64) -> Double {
        threshold >= range ? 0 : Double(range &- threshold) * 0x1p-56
    }
}
