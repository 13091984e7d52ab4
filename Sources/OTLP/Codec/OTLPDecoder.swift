import TraceModel

/// Decodes OTLP protobuf (`ExportTraceServiceRequest`, opentelemetry-proto v1) to the model: every field, every string
/// checked as UTF-8. For queries and output; the hot path scans bytes instead.
///
/// Follows protobuf's rules: fields in any order, unknown fields skipped, a known field of another wire type treated as
/// unknown, a repeated singular message merged, the last of a repeated scalar or union member taken. An absent or empty
/// id is zero, and so is a link's id of the wrong length. Enum values the model does not know become `unspecified` and
/// `unset`. Pure functions: callable from any thread; nothing of the input is kept.
public enum OTLPDecoder {
    /// Decodes a request. Throws `ScanError` with the byte offset where the bytes are no valid request or an id has the
    /// wrong length. `bytes` must stay valid during the call only.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(ScanError) -> [ResourceSpans] {
        // Byte ranges hold 32 bits, so anything longer is refused before the first is made.
        guard bytes.count < Int(UInt32.max) else { throw ScanError(.tooLarge, at: 0) }
        guard let base = bytes.assumingMemoryBound(to: UInt8.self).baseAddress else { return [] }
        var reader = WireReader(base: base, from: 0, to: bytes.count)
        var result: [ResourceSpans] = []
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch (Int(tag >> 3), tag & 7) {
            case (OTLPField.Request.resourceSpans, WireType.length):
                var message = WireReader(base: base, range: try reader.lengthDelimited())
                result.append(try message.resourceSpans())
            default: try reader.skip(tag: tag)
            }
        }
        return result
    }

    /// Decodes a request held in an array; see the other overload.
    public static func decode(_ bytes: [UInt8]) throws(ScanError) -> [ResourceSpans] {
        let result: Result<[ResourceSpans], ScanError> = bytes.withUnsafeBytes { buffer in
            do throws(ScanError) { return .success(try decode(buffer)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Decodes the payload of one `Span` message (what an arena or a segment stores per span).
    public static func decodeSpan(_ bytes: UnsafeRawBufferPointer) throws(ScanError) -> Span {
        try message(bytes, empty: Span.blank) { (reader) throws(ScanError) in try reader.span() }
    }

    /// Decodes the payload of one `Resource` message.
    public static func decodeResource(_ bytes: UnsafeRawBufferPointer) throws(ScanError) -> Resource {
        try message(bytes, empty: Resource()) { (reader) throws(ScanError) in
            var resource = Resource()
            try reader.merge(into: &resource)
            return resource
        }
    }

    /// Decodes the payload of one `InstrumentationScope` message.
    public static func decodeScope(_ bytes: UnsafeRawBufferPointer) throws(ScanError) -> InstrumentationScope {
        try message(bytes, empty: InstrumentationScope()) { (reader) throws(ScanError) in
            var scope = InstrumentationScope()
            try reader.merge(into: &scope)
            return scope
        }
    }

    /// Decodes the payload of one `AnyValue` message.
    public static func decodeValue(_ bytes: UnsafeRawBufferPointer) throws(ScanError) -> AttributeValue {
        try message(bytes, empty: .empty) { (reader) throws(ScanError) in
            var value = AttributeValue.empty
            try reader.merge(into: &value, depth: 0)
            return value
        }
    }

    private static func message<Message>(
        _ bytes: UnsafeRawBufferPointer, empty: Message, _ decode: (inout WireReader) throws(ScanError) -> Message
    ) throws(ScanError) -> Message {
        guard bytes.count < Int(UInt32.max) else { throw ScanError(.tooLarge, at: 0) }
        guard let base = bytes.assumingMemoryBound(to: UInt8.self).baseAddress else { return empty }
        var reader = WireReader(base: base, from: 0, to: bytes.count)
        return try decode(&reader)
    }
}

extension Span {
    /// What an empty `Span` message decodes to.
    static let blank = Span(
        traceID: TraceID(high: 0, low: 0), spanID: SpanID(0), name: "", kind: .unspecified, startTime: 0, endTime: 0)
}
