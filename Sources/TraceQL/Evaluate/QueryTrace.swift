import OTLP
import TraceModel

/// The spans of one trace as queries see them: a plain value per span that borrows the span's OTLP bytes.
///
/// Reused from trace to trace: in steady state it allocates nothing. Used by one thread.
package final class QueryTrace {
    package private(set) var spans: [SpanView] = []
    /// Nanoseconds; times of zero count as unset.
    private var startTime: UInt64 = .max
    private var endTime: UInt64 = 0
    private var rootIndex: Int?
    private var builtTree: TraceTree?
    private var seen: Set<SpanKey> = []
    /// Bytes that nobody else holds.
    private var owned: [UnsafeMutableRawBufferPointer] = []

    package init() {}

    deinit { freeOwned() }

    private func freeOwned() {
        for bytes in owned { bytes.deallocate() }
        owned.removeAll()
    }

    package var count: Int { spans.count }

    /// A trace with more spans gives its memory back.
    private static let keptCapacity = 4096

    /// Forgets the trace and keeps the memory for the next one, unless it was huge.
    package func removeAll() {
        let keepsMemory = spans.count <= Self.keptCapacity
        spans.removeAll(keepingCapacity: keepsMemory)
        startTime = .max
        endTime = 0
        rootIndex = nil
        builtTree = nil
        seen.removeAll(keepingCapacity: keepsMemory)
        freeOwned()
    }

    /// Adds a span, unless one with its id and kind is there. All spans must be of one trace, and their bytes must outlive every use of this object.
    ///
    /// - Parameters:
    ///   - message: the body of the `Span` message, accepted by the scanner before.
    ///   - resource: the body of its `Resource`; empty where there is none.
    ///   - scope: the body of its `InstrumentationScope`; empty where there is none.
    package func add(
        message: UnsafeRawBufferPointer, resource: UnsafeRawBufferPointer, scope: UnsafeRawBufferPointer
    ) {
        add(SpanView(message: message, resource: resource, scope: scope))
    }

    /// Adds a span that the scanner has just found, in the same way; the batch's record must outlive every use of this object.
    package func add(_ head: borrowing SpanHead, in batch: SpanBatch) { add(SpanView(head, in: batch)) }

    /// What makes two spans the same: one id serves a client and its server in Zipkin.
    private struct SpanKey: Hashable {
        var id: UInt64
        var kind: UInt8
    }

    private func add(_ view: SpanView) {
        // Sent twice, stored once: it must not count twice here.
        guard seen.insert(SpanKey(id: view.spanID.value, kind: view.kind)).inserted else { return }
        var view = view
        view.index = spans.count
        if view.startTime != 0, view.startTime < startTime { startTime = view.startTime }
        if view.endTime > endTime { endTime = view.endTime }
        if view.parentSpanID.isZero {
            // Several roots are a mistake of instrumentation; which one counts must not depend on the order of arrival.
            if let rootIndex {
                let first = spans[rootIndex]
                if (view.startTime, view.spanID.value) < (first.startTime, first.spanID.value) {
                    self.rootIndex = view.index
                }
            } else {
                rootIndex = view.index
            }
        }
        spans.append(view)
        builtTree = nil
    }

    /// The spans of a decoded trace; makes and owns a copy of their bytes.
    package convenience init(_ resourceSpans: [ResourceSpans]) {
        self.init()
        for resourceSpan in resourceSpans {
            var writer = ProtobufWriter()
            OTLPEncoder.encode(resource: resourceSpan.resource, into: &writer)
            let resource = own(writer.bytes)
            for scopeSpan in resourceSpan.scopeSpans {
                writer = ProtobufWriter()
                OTLPEncoder.encode(scope: scopeSpan.scope, into: &writer)
                let scope = own(writer.bytes)
                for span in scopeSpan.spans {
                    writer = ProtobufWriter()
                    OTLPEncoder.encode(span: span, into: &writer)
                    add(message: own(writer.bytes), resource: resource, scope: scope)
                }
            }
        }
    }

    private func own(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 8)
        copy.copyBytes(from: bytes)
        owned.append(copy)
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(copy)[..<bytes.count])
    }

    // MARK: - The trace as a whole

    /// Nanoseconds from the earliest start to the latest end.
    package var duration: UInt64 { endTime > startTime ? endTime &- startTime : 0 }

    /// The root span; of several the one that started first.
    package var root: SpanView? { rootIndex.map { spans[$0] } }

    /// How the spans are related; made when it is first asked for.
    var tree: TraceTree {
        if let builtTree { return builtTree }
        let tree = TraceTree(spans)
        builtTree = tree
        return tree
    }

    /// The parent of a span, where the trace has it.
    func parent(of index: Int) -> SpanView? {
        let parent = tree.parent[index]
        return parent < 0 ? nil : spans[Int(parent)]
    }
}
