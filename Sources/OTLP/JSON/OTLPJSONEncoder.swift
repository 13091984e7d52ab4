import TraceModel

/// Encodes the model as OTLP/JSON: proto3 JSON in lowerCamelCase with the deviations that OTLP defines: ids in hex,
/// enums as numbers. 64-bit integers are strings, bytes base64, and NaN and infinities strings. Fields at their default
/// are left out. Pure functions: callable from any thread.
public enum OTLPJSONEncoder {
    /// An `ExportTraceServiceRequest`.
    ///
    /// - Parameters:
    ///   - arrivalMilliseconds: written as the member `arrival_ms`, which recorded traces carry.
    ///   - pretty: one member per line, indented by two spaces, instead of one line for everything. No line end follows
    ///     either way.
    public static func encode(
        _ resourceSpans: [ResourceSpans], arrivalMilliseconds: Int64? = nil, pretty: Bool = false
    ) -> [UInt8] {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 1024)
        write(resourceSpans, arrivalMilliseconds: arrivalMilliseconds, into: &json)
        return json.bytes
    }

    /// Writes a request as one JSON value.
    package static func write(
        _ resourceSpans: [ResourceSpans], arrivalMilliseconds: Int64? = nil, into json: inout JSONWriter
    ) {
        json.beginObject()
        if let arrivalMilliseconds { json.member("arrival_ms", arrivalMilliseconds) }
        json.key("resourceSpans")
        json.beginArray()
        for element in resourceSpans { write(element, into: &json) }
        json.endArray()
        json.endObject()
    }

    package static func write(_ resourceSpans: ResourceSpans, into json: inout JSONWriter) {
        json.beginObject()
        json.key("resource")
        write(resourceSpans.resource, into: &json)
        json.key("scopeSpans")
        json.beginArray()
        for scopeSpans in resourceSpans.scopeSpans {
            json.beginObject()
            json.key("scope")
            write(scopeSpans.scope, into: &json)
            json.key("spans")
            json.beginArray()
            for span in scopeSpans.spans { write(span, into: &json) }
            json.endArray()
            json.nonEmpty("schemaUrl", scopeSpans.schemaURL)
            json.endObject()
        }
        json.endArray()
        json.nonEmpty("schemaUrl", resourceSpans.schemaURL)
        json.endObject()
    }

    package static func write(_ resource: Resource, into json: inout JSONWriter) {
        json.beginObject()
        write(attributes: resource.attributes, into: &json)
        json.nonZero("droppedAttributesCount", resource.droppedAttributesCount)
        json.endObject()
    }

    package static func write(_ scope: InstrumentationScope, into json: inout JSONWriter) {
        json.beginObject()
        json.nonEmpty("name", scope.name)
        json.nonEmpty("version", scope.version)
        write(attributes: scope.attributes, into: &json)
        json.nonZero("droppedAttributesCount", scope.droppedAttributesCount)
        json.endObject()
    }

    /// Writes one OTLP/JSON span.
    package static func write(_ span: Span, into json: inout JSONWriter) {
        json.beginObject()
        json.traceID(span.traceID)
        json.spanID("spanId", span.spanID)
        json.nonEmpty("traceState", span.traceState)
        json.spanID("parentSpanId", span.parentSpanID)
        json.nonZero("flags", span.flags)
        json.nonEmpty("name", span.name)
        json.nonZero("kind", UInt32(span.kind.rawValue))
        json.time("startTimeUnixNano", span.startTime)
        json.time("endTimeUnixNano", span.endTime)
        write(attributes: span.attributes, into: &json)
        json.nonZero("droppedAttributesCount", span.droppedAttributesCount)
        if !span.events.isEmpty {
            json.key("events")
            json.beginArray()
            for event in span.events { write(event, into: &json) }
            json.endArray()
        }
        json.nonZero("droppedEventsCount", span.droppedEventsCount)
        if !span.links.isEmpty {
            json.key("links")
            json.beginArray()
            for link in span.links { write(link, into: &json) }
            json.endArray()
        }
        json.nonZero("droppedLinksCount", span.droppedLinksCount)
        if span.status != SpanStatus() {
            json.key("status")
            json.beginObject()
            json.nonZero("code", UInt32(span.status.code.rawValue))
            json.nonEmpty("message", span.status.message)
            json.endObject()
        }
        json.endObject()
    }

    package static func write(_ event: SpanEvent, into json: inout JSONWriter) {
        json.beginObject()
        json.time("timeUnixNano", event.time)
        json.nonEmpty("name", event.name)
        write(attributes: event.attributes, into: &json)
        json.nonZero("droppedAttributesCount", event.droppedAttributesCount)
        json.endObject()
    }

    package static func write(_ link: SpanLink, into json: inout JSONWriter) {
        json.beginObject()
        json.traceID(link.traceID)
        json.spanID("spanId", link.spanID)
        json.nonEmpty("traceState", link.traceState)
        write(attributes: link.attributes, into: &json)
        json.nonZero("droppedAttributesCount", link.droppedAttributesCount)
        json.nonZero("flags", link.flags)
        json.endObject()
    }

    /// Writes the member `attributes`, or nothing where there are none.
    package static func write(attributes: [Attribute], into json: inout JSONWriter) {
        if attributes.isEmpty { return }
        json.key("attributes")
        writeList(attributes, into: &json)
    }

    private static func writeList(_ attributes: [Attribute], into json: inout JSONWriter) {
        json.beginArray()
        for attribute in attributes {
            json.beginObject()
            json.member("key", attribute.key)
            json.key("value")
            write(attribute.value, into: &json)
            json.endObject()
        }
        json.endArray()
    }

    /// Writes an `AnyValue` object.
    package static func write(_ value: AttributeValue, into json: inout JSONWriter) {
        json.beginObject()
        switch value {
        case .string(let string): json.member("stringValue", string)
        case .bool(let bool): json.member("boolValue", bool)
        case .int(let int):
            json.key("intValue")
            json.quotedInt(int)
        case .double(let double): json.member("doubleValue", double)
        case .bytes(let bytes):
            json.key("bytesValue")
            json.base64(bytes)
        case .array(let values):
            json.key("arrayValue")
            json.beginObject()
            json.key("values")
            json.beginArray()
            for element in values { write(element, into: &json) }
            json.endArray()
            json.endObject()
        case .map(let entries):
            json.key("kvlistValue")
            json.beginObject()
            json.key("values")
            writeList(entries, into: &json)
            json.endObject()
        case .empty: break
        }
        json.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func nonEmpty(_ name: StaticString, _ value: String) {
        if !value.isEmpty { member(name, value) }
    }

    fileprivate mutating func nonZero(_ name: StaticString, _ value: UInt32) {
        if value != 0 { member(name, value) }
    }

    fileprivate mutating func time(_ name: StaticString, _ value: UInt64) {
        if value == 0 { return }
        key(name)
        quotedInt(value)
    }

    fileprivate mutating func traceID(_ id: TraceID) {
        if id.isZero { return }
        key("traceId")
        hex(id.high, id.low)
    }

    fileprivate mutating func spanID(_ name: StaticString, _ id: SpanID) {
        if id.isZero { return }
        key(name)
        hex(id.value)
    }
}
