import Pipeline
import TraceModel

/// One trace of a test: what it has sent, and how further spans of it are made.
struct TestTrace {
    /// As messages name it: `a`, or `rest 17` for one of many.
    let title: String
    let id: TraceID
    /// Everything sent so far, for `resend`.
    private(set) var sent: [[ResourceSpans]] = []
    /// The span sent last, by service.
    private var latest: [String: SpanID] = [:]
    private var spanCount = 0

    /// Of a span without a stated duration.
    private static let shortest: UInt64 = 1_000_000

    init(title: String, id: TraceID) {
        self.title = title
        self.id = id
    }

    private struct Timed {
        var span: Span
        var resource: Resource
    }

    /// Spans that end by `now`, the latest exactly then.
    ///
    /// - Parameters:
    ///   - now: nanoseconds since the Unix epoch.
    ///   - link: the id of a trace by its name.
    /// - Throws: where `^service` names no span of the trace.
    mutating func send(
        _ spans: [SpanNotation], now: UInt64, link: (String) -> TraceID
    ) throws(PipelineTestFailure) -> [ResourceSpans] {
        var timed: [Timed] = []
        var end: UInt64 = 0
        for span in spans {
            end = max(end, try add(span, parent: SpanID(0), start: 0, to: &timed, link))
        }
        let base = now - min(now, end)
        var requests: [ResourceSpans] = []
        for item in timed {
            var span = item.span
            span.startTime += base
            span.endTime += base
            for index in span.events.indices { span.events[index].time += base }
            if let index = requests.firstIndex(where: { $0.resource == item.resource }) {
                requests[index].scopeSpans[0].spans.append(span)
            } else {
                requests.append(
                    ResourceSpans(
                        resource: item.resource,
                        scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: "test"), spans: [span])]))
            }
        }
        sent.append(requests)
        return requests
    }

    /// - Returns: when the latest of the span and those below it ends, nanoseconds from the step's first start.
    private mutating func add(
        _ notation: SpanNotation, parent: SpanID, start: UInt64, to timed: inout [Timed], _ link: (String) -> TraceID
    ) throws(PipelineTestFailure) -> UInt64 {
        var own: SpanID
        let begin = start + (notation.offset ?? 0)
        var place: Int?
        switch notation.subject {
        case .earlier:
            guard let earlier = latest[notation.service] else {
                throw PipelineTestFailure(
                    location: notation.location,
                    message: "trace \(title) has sent no span of \(notation.service) that others could stand below")
            }
            own = earlier
        case .unsent:
            own = nextID()
        case .span:
            own = nextID()
            latest[notation.service] = own
            place = timed.count
            timed.append(
                Timed(
                    span: Self.span(notation, trace: id, own, parent: parent, start: begin, link),
                    resource: Resource(
                        attributes: [Attribute("service.name", .string(notation.service))]
                            + Self.attributes(notation.resource))))
        }
        var end = begin
        for child in notation.children {
            end = max(end, try add(child, parent: own, start: begin, to: &timed, link))
        }
        guard let place else { return end }
        // Without a stated duration a span covers what stands below it.
        let ownEnd = begin + (notation.duration ?? max(Self.shortest, end - begin))
        timed[place].span.endTime = ownEnd
        return max(end, ownEnd)
    }

    private mutating func nextID() -> SpanID {
        spanCount += 1
        return TestIdentifiers.spanID(spanCount, of: id)
    }

    private static func span(
        _ notation: SpanNotation, trace: TraceID, _ id: SpanID, parent: SpanID, start: UInt64,
        _ link: (String) -> TraceID
    ) -> Span {
        Span(
            traceID: trace, spanID: id, parentSpanID: parent, traceState: notation.traceState ?? "",
            flags: notation.isSampled ? 1 : 0, name: notation.name ?? notation.service,
            kind: notation.kind ?? .internal, startTime: start, endTime: start,
            attributes: attributes(notation.attributes),
            events: notation.events.map {
                SpanEvent(time: start, name: $0.name, attributes: attributes($0.attributes))
            },
            links: notation.links.map {
                let linked = link($0.name)
                return SpanLink(traceID: linked, spanID: TestIdentifiers.spanID(1, of: linked))
            },
            status: SpanStatus(code: notation.status ?? .unset, message: notation.statusMessage ?? ""))
    }

    private static func attributes(_ entries: [SpanNotation.Entry]) -> [Attribute] {
        entries.compactMap { entry in
            if case .value(let value) = entry.value { Attribute(entry.key, value) } else { nil }
        }
    }
}
