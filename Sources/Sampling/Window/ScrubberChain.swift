import Pipeline

/// Scrubbers that are applied where something leaves a sampler: to kept spans, and to what is said of traces.
struct ScrubberChain {
    enum MessageKind { case span, resource, scope }

    private let scrubbers: [any SpanScrubber]

    init(_ scrubbers: [any SpanScrubber]) { self.scrubbers = scrubbers }

    var isEmpty: Bool { scrubbers.isEmpty }

    /// Applies all scrubbers in order. The scanner has accepted the bytes, so a scrubber that cannot read them is a defect
    /// of the scrubber: what it could not scrub is left out, since nothing unscrubbed may leave.
    func scrub(_ message: UnsafeRawBufferPointer, as kind: MessageKind) -> [UInt8] {
        var bytes = Array(message)
        for scrubber in scrubbers {
            var output: [UInt8] = []
            output.reserveCapacity(bytes.count + 16)
            do {
                try bytes.withUnsafeBytes { buffer in
                    switch kind {
                    case .span: try scrubber.scrubSpan(buffer, into: &output)
                    case .resource: try scrubber.scrubResource(buffer, into: &output)
                    case .scope: try scrubber.scrubScope(buffer, into: &output)
                    }
                }
            } catch {
                return []
            }
            bytes = output
        }
        return bytes
    }

    /// The name of a span.
    func name(_ name: UnsafeRawBufferPointer) -> String {
        scrubbers.reduce(String(decoding: name, as: UTF8.self)) { $1.scrubName($0) }
    }

    /// Calls `body` with a span and its resource as they may leave.
    func withScrubbed<Result>(_ span: TraceSpan, _ body: (TraceSpan) -> Result) -> Result {
        if isEmpty { return body(span) }
        return scrub(span.span, as: .span).withUnsafeBytes { bytes in
            scrub(span.resource, as: .resource).withUnsafeBytes { resource in
                body(TraceSpan(span: bytes, resource: resource, scope: span.scope, unit: span.unit))
            }
        }
    }
}
