import OTLP

/// What a kept span says of its sampling: `ot=th` in its tracestate, and on the root the policy that kept the trace.
///
/// https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/ gives the threshold its meaning: 2⁵⁶
/// divided by 2⁵⁶ − threshold is the number of traces that this one stands for.
struct SpanAnnotation {
    static let policyKey = Array("tailrace.policy".utf8)

    private let policy: [UInt8]
    /// The probability of spans that say nothing of their own.
    private let probability: Double
    /// Whether what a span says of samplers before is still to be multiplied in.
    private let isConditional: Bool

    /// - Parameter ownProbability: what the sampler adds to that of samplers before it; nil for late spans, for which only the
    ///   decision's own probability is remembered.
    init(policy: String, probability: Double, ownProbability: Double?) {
        self.policy = Array(policy.utf8)
        self.probability = probability
        isConditional = ownProbability != nil
        own = ownProbability ?? probability
    }

    private let own: Double

    /// Writes a span's message with its annotations, as field 2 of `ScopeSpans`.
    func write(_ span: UnsafeRawBufferPointer, isRoot: Bool, into writer: inout ProtobufWriter) {
        let state = SpanMessage.traceState(span)
        let annotated = traceState(state)
        writer.messageField(2) { writer in
            copy(span, replacesState: annotated != nil, replacesPolicy: isRoot, into: &writer)
            if let annotated { writer.bytesField(3, annotated) }
            if isRoot, !policy.isEmpty {
                writer.messageField(9) { writer in
                    writer.bytesField(1, Self.policyKey)
                    writer.messageField(2) { $0.bytesField(1, policy) }
                }
            }
        }
    }

    /// The fields that stay, in their order.
    private func copy(
        _ span: UnsafeRawBufferPointer, replacesState: Bool, replacesPolicy: Bool, into writer: inout ProtobufWriter
    ) {
        var copied = 0
        SpanMessage.visit(span) { tag, field, payload in
            let isState = replacesState && tag == SpanMessage.traceStateField << 3 | WireType.length
            let isPolicy =
                replacesPolicy && tag == SpanMessage.attributeField << 3 | WireType.length
                && SpanMessage.last(1, in: payload).elementsEqual(Self.policyKey)
            guard isState || isPolicy else { return true }
            writer.bytes.append(contentsOf: span[copied..<field.lowerBound])
            copied = field.upperBound
            return true
        }
        writer.bytes.append(contentsOf: span[copied...])
    }

    /// The tracestate with the threshold in it, first as W3C asks of a member that changed; nil where it stays as it is: a text
    /// that is no tracestate is left alone.
    private func traceState(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        let before = UpstreamSampling(traceState: text)
        let overall = isConditional ? before.probability * own : min(before.probability, probability)
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
