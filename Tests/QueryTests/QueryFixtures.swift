import Glibc
import OTLP
import Pipeline
import Query
import Storage
import Synchronization
import TraceModel

/// A catalog that says what the test says.
final class ListCatalog: SegmentCatalog {
    private struct Failure: Error {}
    private struct State {
        var segments: [AcceptedSegment] = []
        var fails = false
        var refreshes = 0
    }

    private let state = Mutex(State())

    var segments: [AcceptedSegment] {
        get { state.withLock { $0.segments } }
        set { state.withLock { $0.segments = newValue } }
    }

    var fails: Bool {
        get { state.withLock { $0.fails } }
        set { state.withLock { $0.fails = newValue } }
    }

    var refreshes: Int { state.withLock { $0.refreshes } }

    func refresh() throws -> [AcceptedSegment] {
        try state.withLock { state in
            state.refreshes += 1
            if state.fails { throw Failure() }
            return state.segments
        }
    }
}

/// A store in a directory of its own, removed with it.
final class TemporaryStore {
    let layout: StoreLayout
    let catalog = ListCatalog()
    let store: TraceStore
    private let sink: SegmentSink

    init(countsDropped: Bool = false) {
        layout = StoreLayout(root: "/tmp/tailrace-query-\(getpid())-\(UInt32.random(in: 0 ... .max))")
        sink = SegmentSink(layout: layout, incarnation: "w", thread: 0, countsDropped: countsDropped)
        store = TraceStore(catalog: catalog, layout: layout, refreshInterval: .zero)
    }

    deinit {
        let files = LocalFileSystem()
        for name in (try? files.list(layout.segments + "/w")) ?? [] {
            try? files.remove(layout.segments + "/w/" + name)
        }
        for directory in [layout.segments + "/w", layout.segments, layout.root] { rmdir(directory) }
    }

    /// Stores the traces as one segment; all partitions are accepted unless said otherwise.
    @discardableResult
    func add(
        _ traces: [KeptTrace], dropped: [DroppedTrace] = [], accepted: Set<Int32>? = nil
    ) throws -> SegmentReference {
        for trace in traces { sink.write(trace) }
        for trace in dropped { try sink.write(trace) }
        guard let reference = try sink.seal()?.perform().first else { throw StageError("nothing was written") }
        let partitions = Set(traces.map(\.partition) + dropped.map(\.partition)).filter {
            accepted?.contains($0.partition) ?? true
        }
        catalog.segments.append(AcceptedSegment(reference: reference, acceptedPartitions: partitions))
        return reference
    }

    /// Takes over another store's segments, as if the same workers had written them.
    func adopt(_ other: TemporaryStore) throws {
        let files = LocalFileSystem()
        for segment in other.catalog.segments {
            var adopted = segment
            adopted.reference.path += ".adopted"
            let bytes = try files.read(other.layout.path(segment.reference.path))
            try files.writeDurably(bytes, to: layout.path(adopted.reference.path))
            catalog.segments.append(adopted)
        }
    }
}

func id(_ number: UInt64) -> TraceID { TraceID(high: number &* 0x9e37_79b9_7f4a_7c15, low: number) }

func span(
    _ trace: UInt64, _ number: UInt64, parent: UInt64 = 0, name: String = "work", kind: SpanKind = .internal,
    start: UInt64 = 0, end: UInt64 = 10, isError: Bool = false
) -> Span {
    Span(
        traceID: id(trace), spanID: SpanID(number), parentSpanID: SpanID(parent), name: name, kind: kind,
        startTime: start, endTime: end, status: SpanStatus(code: isError ? .error : .unset))
}

func resourceSpans(_ service: String, _ spans: [Span], scope: String = "") -> ResourceSpans {
    ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string(service))]),
        scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: scope), spans: spans)])
}

/// A trace as the pipeline hands it to a sink. Times in nanoseconds.
func kept(
    _ number: UInt64, service: String = "checkout", operation: String = "GET /", start: UInt64 = 1000,
    duration: UInt64 = 100, errors: Int = 0, partition: Int32 = 0, isLate: Bool = false, tags: [String: String] = [:],
    extraOperations: [(String, String)] = [], spans: [Span]? = nil
) -> KeptTrace {
    let spans = spans ?? [span(number, 1, name: operation, start: start, end: start + duration, isError: errors > 0)]
    let payload = OTLPEncoder.encode([resourceSpans(service, spans)])
    var trace = KeptTrace(
        partition: PartitionID(cluster: "c", topic: "t", partition: partition),
        summary: TraceSummary(
            traceID: id(number), startTime: start, endTime: start + duration, spanCount: spans.count,
            errorCount: errors, byteCount: payload.count, rootService: service, rootName: operation, hasRoot: !isLate),
        decision: Decision(
            isKept: true, policy: isLate ? "late" : "rest", probability: 0.5, policyVersion: 1, trigger: .root,
            decidedAt: 5, reason: "one of two"),
        payload: payload, isLate: isLate)
    trace.operations = [IndexedOperation(service: service, operation: operation, kind: .server)]
    trace.operations += extraOperations.map { IndexedOperation(service: $0.0, operation: $0.1, kind: .client) }
    trace.attributes = tags.sorted { $0.key < $1.key }.map { IndexedAttribute(key: $0.key, value: $0.value) }
    return trace
}
