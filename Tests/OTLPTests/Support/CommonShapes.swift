import TraceModel

/// Requests as exporters write them: short keys and values, few attributes that are neither string nor number.
struct CommonShapes {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func request() -> [ResourceSpans] {
        [
            ResourceSpans(
                resource: Resource(attributes: attributes(random.below(12))),
                scopeSpans: [
                    ScopeSpans(
                        scope: InstrumentationScope(
                            name: "@opentelemetry/http", version: random.chance(2) ? "1.2.0" : ""),
                        spans: (0...random.below(3)).map { _ in span() })
                ],
                schemaURL: random.chance(2) ? "https://opentelemetry.io/schemas/1.37.0" : "")
        ]
    }

    private mutating func span() -> Span {
        let start = 1_700_000_000_000_000_000 + random.next() >> 20
        return Span(
            traceID: TraceID(high: random.next(), low: random.next()), spanID: SpanID(random.next()),
            parentSpanID: SpanID(random.chance(3) ? 0 : random.next()), traceState: random.chance(5) ? "a=1" : "",
            flags: random.chance(2) ? 0x0301 : 0, name: text(), kind: random.chance(3) ? .server : .client,
            startTime: start, endTime: start + random.next() >> 40, attributes: attributes(random.below(14)),
            droppedAttributesCount: random.chance(9) ? 3 : 0,
            events: random.chance(6) ? [SpanEvent(time: start, name: "exception", attributes: attributes(3))] : [],
            links: random.chance(9)
                ? [SpanLink(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), attributes: attributes(1))] : [],
            status: SpanStatus(code: random.chance(4) ? .error : .unset, message: random.chance(9) ? text() : ""))
    }

    private mutating func attributes(_ count: Int) -> [Attribute] {
        (0..<count).map { _ in Attribute(text(), value()) }
    }

    private mutating func value() -> AttributeValue {
        switch random.below(12) {
        case 0: .int(Int64(bitPattern: random.next() >> UInt64(random.below(64))))
        case 1: .int(Int64(random.below(600)))
        case 2: .bool(random.chance(2))
        case 3: .double(Double(random.below(1000)) / 7)
        case 4: random.chance(4) ? .array([.string("a"), .int(-1)]) : .int(-1)
        default: .string(text())
        }
    }

    private mutating func text() -> String {
        let pieces = ["", "GET", "/api/v1/users/{id}", "http.request.method", "server.address", "10.0.0.17"]
        let rare = ["ünïcödé", "日本語", "👩‍👧", String(repeating: "long ", count: 40)]
        return random.chance(15)
            ? rare.randomElement(using: &random) ?? "" : pieces.randomElement(using: &random) ?? ""
    }
}
