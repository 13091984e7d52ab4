import OTLP
import Testing
import TraceModel

/// Holds what the scanner found against swift-protobuf's reading of the same bytes.
enum ScannerCheck {
    /// Whether OpenTelemetry's rules allow this span, judged by swift-protobuf's reading.
    static func isUsable(_ span: ReferenceSpan) -> Bool {
        span.traceID.count == 16 && span.spanID.count == 8 && [0, 8].contains(span.parentSpanID.count)
            && span.traceID.contains { $0 != 0 } && span.spanID.contains { $0 != 0 }
            && span.endTimeUnixNano >= span.startTimeUnixNano
    }

    static func compare(
        _ batch: SpanBatch, _ scanner: OTLPScanner, _ bytes: [UInt8], _ reference: ReferenceRequest, _ comment: String
    ) {
        let spans = Reference.spans(of: reference)
        guard batch.count == spans.count else {
            Issue.record("\(batch.count) spans instead of \(spans.count); \(comment)")
            return
        }
        let rejected = Set(scanner.rejectedSpans.map(\.index))
        bytes.withUnsafeBytes { _ in
            for (index, span) in spans.enumerated() {
                let head = batch.heads[index]
                // A rejected span's ids are not kept.
                if rejected.contains(index) { continue }
                let expected = Reference.span(span)
                let matches =
                    isUsable(span) && head.traceID == expected.traceID && head.spanID == expected.spanID
                    && head.parentSpanID == expected.parentSpanID && head.startTime == expected.startTime
                    && head.endTime == expected.endTime && head.kind == expected.kind.rawValue
                    && head.status == expected.status.code.rawValue && head.flags == expected.flags
                    && Int(head.attributeCount) == expected.attributes.count
                    && head.name.length == UInt32(expected.name.utf8.count)
                    && head.traceState.length == UInt32(expected.traceState.utf8.count)
                if !matches { Issue.record("span \(index) differs: \(head) from \(expected); \(comment)") }
            }
        }
    }
}
