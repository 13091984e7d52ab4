import Pipeline

extension ScrubberChain {
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
