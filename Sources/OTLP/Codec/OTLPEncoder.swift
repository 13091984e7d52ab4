import TraceModel

/// Encodes the model as OTLP protobuf (`ExportTraceServiceRequest`, opentelemetry-proto v1).
///
/// Fields at their default are left out, as proto3 does; a zero id is an absent one. Pure functions: callable from any
/// thread.
public enum OTLPEncoder {
    /// An `ExportTraceServiceRequest` of these resources. An empty list gives no bytes at all.
    public static func encode(_ resourceSpans: [ResourceSpans]) -> [UInt8] {
        var writer = ProtobufWriter(reservingCapacity: 256)
        for element in resourceSpans {
            let mark = writer.beginMessage(OTLPField.Request.resourceSpans)
            encode(resourceSpans: element, into: &writer)
            writer.endMessage(mark)
        }
        return writer.bytes
    }

    /// Appends the fields of one `ResourceSpans` message, without its own tag and length.
    public static func encode(resourceSpans: ResourceSpans, into writer: inout ProtobufWriter) {
        let resource = writer.beginMessage(OTLPField.ResourceSpans.resource)
        encode(resource: resourceSpans.resource, into: &writer)
        writer.endMessage(resource)
        for scopeSpans in resourceSpans.scopeSpans {
            let mark = writer.beginMessage(OTLPField.ResourceSpans.scopeSpans)
            encode(scopeSpans: scopeSpans, into: &writer)
            writer.endMessage(mark)
        }
        writer.nonEmptyString(OTLPField.ResourceSpans.schemaURL, resourceSpans.schemaURL)
    }

    /// Appends the fields of one `ScopeSpans` message, without its own tag and length.
    public static func encode(scopeSpans: ScopeSpans, into writer: inout ProtobufWriter) {
        let scope = writer.beginMessage(OTLPField.ScopeSpans.scope)
        encode(scope: scopeSpans.scope, into: &writer)
        writer.endMessage(scope)
        for span in scopeSpans.spans {
            let mark = writer.beginMessage(OTLPField.ScopeSpans.spans)
            encode(span: span, into: &writer)
            writer.endMessage(mark)
        }
        writer.nonEmptyString(OTLPField.ScopeSpans.schemaURL, scopeSpans.schemaURL)
    }

    /// Appends the fields of a `Resource` message, without its own tag and length.
    public static func encode(resource: Resource, into writer: inout ProtobufWriter) {
        encode(attributes: resource.attributes, field: OTLPField.Resource.attributes, into: &writer)
        writer.nonZeroVarint(OTLPField.Resource.droppedAttributesCount, resource.droppedAttributesCount)
    }

    /// Appends the fields of an `InstrumentationScope` message, without its own tag and length.
    public static func encode(scope: InstrumentationScope, into writer: inout ProtobufWriter) {
        writer.nonEmptyString(OTLPField.Scope.name, scope.name)
        writer.nonEmptyString(OTLPField.Scope.version, scope.version)
        encode(attributes: scope.attributes, field: OTLPField.Scope.attributes, into: &writer)
        writer.nonZeroVarint(OTLPField.Scope.droppedAttributesCount, scope.droppedAttributesCount)
    }

    /// Appends the fields of a `Span` message, without its own tag and length.
    public static func encode(span: Span, into writer: inout ProtobufWriter) {
        writer.traceID(OTLPField.Span.traceID, span.traceID)
        writer.spanID(OTLPField.Span.spanID, span.spanID)
        writer.nonEmptyString(OTLPField.Span.traceState, span.traceState)
        writer.spanID(OTLPField.Span.parentSpanID, span.parentSpanID)
        writer.nonEmptyString(OTLPField.Span.name, span.name)
        writer.nonZeroVarint(OTLPField.Span.kind, UInt32(span.kind.rawValue))
        writer.nonZeroFixed64(OTLPField.Span.startTime, span.startTime)
        writer.nonZeroFixed64(OTLPField.Span.endTime, span.endTime)
        encode(attributes: span.attributes, field: OTLPField.Span.attributes, into: &writer)
        writer.nonZeroVarint(OTLPField.Span.droppedAttributesCount, span.droppedAttributesCount)
        for event in span.events {
            let mark = writer.beginMessage(OTLPField.Span.events)
            encode(event: event, into: &writer)
            writer.endMessage(mark)
        }
        writer.nonZeroVarint(OTLPField.Span.droppedEventsCount, span.droppedEventsCount)
        for link in span.links {
            let mark = writer.beginMessage(OTLPField.Span.links)
            encode(link: link, into: &writer)
            writer.endMessage(mark)
        }
        writer.nonZeroVarint(OTLPField.Span.droppedLinksCount, span.droppedLinksCount)
        if span.status != SpanStatus() {
            let mark = writer.beginMessage(OTLPField.Span.status)
            writer.nonEmptyString(OTLPField.Status.message, span.status.message)
            writer.nonZeroVarint(OTLPField.Status.code, UInt32(span.status.code.rawValue))
            writer.endMessage(mark)
        }
        if span.flags != 0 { writer.fixed32Field(OTLPField.Span.flags, span.flags) }
    }

