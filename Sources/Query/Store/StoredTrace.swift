public import Pipeline
public import TraceModel

/// A trace put together from all its stored rows.
public struct StoredTrace: Sendable {
    public var traceID: TraceID
    /// Every span once, under equal resources and scopes.
    public var resourceSpans: [ResourceSpans]
    /// Why it was kept; nil only where the summaries of its segment cannot be read.
    public var decision: Decision?
    public var spanCount: Int
    /// Rows of spans that came after the decision.
    public var lateRowCount: Int
    /// Segments that could not be asked: spans of the trace may be missing.
    public var unreadableSegments: [SegmentProblem]

    public init(
        traceID: TraceID, resourceSpans: [ResourceSpans], decision: Decision?, spanCount: Int, lateRowCount: Int = 0,
        unreadableSegments: [SegmentProblem] = []
    ) {
        self.traceID = traceID
        self.resourceSpans = resourceSpans
        self.decision = decision
        self.spanCount = spanCount
        self.lateRowCount = lateRowCount
        self.unreadableSegments = unreadableSegments
    }

    /// Spans that were left out, as the stored ones tell; 0 for a whole trace.
    public var leftOutSpanCount: Int {
        var count = 0
        for span in resourceSpans.lazy.flatMap(\.scopeSpans).flatMap(\.spans) {
            for attribute in span.attributes where attribute.key == TraceSummary.leftOutSpansKey {
                if case .int(let number) = attribute.value { count &+= Int(clamping: max(0, number)) }
            }
        }
        return max(0, count)
    }
}

/// A segment that could not be read, for people.
public struct SegmentProblem: Sendable, Equatable {
    public var path: String
    public var explanation: String

    public init(path: String, explanation: String) {
        self.path = path
        self.explanation = explanation
    }
}

/// Puts decoded spans together: equal resources and scopes once, duplicate spans once.
struct TraceAssembler {
    private struct SpanKey: Hashable {
        var id: SpanID
        var kind: SpanKind
    }

    private struct ResourceKey: Hashable {
        var resource: Resource
        var schemaURL: String
    }

    private struct ScopeKey: Hashable {
        var resource: Int
        var scope: InstrumentationScope
        var schemaURL: String
    }

    private let traceID: TraceID
    private(set) var resourceSpans: [ResourceSpans] = []
    private(set) var spanCount = 0
    private var seen = Set<SpanKey>()
    private var resources: [ResourceKey: Int] = [:]
    private var scopes: [ScopeKey: Int] = [:]

    init(traceID: TraceID) { self.traceID = traceID }

    mutating func add(_ more: [ResourceSpans]) {
        for element in more {
            for scopeSpans in element.scopeSpans {
                // The first of several copies wins: rows are added in the order in which they were decided.
                let fresh = scopeSpans.spans.filter { span in
                    span.traceID == traceID && seen.insert(SpanKey(id: span.spanID, kind: span.kind)).inserted
                }
                if fresh.isEmpty { continue }
                spanCount += fresh.count
                let resource = position(of: element)
                let scope = position(of: scopeSpans, in: resource)
                resourceSpans[resource].scopeSpans[scope].spans.append(contentsOf: fresh)
            }
        }
    }

    private mutating func position(of element: ResourceSpans) -> Int {
        let key = ResourceKey(resource: element.resource, schemaURL: element.schemaURL)
        if let known = resources[key] { return known }
        resourceSpans.append(ResourceSpans(resource: element.resource, scopeSpans: [], schemaURL: element.schemaURL))
        resources[key] = resourceSpans.count - 1
        return resourceSpans.count - 1
    }

    private mutating func position(of scopeSpans: ScopeSpans, in resource: Int) -> Int {
        let key = ScopeKey(resource: resource, scope: scopeSpans.scope, schemaURL: scopeSpans.schemaURL)
        if let known = scopes[key] { return known }
        resourceSpans[resource].scopeSpans.append(
            ScopeSpans(scope: scopeSpans.scope, spans: [], schemaURL: scopeSpans.schemaURL))
        scopes[key] = resourceSpans[resource].scopeSpans.count - 1
        return resourceSpans[resource].scopeSpans.count - 1
    }
}
