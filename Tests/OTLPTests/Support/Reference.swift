import SwiftProtobuf
import TraceModel

typealias ReferenceRequest = Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceRequest
typealias ReferenceSpan = Opentelemetry_Proto_Trace_V1_Span
typealias ReferenceValue = Opentelemetry_Proto_Common_V1_AnyValue

/// swift-protobuf's reading of a request, as the model.
///
/// Known differences that are normalised here:
/// - ids of a wrong length: bytes to protobuf, zero in a link's model, an error in a span's (`hasMalformedID`);
/// - enum values that OTLP does not define: kept by protobuf, `unspecified` and `unset` in the model;
/// - presence of empty sub-messages: the model has none;
/// - nesting: protobuf counts messages (its limit is raised here), Tailrace counts the lists around a value.
enum Reference {
    static func decode(_ bytes: [UInt8]) throws -> ReferenceRequest {
        var options = BinaryDecodingOptions()
        options.messageDepthLimit = 100_000
        return try ReferenceRequest(serializedBytes: bytes, options: options)
    }

    static func hasMalformedID(_ request: ReferenceRequest) -> Bool {
        spans(of: request).contains { span in
            ![0, 16].contains(span.traceID.count) || ![0, 8].contains(span.spanID.count)
                || ![0, 8].contains(span.parentSpanID.count)
        }
    }

    static func spans(of request: ReferenceRequest) -> [ReferenceSpan] {
        request.resourceSpans.flatMap { $0.scopeSpans.flatMap(\.spans) }
    }

    static func model(_ request: ReferenceRequest) -> [ResourceSpans] {
        request.resourceSpans.map { element in
            ResourceSpans(
                resource: Resource(
                    attributes: attributes(element.resource.attributes),
                    droppedAttributesCount: element.resource.droppedAttributesCount),
                scopeSpans: element.scopeSpans.map { scopeSpans in
                    ScopeSpans(
                        scope: InstrumentationScope(
                            name: scopeSpans.scope.name, version: scopeSpans.scope.version,
                            attributes: attributes(scopeSpans.scope.attributes),
                            droppedAttributesCount: scopeSpans.scope.droppedAttributesCount),
                        spans: scopeSpans.spans.map(span), schemaURL: scopeSpans.schemaURL)
                }, schemaURL: element.schemaURL)
        }
    }

    static func span(_ span: ReferenceSpan) -> Span {
        Span(
            traceID: traceID(Array(span.traceID)), spanID: spanID(Array(span.spanID)),
            parentSpanID: spanID(Array(span.parentSpanID)), traceState: span.traceState, flags: span.flags,
            name: span.name,
            kind: UInt8(exactly: span.kind.rawValue).flatMap(SpanKind.init(rawValue:)) ?? .unspecified,
            startTime: span.startTimeUnixNano, endTime: span.endTimeUnixNano, attributes: attributes(span.attributes),
            droppedAttributesCount: span.droppedAttributesCount,
            events: span.events.map { event in
                SpanEvent(
                    time: event.timeUnixNano, name: event.name, attributes: attributes(event.attributes),
                    droppedAttributesCount: event.droppedAttributesCount)
            }, droppedEventsCount: span.droppedEventsCount,
            links: span.links.map { link in
                SpanLink(
                    traceID: traceID(Array(link.traceID)), spanID: spanID(Array(link.spanID)),
                    traceState: link.traceState,
                    attributes: attributes(link.attributes), droppedAttributesCount: link.droppedAttributesCount,
                    flags: link.flags)
            }, droppedLinksCount: span.droppedLinksCount,
            status: SpanStatus(
                code: UInt8(exactly: span.status.code.rawValue).flatMap(StatusCode.init(rawValue:)) ?? .unset,
                message: span.status.message))
    }

    static func traceID(_ bytes: [UInt8]) -> TraceID {
        guard bytes.count == 16 else { return TraceID(high: 0, low: 0) }
        return TraceID(
            high: bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }, low: bytes[8...].reduce(0) { $0 << 8 | UInt64($1) })
    }

    static func spanID(_ bytes: [UInt8]) -> SpanID {
        guard bytes.count == 8 else { return SpanID(0) }
        return SpanID(bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }

    static func attributes(_ attributes: [Opentelemetry_Proto_Common_V1_KeyValue]) -> [Attribute] {
        attributes.map { Attribute($0.key, value($0.value)) }
    }

    static func value(_ value: ReferenceValue) -> AttributeValue {
        switch value.value {
        case .stringValue(let string): .string(string)
        case .boolValue(let bool): .bool(bool)
        case .intValue(let int): .int(int)
        case .doubleValue(let double): .double(double)
        case .bytesValue(let bytes): .bytes(Array(bytes))
        case .arrayValue(let list): .array(list.values.map(Self.value))
        case .kvlistValue(let list): .map(attributes(list.values))
        case nil: .empty
        }
    }
}

/// Doubles by their bits, so that NaN equals NaN and 0 differs from -0; everything else as it is.
func identical(_ left: [ResourceSpans], _ right: [ResourceSpans]) -> Bool {
    left == right || "\(left)" == "\(right)"
}
