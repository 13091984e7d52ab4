import Glibc
import OTLP
import Pipeline
import Query
import Storage
import TraceModel

struct FixedCatalog: SegmentCatalog {
    var segments: [AcceptedSegment]

    func refresh() throws -> [AcceptedSegment] { segments }
}

/// A store with three traces in a directory of its own, removed with it.
final class ServerFixture: Sendable {
    let store: TraceStore
    private let layout: StoreLayout

    static let failed = TraceID(high: 0xabc, low: 1)
    static let slow = TraceID(high: 0xabc, low: 2)
    static let start: UInt64 = 1_700_000_000_000_000_000

    init() throws {
        layout = StoreLayout(root: "/tmp/tailrace-server-\(getpid())-\(UInt32.random(in: 0 ... .max))")
        let sink = SegmentSink(layout: layout, incarnation: "w", thread: 0)
        let partition = PartitionID(cluster: "c", topic: "t", partition: 0)
        for (id, service, errors, milliseconds) in [
            (Self.failed, "checkout", 1, 80), (Self.slow, "cart", 0, 2500), (TraceID(high: 0, low: 3), "cart", 0, 5),
        ] as [(TraceID, String, Int, UInt64)] {
            let end = Self.start + milliseconds * 1_000_000
            let span = Span(
                traceID: id, spanID: SpanID(1), name: "</script><b>\(service)", kind: .server, startTime: Self.start,
                endTime: end, status: SpanStatus(code: errors > 0 ? .error : .ok))
            let payload = OTLPEncoder.encode([
                ResourceSpans(
                    resource: Resource(attributes: [Attribute("service.name", .string(service))]),
                    scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: [span])])
            ])
            var trace = KeptTrace(
                partition: partition,
                summary: TraceSummary(
                    traceID: id, startTime: Self.start, endTime: end, spanCount: 1, errorCount: errors,
                    byteCount: payload.count, rootService: service, rootName: "GET /", hasRoot: true),
                decision: Decision(
                    isKept: true, policy: "errors", probability: 0.25, policyVersion: 3, trigger: .idle,
                    decidedAt: 1_700_000_001_000, reason: "says \"why\""),
                payload: payload, isLate: false)
            trace.operations = [IndexedOperation(service: service, operation: "GET /", kind: .server)]
            trace.attributes = [IndexedAttribute(key: "http.url", value: "http://\(service):80/?a=b&c=d")]
            sink.write(trace)
        }
        let references = try sink.seal()?.perform() ?? []
        store = TraceStore(
            catalog: FixedCatalog(
                segments: references.map { AcceptedSegment(reference: $0, acceptedPartitions: [partition]) }),
            layout: layout)
    }

    /// Explains from the segments: the fixture has no decision files.
    func explainer(waiting: @escaping @Sendable (TraceID) -> [WaitingTrace]) -> TraceExplainer {
        TraceExplainer(layout: layout, store: store, waiting: waiting)
    }

    deinit {
        let files = LocalFileSystem()
        for name in (try? files.list(layout.segments + "/w")) ?? [] {
            try? files.remove(layout.segments + "/w/" + name)
        }
        for directory in [layout.segments + "/w", layout.segments, layout.root] { rmdir(directory) }
    }
}