    static func encode(event: SpanEvent, into writer: inout ProtobufWriter) {
        writer.nonZeroFixed64(OTLPField.Event.time, event.time)
        writer.nonEmptyString(OTLPField.Event.name, event.name)
        encode(attributes: event.attributes, field: OTLPField.Event.attributes, into: &writer)
        writer.nonZeroVarint(OTLPField.Event.droppedAttributesCount, event.droppedAttributesCount)
    }

    static func encode(link: SpanLink, into writer: inout ProtobufWriter) {
        writer.traceID(OTLPField.Link.traceID, link.traceID)
        writer.spanID(OTLPField.Link.spanID, link.spanID)
        writer.nonEmptyString(OTLPField.Link.traceState, link.traceState)
        encode(attributes: link.attributes, field: OTLPField.Link.attributes, into: &writer)
        writer.nonZeroVarint(OTLPField.Link.droppedAttributesCount, link.droppedAttributesCount)
        if link.flags != 0 { writer.fixed32Field(OTLPField.Link.flags, link.flags) }
    }

    /// Appends each attribute as a `KeyValue` message of field number `field`.
    public static func encode(attributes: [Attribute], field: Int, into writer: inout ProtobufWriter) {
        for attribute in attributes {
            let mark = writer.beginMessage(field)
            writer.nonEmptyString(OTLPField.KeyValue.key, attribute.key)
            let value = writer.beginMessage(OTLPField.KeyValue.value)
            encode(value: attribute.value, into: &writer)
            writer.endMessage(value)
            writer.endMessage(mark)
        }
    }

    /// Appends the one field of an `AnyValue` message. Unlike plain fields, a default (`""`, 0, false) is written:
    /// which member of the union is set carries meaning.
    public static func encode(value: AttributeValue, into writer: inout ProtobufWriter) {
        switch value {
        case .string(let string): writer.stringField(OTLPField.AnyValue.string, string)
        case .bool(let bool): writer.varintField(OTLPField.AnyValue.bool, bool ? 1 : 0)
        case .int(let int): writer.varintField(OTLPField.AnyValue.int, UInt64(bitPattern: int))
        case .double(let double): writer.fixed64Field(OTLPField.AnyValue.double, double.bitPattern)
        case .bytes(let bytes): writer.bytesField(OTLPField.AnyValue.bytes, bytes)
        case .array(let values):
            let list = writer.beginMessage(OTLPField.AnyValue.array)
            for element in values {
                let mark = writer.beginMessage(OTLPField.List.values)
                encode(value: element, into: &writer)
                writer.endMessage(mark)
            }
            writer.endMessage(list)
        case .map(let entries):
            let list = writer.beginMessage(OTLPField.AnyValue.map)
            encode(attributes: entries, field: OTLPField.List.values, into: &writer)
            writer.endMessage(list)
        case .empty: break
        }
    }
}

extension ProtobufWriter {
    fileprivate mutating func nonEmptyString(_ field: Int, _ value: String) {
        if !value.isEmpty { stringField(field, value) }
    }

    fileprivate mutating func nonZeroVarint(_ field: Int, _ value: UInt32) {
        if value != 0 { varintField(field, UInt64(value)) }
    }

    fileprivate mutating func nonZeroFixed64(_ field: Int, _ value: UInt64) {
        if value != 0 { fixed64Field(field, value) }
    }

    fileprivate mutating func traceID(_ field: Int, _ id: TraceID) {
        if id.isZero { return }
        varint(UInt64(truncatingIfNeeded: field) << 3 | WireType.length)
        bytes.append(16)
        withUnsafeBytes(of: id.high.bigEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: id.low.bigEndian) { bytes.append(contentsOf: $0) }
    }

    fileprivate mutating func spanID(_ field: Int, _ id: SpanID) {
        if id.isZero { return }
        varint(UInt64(truncatingIfNeeded: field) << 3 | WireType.length)
        bytes.append(8)
        withUnsafeBytes(of: id.value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
