import OTLP
import Pipeline
import TraceModel

/// A span in few words, with the resource and scope it comes with.
struct SentSpan: Hashable {
    var trace: UInt64
    var id: UInt64
    var parent: UInt64 = 1
    var kind = SpanKind.internal
    /// Milliseconds.
    var start: UInt64 = 1000
    var duration: UInt64 = 1
    var isError = false
    var service = "shop"
    var scope = "lib"
    var padding = 0

    /// The root of a trace.
    static func root(_ trace: UInt64, id: UInt64 = 1) -> SentSpan { SentSpan(trace: trace, id: id, parent: 0) }

    var traceID: TraceID { TestSpans.traceID(trace) }

    var span: Span {
        Span(
            traceID: traceID, spanID: SpanID(id), parentSpanID: SpanID(parent), name: "op-\(id)", kind: kind,
            startTime: start * 1_000_000, endTime: (start + duration) * 1_000_000,
            attributes: padding == 0 ? [] : [Attribute("padding", .string(String(repeating: "x", count: padding)))],
            status: SpanStatus(code: isError ? .error : .unset))
    }
}

enum TestSpans {
    static func traceID(_ number: UInt64) -> TraceID {
        TraceID(high: 0x0102_0304_0506_0708 ^ number, low: number)
    }

    /// One OTLP request; spans that follow each other with the same service and scope share them.
    static func encode(_ spans: [SentSpan]) -> [UInt8] {
        var resources: [ResourceSpans] = []
        var last: SentSpan?
        for span in spans {
            if last?.service != span.service {
                let resource = Resource(attributes: [Attribute("service.name", .string(span.service))])
                resources.append(
                    ResourceSpans(resource: resource, scopeSpans: [], schemaURL: "https://r/\(span.service)"))
            }
            if last?.service != span.service || last?.scope != span.scope {
                resources[resources.count - 1].scopeSpans.append(
                    ScopeSpans(
                        scope: InstrumentationScope(name: span.scope, version: "1"), spans: [], schemaURL: "https://s"))
            }
            let scopes = resources[resources.count - 1].scopeSpans.count
            resources[resources.count - 1].scopeSpans[scopes - 1].spans.append(span.span)
            last = span
        }
        return OTLPEncoder.encode(resources)
    }

    /// The spans of a payload with what they came with.
    static func decode(_ payload: [UInt8]) throws -> [DecodedSpan] {
        try OTLPDecoder.decode(payload).flatMap { resource in
            resource.scopeSpans.flatMap { scope in
                scope.spans.map {
                    DecodedSpan(
                        span: $0, resource: resource.resource, resourceSchemaURL: resource.schemaURL,
                        scope: scope.scope,
                        scopeSchemaURL: scope.schemaURL)
                }
            }
        }
    }
}

/// A span with its resource and scope: what must arrive as it was sent.
struct DecodedSpan: Hashable {
    var span: Span
    var resource: Resource
    var resourceSchemaURL: String
    var scope: InstrumentationScope
    var scopeSchemaURL: String
}
