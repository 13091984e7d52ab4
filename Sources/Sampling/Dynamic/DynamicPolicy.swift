import CXXHash
import OTLP
import Pipeline
import TraceModel

/// `dynamic`, `ema_dynamic`, `ema_throughput`, `windowed_throughput`, `total_throughput`: keeps one trace in as many as the
/// sample rate of its key says, by the trace's own 56 random bits.
public final class DynamicPolicy: StatefulPolicy, DetailingPolicy {
    public let name: String
    private let fields: [Field]
    private let usesTraceLength: Bool
    private var sampler: DynamicSampler
    private var clock = StreamClock()
    private(set) var lastDetail = DecisionDetail(.rate)

    /// A field of Refinery's `FieldList`: an attribute of any span, or with `root.` of the root span only.
    struct Field: Sendable {
        var key: [UInt8]
        var isOfRoot: Bool

        init(_ text: String) {
            isOfRoot = text.hasPrefix("root.")
            key = Array((isOfRoot ? String(text.dropFirst(5)) : text).utf8)
        }
    }

    init(name: String, _ sampler: DynamicSampler, fields: [Field], usesTraceLength: Bool) {
        self.name = name
        self.sampler = sampler
        self.fields = fields
        self.usesTraceLength = usesTraceLength
    }

    public var needsWholeTrace: Bool { true }
    public var randomness: String? { "w3c" }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        _ = clock.advance(to: trace.decidedAt)
        let key = key(of: trace)
        let rate = sampler.rate(of: key, count: Double(trace.spanCount), at: clock.now)
        lastDetail.key = key
        lastDetail.rate = max(1, rate)
        return Self.vote(on: trace, rate: rate)
    }

    /// Keeps one trace in `rate` of those that come here.
    static func vote(on trace: TraceEvidence, rate: Double) -> SamplingVote {
        let probability = 1 / max(1, rate)
        let threshold = SamplingThreshold.threshold(probability: trace.upstream.probability * probability)
        return trace.upstream.randomness(of: trace.traceID) >= threshold
            ? .keep(probability: probability) : .pass(probability: probability)
    }

    /// As Refinery: the distinct values of each field over all spans of the trace, whatever their order.
    private func key(of trace: TraceEvidence) -> UInt64 {
        var key: UInt64 = usesTraceLength ? UInt64(trace.spanCount) &* 0x9e37_79b9_7f4a_7c15 : 0
        for (index, field) in fields.enumerated() {
            var values: Set<UInt64> = []
            if field.isOfRoot {
                if trace.hasRoot, let root = trace.spans.root, let value = Self.value(of: field.key, root) {
                    values.insert(value)
                }
            } else {
                trace.spans.visit { span in
                    if let value = Self.value(of: field.key, span) { values.insert(value) }
                    // Refinery too stops at a hundred distinct values.
                    return values.count < 100
                }
            }
            key = key &* 31 &+ UInt64(index)
            for value in values.sorted() { key = (key ^ value) &* 0xd6e8_feb8_6659_fd93 }
        }
        return key
    }

    private static let nameKey = Array("name".utf8)

    private static func value(of key: [UInt8], _ span: TraceSpan) -> UInt64? {
        // Refinery knows a span's name as an attribute.
        if key == nameKey { return hash(SpanFields(span.span).name, seed: 1) }
        let value =
            AttributeLookup.value(of: key, in: span.span, .span)
            ?? AttributeLookup.value(of: key, in: span.resource, .resource)
        switch value {
        case .string(let bytes): return hash(bytes, seed: 2)
        case .bytes(let bytes), .composite(let bytes): return hash(bytes, seed: 3)
        case .int(let number): return UInt64(bitPattern: number) &* 0x9e37_79b9_7f4a_7c15 &+ 4
        case .double(let number): return number.bitPattern &* 0x9e37_79b9_7f4a_7c15 &+ 5
        case .bool(let flag): return flag ? 7 : 6
        case .empty, nil: return nil
        }
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        guard let start = bytes.baseAddress else { return seed }
        return XXH3_64bits_withSeed(start, bytes.count, seed)
    }

    /// Keys are known by their hash only.
    func text(of name: DecisionName) -> String? { nil }

    public func encodeState(into encoder: inout StateEncoder) {
        encoder.signed(clock.now)
        sampler.encode(into: &encoder)
    }

    public func restoreState(from decoder: inout StateDecoder) {
        guard let now = decoder.signed() else { return }
        clock = StreamClock(now: now)
        sampler.restore(from: &decoder)
    }
}

/// `deterministic`: one trace in `SampleRate`, by the trace's own 56 random bits.
public final class DeterministicPolicy: SamplingPolicy {
    public let name: String
    private let rate: Double

    public init(name: String, rate: Double) {
        self.name = name
        self.rate = rate
    }

    public var randomness: String? { "w3c" }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        DynamicPolicy.vote(on: trace, rate: rate)
    }
}
