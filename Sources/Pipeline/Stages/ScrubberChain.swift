/// Scrubbers that are applied one after the other where something leaves: spans for a sink, and what is said of traces.
package struct ScrubberChain {
    package enum MessageKind { case span, resource, scope }

    private let scrubbers: [any SpanScrubber]

    package init(_ scrubbers: [any SpanScrubber]) { self.scrubbers = scrubbers }

    package var isEmpty: Bool { scrubbers.isEmpty }

    /// Applies all scrubbers in order. The scanner has accepted the bytes, so a scrubber that cannot read them is a defect
    /// of the scrubber: what it could not scrub is left out, since nothing unscrubbed may leave.
    package func scrub(_ message: UnsafeRawBufferPointer, as kind: MessageKind) -> [UInt8] {
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
    package func name(_ name: UnsafeRawBufferPointer) -> String {
        scrubbers.reduce(String(decoding: name, as: UTF8.self)) { $1.scrubName($0) }
    }
}
