import OTLP

/// Writes spans of a batch as a new OTLP request: selected ones, or all of them scrubbed.
///
/// Off the hot path: used for dead letters, for sinks without a sampler, and where a scrubber must be applied to all spans
/// because a filter behind it reads what it changes.
struct BatchRewriter {
    private var scanner = OTLPScanner()

    /// An OTLP request of the selected spans, in their order, scrubbed by the scrubbers one after the other.
    func request(_ batch: SpanBatch, _ selection: [UInt32], scrubbers: [any SpanScrubber]) -> [UInt8] {
        let chain = ScrubberChain(scrubbers)
        var writer = ProtobufWriter(reservingCapacity: batch.record.count + 64)
        var index = 0
        while index < selection.count {
            let unit = batch.heads[Int(selection[index])].unit
            let parts = batch.units[Int(unit)]
            writer.messageField(1) { writer in
                writer.bytesField(1, chain.scrub(batch.bytes(parts.resource), as: .resource))
                writer.messageField(2) { writer in
                    // A scrubber may set an attribute where there was no scope.
                    let scope = chain.scrub(batch.bytes(parts.scope), as: .scope)
                    if !scope.isEmpty { writer.bytesField(1, scope) }
                    while index < selection.count, batch.heads[Int(selection[index])].unit == unit {
                        let span = batch.bytes(batch.heads[Int(selection[index])].message)
                        writer.bytesField(2, chain.scrub(span, as: .span))
                        index += 1
                    }
                    if !parts.scopeSchemaURL.isEmpty { writer.bytesField(3, batch.bytes(parts.scopeSchemaURL)) }
                }
                if !parts.resourceSchemaURL.isEmpty { writer.bytesField(3, batch.bytes(parts.resourceSchemaURL)) }
            }
        }
        return writer.bytes
    }

    /// A batch with the same spans in the same order, scrubbed; nil for an empty batch. Valid until the next rewrite of this
    /// record is superseded by the next record.
    mutating func rewrite(_ batch: SpanBatch, with scrubber: any SpanScrubber) -> SpanBatch? {
        if batch.count == 0 { return nil }
        let bytes = request(batch, (0..<UInt32(batch.count)).map { $0 }, scrubbers: [scrubber])
        let rewritten = SpanBatch()
        rewritten.adopt(bytes)
        do {
            try scanner.scan(rewritten.record, into: rewritten)
        } catch {
            return nil
        }
        return rewritten
    }
}
