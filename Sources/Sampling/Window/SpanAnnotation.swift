import OTLP
import Pipeline

/// What a kept span says of its sampling: `ot=th` in its tracestate, and on the root the policy that kept the trace.
///
/// https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/ gives the threshold its meaning: 2⁵⁶
/// divided by 2⁵⁶ − threshold is the number of traces that this one stands for.
struct SpanAnnotation {
    static let policyKey = Array("tailrace.policy".utf8)
    /// On the root of an outline (its first span where it has no root): the number of spans that were left out. Also without other
    /// annotations, since nobody may take an outline for a whole trace.
    static let leftOutKey = Array(TraceSummary.leftOutSpansKey.utf8)

    /// Says nothing of the sampling.
    static let none = SpanAnnotation()

    /// Whether tracestates get a threshold.
    private let statesThreshold: Bool
    private let policy: [UInt8]
    /// The probability of spans that say nothing of their own.
    private let probability: Double
    /// Whether what a span says of samplers before is still to be multiplied in.
    private let isConditional: Bool

    /// - Parameter ownProbability: what the sampler adds to that of samplers before it; nil for late spans, for which only the
    ///   decision's own probability is remembered.
    /// - Parameter whole: the same of spans beyond the outline, where the trace might have been kept as one.
    init(
        policy: String, probability: Double, ownProbability: Double?, whole: (probability: Double, own: Double)? = nil
    ) {
        statesThreshold = true
        self.policy = Array(policy.utf8)
        self.probability = probability
        isConditional = ownProbability != nil
        own = ownProbability ?? probability
        self.whole = whole
    }

    private init() {
        statesThreshold = false
        policy = []
        probability = 1
        isConditional = false
        own = 1
        whole = nil
    }

    private let own: Double
    private let whole: (probability: Double, own: Double)?

    /// Writes a span's message with its annotations, as field 2 of `ScopeSpans`.
    ///
    /// - Parameter leftOutSpans: spans of its trace that are not kept; 0 for all spans but the one that says so.
    func write(
        _ span: UnsafeRawBufferPointer, isRoot: Bool, isBeyondOutline: Bool = false, leftOutSpans: Int = 0,
        into writer: inout ProtobufWriter
    ) {
        let annotated =
            statesThreshold
            ? traceState(
                SpanMessage.traceState(span), isBeyondOutline ? whole ?? (probability, own) : (probability, own))
            : nil
        writer.messageField(2) { writer in
            let left = copy(
                span, replacesState: annotated != nil, replacesPolicy: isRoot && statesThreshold,
                replacesLeftOut: leftOutSpans > 0, into: &writer)
            if leftOutSpans > 0 {
                // A sampler before this one may have left out some already.
                let (sum, overflow) = left.addingReportingOverflow(UInt64(leftOutSpans))
                writer.messageField(9) { writer in
                    writer.bytesField(1, Self.leftOutKey)
                    writer.messageField(2) { $0.varintField(3, overflow ? left : sum) }
                }
            }
            if let annotated { writer.bytesField(3, annotated) }
            if isRoot, !policy.isEmpty {
                writer.messageField(9) { writer in
                    writer.bytesField(1, Self.policyKey)
                    writer.messageField(2) { $0.bytesField(1, policy) }
                }
            }
        }
    }

    /// The fields that stay, in their order. Returns what the span said of spans left out, where that is replaced.
    private func copy(
        _ span: UnsafeRawBufferPointer, replacesState: Bool, replacesPolicy: Bool, replacesLeftOut: Bool,
        into writer: inout ProtobufWriter
    ) -> UInt64 {
        var copied = 0
        var leftOut: UInt64 = 0
        SpanMessage.visit(span) { tag, field, payload in
            let isState = replacesState && tag == SpanMessage.traceStateField << 3 | WireType.length
            var isReplaced = false
            if replacesPolicy || replacesLeftOut, tag == SpanMessage.attributeField << 3 | WireType.length {
                let key = SpanMessage.last(1, in: payload)
                isReplaced = replacesPolicy && key.elementsEqual(Self.policyKey)
                if replacesLeftOut, key.elementsEqual(Self.leftOutKey) {
                    isReplaced = true
                    if case .int(let count)? = AttributeLookup.value(of: Self.leftOutKey, in: span, .span), count > 0 {
                        leftOut = UInt64(count)
                    }
                }
            }
            guard isState || isReplaced else { return true }
            writer.bytes.append(contentsOf: span[copied..<field.lowerBound])
            copied = field.upperBound
            return true
        }
        writer.bytes.append(contentsOf: span[copied...])
        return leftOut
    }

    /// The tracestate with the threshold in it, first as W3C asks of a member that changed; nil where it stays as it is: a text
    /// that is no tracestate is left alone.
    private func traceState(
        _ text: UnsafeRawBufferPointer, _ chance: (probability: Double, own: Double)
    ) -> [UInt8]? {
        let before = UpstreamSampling(traceState: text)
        let overall =
            isConditional ? before.probability * chance.own : min(before.probability, chance.probability)
        var result = Array("ot=th:".utf8)
        result += SamplingThreshold.text(SamplingThreshold.threshold(probability: overall))
        var members: [[UInt8]] = []
        let isValid = TraceStateText.forEach(in: text) { member in
            if member.key.elementsEqual(UpstreamSampling.key) {
                UpstreamSampling.forEachField(of: member.value) { name, value in
                    if !name.elementsEqual("th".utf8) { result += [0x3b] + Array(name) + [0x3a] + Array(value) }
                }
            } else {
                members.append(Array(member.key) + [0x3d] + Array(member.value))
            }
        }
        guard isValid, overall > 0 else { return nil }
        for member in members.prefix(TraceStateText.maximumMembers - 1) { result += [0x2c] + member }
        return result
    }
}
