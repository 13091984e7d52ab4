import OTLP

/// A span's tracestate has one of some values for a key. A text that is no tracestate has none.
final class TraceStateCondition: SpanCondition {
    private let key: [UInt8]
    private let values: [[UInt8]]

    /// Values that no tracestate can hold with their key (256 characters and more) are left out, as in the Collector.
    init(key: String, values: [String]) {
        self.key = Array(key.utf8)
        self.values = values.map { Array($0.utf8) }.filter { $0.count + key.utf8.count < 256 }
    }

    func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool {
        if span.traceState.isEmpty { return false }
        guard let value = TraceStateText.value(of: key, in: batch.bytes(span.traceState)) else { return false }
        return values.contains { value.elementsEqual($0) }
    }
}

/// A span has the sampled flag of W3C's trace context.
final class SampledFlagCondition: SpanCondition {
    func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool { span.flags & 1 != 0 }
}

/// A span has an `ot` member in its tracestate.
enum UpstreamCondition {
    @inline(__always)
    static func isMet(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool {
        // `ot=` and something.
        if span.traceState.length < 4 { return false }
        return TraceStateText.value(of: UpstreamSampling.key, in: batch.bytes(span.traceState)) != nil
    }
}
