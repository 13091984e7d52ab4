import OTLP
import TraceModel

@testable import TraceQL

/// SplitMix64: the same seed gives the same tests.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

/// A checkout as a shop's trace: what the examples of `docs/traceql.md` are asked of.
///
/// ```
/// GET /checkout (frontend, server, 0–1000 ms)
/// ├─ authorize (frontend, client, 100–400 ms, error "boom")
/// │  └─ charge (payments, server, 120–380 ms)
/// │     ├─ SELECT (payments, client, 150–200 ms)
/// │     └─ INSERT (payments, client, 210–370 ms)
/// ├─ render (frontend, internal, 500–900 ms)
/// └─ audit (frontend, producer, 900–950 ms)
/// ```
enum Shop {
    static let start: UInt64 = 1_700_000_000_000_000_000
    static let traceID = TraceID(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10)

    private static func span(
        _ id: UInt64, _ parent: UInt64, _ name: String, _ kind: SpanKind, _ from: UInt64, _ to: UInt64,
        _ attributes: [Attribute] = [], events: [SpanEvent] = [], links: [SpanLink] = [],
        status: SpanStatus = SpanStatus()
    ) -> Span {
        Span(
            traceID: traceID, spanID: SpanID(id), parentSpanID: SpanID(parent), name: name, kind: kind,
            startTime: start + from * 1_000_000, endTime: start + to * 1_000_000, attributes: attributes,
            events: events, links: links, status: status)
    }

    static let frontend: [Span] = [
        span(
            1, 0, "GET /checkout", .server, 0, 1000,
            [
                Attribute("http.status_code", .int(200)), Attribute("http.method", .string("GET")),
                Attribute("a b", .int(1)), Attribute("retry", .bool(false)), Attribute("ratio", .double(0.5)),
                Attribute("nothing", .empty),
            ], status: SpanStatus(code: .ok)),
        span(
            2, 1, "authorize", .client, 100, 400,
            [
                Attribute("http.status_code", .int(500)), Attribute("http.method", .string("POST")),
                Attribute("retry", .bool(true)),
            ],
            events: [
                SpanEvent(
                    time: start + 150_000_000, name: "message", attributes: [Attribute("bytes", .int(10))]),
                SpanEvent(
                    time: start + 390_000_000, name: "exception",
                    attributes: [Attribute("exception.type", .string("Timeout"))]),
            ], status: SpanStatus(code: .error, message: "boom")),
        span(6, 1, "render", .internal, 500, 900, [Attribute("template", .string("cart.html"))]),
        span(
            7, 1, "audit", .producer, 900, 950,
            [Attribute("shop", .map([Attribute("id", .int(3))])), Attribute("raw", .bytes([1, 2]))],
            links: [
                SpanLink(
                    traceID: TraceID(high: 0, low: 0xabc), spanID: SpanID(0xde),
                    attributes: [Attribute("why", .string("batch"))])
            ]),
    ]

    static let payments: [Span] = [
        span(
            3, 2, "charge", .server, 120, 380,
            [
                Attribute("amount", .double(12.5)), Attribute("tags", .array([.string("card"), .string("eu")])),
                Attribute("codes", .array([.int(1), .int(7)])), Attribute("none", .array([])),
            ]),
        span(4, 3, "SELECT", .client, 150, 200, [Attribute("db.rows", .int(3))]),
        span(5, 3, "INSERT", .client, 210, 370, [Attribute("db.rows", .int(1))]),
    ]

    static let resourceSpans: [ResourceSpans] = [
        ResourceSpans(
            resource: Resource(attributes: [
                Attribute("service.name", .string("frontend")), Attribute("shop", .string("north")),
                Attribute("pods", .int(4)),
            ]),
            scopeSpans: [
                ScopeSpans(
                    scope: InstrumentationScope(
                        name: "http", version: "1.2", attributes: [Attribute("lang", .string("go"))]),
                    spans: frontend)
            ]),
        ResourceSpans(
            resource: Resource(attributes: [
                Attribute("service.name", .string("payments")), Attribute("http.method", .string("NONE")),
            ]),
            scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: "db"), spans: payments)]),
    ]

    static let trace = resourceSpans

    /// Names of the spans of each spanset that a query finds, in the order of their ids.
    static func find(_ text: String, in resourceSpans: [ResourceSpans] = trace) throws -> [[String]] {
        let query = try TraceQLQuery.checked(text).get()
        let trace = QueryTrace(resourceSpans)
        return QueryEvaluator(query).evaluate(trace).spansets.map { spanset in
            spanset.spans.map { trace.spans[$0] }.sorted { $0.spanID < $1.spanID }
                .map { String(decoding: $0.name, as: UTF8.self) }
        }
    }
}
