import Foundation
import TraceModel

/// A second, slow reader of OTLP/JSON on top of Foundation's parser, to hold the fast one against. Knows the
/// lowerCamelCase names and hex ids of recorded traces only.
enum FoundationJSON {
    static func request(_ object: Any) -> [ResourceSpans] {
        list(object, "resourceSpans").map { element in
            ResourceSpans(
                resource: Resource(
                    attributes: attributes(member(element, "resource")),
                    droppedAttributesCount: UInt32(integer(member(element, "resource"), "droppedAttributesCount"))),
                scopeSpans: list(element, "scopeSpans").map { scopeSpans in
                    let scope = member(scopeSpans, "scope")
                    return ScopeSpans(
                        scope: InstrumentationScope(
                            name: text(scope, "name"), version: text(scope, "version"), attributes: attributes(scope),
                            droppedAttributesCount: UInt32(integer(scope, "droppedAttributesCount"))),
                        spans: list(scopeSpans, "spans").map(span), schemaURL: text(scopeSpans, "schemaUrl"))
                }, schemaURL: text(element, "schemaUrl"))
        }
    }

    private static func span(_ object: Any) -> Span {
        Span(
            traceID: TraceID(hex: text(object, "traceId")) ?? TraceID(high: 0, low: 0),
            spanID: SpanID(hex: text(object, "spanId")) ?? SpanID(0),
            parentSpanID: SpanID(hex: text(object, "parentSpanId")) ?? SpanID(0),
            traceState: text(object, "traceState"),
            flags: UInt32(integer(object, "flags")), name: text(object, "name"),
            kind: SpanKind(rawValue: UInt8(integer(object, "kind"))) ?? .unspecified,
            startTime: integer(object, "startTimeUnixNano"), endTime: integer(object, "endTimeUnixNano"),
            attributes: attributes(object), droppedAttributesCount: UInt32(integer(object, "droppedAttributesCount")),
            events: list(object, "events").map { event in
                SpanEvent(
                    time: integer(event, "timeUnixNano"), name: text(event, "name"), attributes: attributes(event),
                    droppedAttributesCount: UInt32(integer(event, "droppedAttributesCount")))
            }, droppedEventsCount: UInt32(integer(object, "droppedEventsCount")),
            links: list(object, "links").map { link in
                SpanLink(
                    traceID: TraceID(hex: text(link, "traceId")) ?? TraceID(high: 0, low: 0),
                    spanID: SpanID(hex: text(link, "spanId")) ?? SpanID(0), traceState: text(link, "traceState"),
                    attributes: attributes(link))
            }, droppedLinksCount: UInt32(integer(object, "droppedLinksCount")),
            status: SpanStatus(
                code: StatusCode(rawValue: UInt8(integer(member(object, "status"), "code"))) ?? .unset,
                message: text(member(object, "status"), "message")))
    }

    private static func attributes(_ object: Any?) -> [Attribute] {
        list(object, "attributes").map { Attribute(text($0, "key"), value(member($0, "value"))) }
    }

    private static func value(_ object: Any?) -> AttributeValue {
        guard let object = object as? [String: Any], let (name, value) = object.first else { return .empty }
        switch name {
        case "stringValue": return .string(value as? String ?? "")
        case "boolValue": return .bool(value as? Bool ?? false)
        case "intValue": return .int((value as? String).flatMap { Int64($0) } ?? (value as? NSNumber)?.int64Value ?? 0)
        case "doubleValue": return .double((value as? NSNumber)?.doubleValue ?? 0)
        case "arrayValue": return .array(list(value, "values").map { Self.value($0) })
        case "kvlistValue":
            return .map(list(value, "values").map { Attribute(text($0, "key"), Self.value(member($0, "value"))) })
        default: return .empty
        }
    }

    private static func member(_ object: Any?, _ name: String) -> Any? { (object as? [String: Any])?[name] }

    private static func list(_ object: Any?, _ name: String) -> [Any] { member(object, name) as? [Any] ?? [] }

    private static func text(_ object: Any?, _ name: String) -> String { member(object, name) as? String ?? "" }

    private static func integer(_ object: Any?, _ name: String) -> UInt64 {
        let value = member(object, name)
        return (value as? String).flatMap { UInt64($0) } ?? (value as? NSNumber)?.uint64Value ?? 0
    }
}
