import TraceModel

/// Random requests that use every field of the model.
struct ModelGenerator {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func request() -> [ResourceSpans] {
        (0..<random.below(3)).map { _ in
            ResourceSpans(
                resource: Resource(attributes: attributes(), droppedAttributesCount: count()),
                scopeSpans: (0..<random.below(3)).map { _ in
                    ScopeSpans(
                        scope: InstrumentationScope(
                            name: text(), version: text(), attributes: attributes(), droppedAttributesCount: count()),
                        spans: (0..<random.below(4)).map { _ in span() }, schemaURL: text())
                },
                schemaURL: text())
        }
    }

    mutating func span() -> Span {
        Span(
            traceID: TraceID(high: random.next(), low: random.next()), spanID: SpanID(random.next()),
            parentSpanID: SpanID(random.chance(3) ? 0 : random.next()), traceState: text(), flags: count(),
            name: text(),
            kind: SpanKind.allCases.randomElement(using: &random) ?? .internal, startTime: time(), endTime: time(),
            attributes: attributes(), droppedAttributesCount: count(),
            events: (0..<random.below(3)).map { _ in
                SpanEvent(time: time(), name: text(), attributes: attributes(), droppedAttributesCount: count())
            }, droppedEventsCount: count(),
            links: (0..<random.below(3)).map { _ in
                SpanLink(
                    traceID: TraceID(high: random.next(), low: random.next()), spanID: SpanID(random.next()),
                    traceState: text(), attributes: attributes(), droppedAttributesCount: count(), flags: count())
            }, droppedLinksCount: count(),
            status: SpanStatus(code: StatusCode.allCases.randomElement(using: &random) ?? .unset, message: text()))
    }

    mutating func attributes(depth: Int = 0) -> [Attribute] {
        (0..<random.below(4)).map { _ in Attribute(text(), value(depth: depth)) }
    }

    mutating func value(depth: Int) -> AttributeValue {
        switch random.below(depth > 3 ? 6 : 8) {
        case 0: .string(text())
        case 1: .bool(random.chance(2))
        case 2:
            .int([Int64.min, -1, 0, 1, Int64.max, Int64(bitPattern: random.next())].randomElement(using: &random) ?? 0)
        case 3: .double(double())
        case 4: .bytes((0..<random.below(20)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        case 5: .empty
        case 6: .array((0..<random.below(4)).map { _ in value(depth: depth + 1) })
        default: .map(attributes(depth: depth + 1))
        }
    }

    // NaN is left to a test of its own: it does not equal itself.
    private mutating func double() -> Double {
        let special = [
            0, -0.0, 1, -1.5, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1, 1e22,
        ]
        if random.chance(2) { return special.randomElement(using: &random) ?? 0 }
        let value = Double(bitPattern: random.next())
        return value.isNaN ? 0 : value
    }

    private mutating func text() -> String {
        let pieces = [
            "", "a", "GET /api/v1/users", "quote\" back\\slash", "\u{0}\u{1}\u{1f}\u{7f}", "\n\r\t", "ünïcödé", "日本語",
            "👩‍👩‍👧",
            "\u{fffd}\u{10ffff}", "</script>", String(repeating: "long ", count: 60),
        ]
        return (0..<random.below(3)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
    }

    private mutating func count() -> UInt32 { random.chance(2) ? 0 : UInt32(truncatingIfNeeded: random.next()) }

    private mutating func time() -> UInt64 { random.chance(5) ? 0 : random.next() }
}
