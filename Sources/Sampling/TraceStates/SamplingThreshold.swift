import TraceModel

/// OpenTelemetry's consistent probability sampling: a trace has 56 random bits, a sampler a threshold, and what is not below
/// the threshold is kept. https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
enum SamplingThreshold {
    /// Thresholds and random values are below it.
    static let limit: UInt64 = 1 << 56

    /// The threshold that keeps a share of all traces, rounded to a multiple of 2⁻⁵⁶.
    static func threshold(probability: Double) -> UInt64 {
        guard probability > 0 else { return limit }
        guard probability < 1 else { return 0 }
        return limit - UInt64((probability * 0x1p56).rounded())
    }

    static func probability(threshold: UInt64) -> Double {
        threshold >= limit ? 0 : Double(limit - threshold) * 0x1p-56
    }

    /// The random bits of a trace that states none: the last 56 of its id.
    static func randomness(of id: TraceID) -> UInt64 { id.low & (limit - 1) }

    /// One to fourteen digits, zeros at the end left out, as in `th:fd70a3d70a3d7`.
    static func text(_ threshold: UInt64) -> [UInt8] {
        var digits: [UInt8] = []
        for shift in stride(from: UInt64(52), through: 0, by: -4) {
            digits.append(Array("0123456789abcdef".utf8)[Int(threshold >> shift & 0xf)])
        }
        while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return digits
    }

    /// A threshold as written, digits left out at the end being zeros; nil for anything else.
    static func parse(threshold text: UnsafeRawBufferPointer) -> UInt64? {
        guard (1...14).contains(text.count), let value = hexadecimal(text) else { return nil }
        return value << UInt64(4 * (14 - text.count))
    }

    /// Fourteen digits; nil for anything else.
    static func parse(randomness text: UnsafeRawBufferPointer) -> UInt64? {
        text.count == 14 ? hexadecimal(text) : nil
    }

    private static func hexadecimal(_ text: UnsafeRawBufferPointer) -> UInt64? {
        var value: UInt64 = 0
        for byte in text {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x57)
            default: return nil
            }
        }
        return value
    }
}

/// What samplers before this one say of a trace in the `ot` member of its spans' tracestate.
public struct UpstreamSampling: Sendable, Equatable {
    /// Threshold of the sampler before, below 2⁵⁶; nil where none is stated.
    public var threshold: UInt64?
    /// Explicit random value; nil where none is stated and the trace id's last 56 bits are the random ones.
    public var randomness: UInt64?

    public init(threshold: UInt64? = nil, randomness: UInt64? = nil) {
        self.threshold = threshold
        self.randomness = randomness
    }

    var isEmpty: Bool { threshold == nil && randomness == nil }

    /// The probability with which a trace like this came here; 1 where nothing is known.
    package var probability: Double { threshold.map { SamplingThreshold.probability(threshold: $0) } ?? 1 }

    /// The random bits of a trace.
    func randomness(of id: TraceID) -> UInt64 { randomness ?? SamplingThreshold.randomness(of: id) }

    static let key = Array("ot".utf8)

    /// Reads one span's tracestate.
    package init(traceState text: UnsafeRawBufferPointer) {
        guard let value = TraceStateText.value(of: Self.key, in: text) else { return }
        Self.forEachField(of: value) { name, field in
            if name.elementsEqual("th".utf8) { threshold = SamplingThreshold.parse(threshold: field) }
            if name.elementsEqual("rv".utf8) { randomness = SamplingThreshold.parse(randomness: field) }
        }
    }

    /// Visits the `name:value` pairs of an `ot` member.
    static func forEachField(
        of value: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void
    ) {
        var start = 0
        while start < value.count {
            var end = start
            while end < value.count, value[end] != UInt8(ascii: ";") { end += 1 }
            let field = value[start..<end]
            if let colon = field.firstIndex(of: UInt8(ascii: ":")) {
                body(
                    UnsafeRawBufferPointer(rebasing: value[start..<colon]),
                    UnsafeRawBufferPointer(rebasing: value[(colon + 1)..<end]))
            }
            start = end + 1
        }
    }

    /// Reads a trace: its root speaks for it, or else the span that was sampled most.
    init(of spans: any TraceSpans) {
        if let root = spans.root {
            self.init(traceState: SpanMessage.traceState(root.span))
            if !isEmpty { return }
        }
        var result = UpstreamSampling()
        spans.visit { span in
            let state = UpstreamSampling(traceState: SpanMessage.traceState(span.span))
            if let threshold = state.threshold { result.threshold = max(result.threshold ?? 0, threshold) }
            if let randomness = state.randomness { result.randomness = max(result.randomness ?? 0, randomness) }
            return true
        }
        self = result
    }
}
