import OTLP

/// The spans of the trace that a sampler is deciding, read from its window. One per sampler, pointed at one trace after the
/// other.
final class OpenTraceSpans: TraceSpans {
    weak var sampler: WindowSampler?
    var state: TraceState?

    func visit(_ body: (TraceSpan) -> Bool) {
        guard let sampler, let state else { return }
        var index = state.firstRun
        while index != RunPool.none {
            let run = sampler.store.runs[index]
            var position = run.position
            for _ in 0..<run.spanCount {
                guard let span = sampler.span(run, at: position) else { return }
                if !body(span) { return }
                position &+= UInt32(truncatingIfNeeded: span.span.count) &+ 4
            }
            index = run.next
        }
    }

    var root: TraceSpan? {
        guard let sampler, let state else { return nil }
        let root = state.rootRun == RunPool.none ? state.firstRun : state.rootRun
        guard root != RunPool.none else { return nil }
        let run = sampler.store.runs[root]
        return sampler.span(run, at: state.rootRun == RunPool.none ? run.position : state.rootPosition)
    }

    /// The spans' bytes and those of the resources and scopes they came with, a tag and a length of two bytes for each.
    var requestBytes: UInt64 {
        guard let sampler, let state else { return 0 }
        var bytes = state.byteCount &+ 3 &* UInt64(state.spanCount)
        var index = state.firstRun
        while index != RunPool.none {
            let run = sampler.store.runs[index]
            bytes &+=
                UInt64(sampler.store.units.resource(run.unit).count &+ sampler.store.units.scope(run.unit).count) &+ 12
            index = run.next
        }
        return bytes
    }
}

extension WindowSampler {
    fileprivate func span(_ run: SpanRun, at position: UInt32) -> TraceSpan? {
        guard let address = store.arena.address(chunk: run.chunk, offset: position) else { return nil }
        let length = Int(address.loadUnaligned(as: UInt32.self))
        return TraceSpan(
            span: UnsafeRawBufferPointer(start: address + 4, count: length), resource: store.units.resource(run.unit),
            scope: store.units.scope(run.unit), unit: run.unit)
    }
}
