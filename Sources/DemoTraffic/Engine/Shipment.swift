import TraceModel

/// A finished trace on its way: its spans as the exports of the instances that made them.
struct Shipment {
    private(set) var records: [DemoRecord] = []
    private var truth = DemoGroundTruth()

    /// Spans of one instance that leave in one export.
    private struct Batch {
        var instance: Int
        /// Which of the instance's exports it is.
        var tick: Int
        var lastEnd: UInt64
        var drafts: [Int]
    }

    init(builder: TraceBuilder) {
        var builder = builder
        let lost = Self.chooseLost(&builder)
        count(builder, lost: lost)
        var batches = Self.batches(builder, lost: lost)
        if builder.random.chance(builder.configuration.lateRate) { addLate(&batches, &builder) }
        for batch in batches {
            addRecord(batch, builder, emitTime: Self.emitTime(batch, &builder))
        }
    }

    /// Adds what this trace holds.
    func count(into total: inout DemoGroundTruth) {
        total.traces += truth.traces
        total.spans += truth.spans
        total.errorTraces += truth.errorTraces
        total.slowTraces += truth.slowTraces
        total.lateSpans += truth.lateSpans
        total.orphanSpans += truth.orphanSpans
        total.piiSpans += truth.piiSpans
    }

    private mutating func count(_ builder: TraceBuilder, lost: Int?) {
        truth.traces = 1
        for (index, draft) in builder.drafts.enumerated() where index != lost {
            truth.spans += 1
            if draft.isPersonal { truth.piiSpans += 1 }
            if draft.span.status.code == .error { truth.errorTraces = 1 }
            if let lost, draft.span.parentSpanID == builder.drafts[lost].span.spanID { truth.orphanSpans += 1 }
        }
        if builder.drafts[0].span.duration > 1_000_000_000 { truth.slowTraces = 1 }
    }

    /// Rarely, a server's span is lost, of which others are children.
    private static func chooseLost(_ builder: inout TraceBuilder) -> Int? {
        guard builder.random.chance(builder.configuration.orphanRate) else { return nil }
        let parents = Set(builder.drafts.map(\.span.parentSpanID))
        let candidates = builder.drafts.indices.dropFirst().filter { index in
            builder.drafts[index].span.kind == .server && parents.contains(builder.drafts[index].span.spanID)
        }
        return candidates.isEmpty ? nil : builder.random.element(of: candidates)
    }

    /// SDKs export every `batchDelay` seconds what has ended since, each at its own phase.
    private static func batches(_ builder: TraceBuilder, lost: Int?) -> [Batch] {
        let interval = builder.configuration.batchDelay * 1e9
        var batches: [Batch] = []
        for (index, draft) in builder.drafts.enumerated() where index != lost {
            let phase = builder.world.instances[draft.instance].exportPhase
            let sinceStart = Double(draft.end - builder.configuration.startTime)
            let tick = interval > 0 ? Int(sinceStart / interval + phase) : 0
            if let batch = batches.firstIndex(where: { $0.instance == draft.instance && $0.tick == tick }) {
                batches[batch].drafts.append(index)
                batches[batch].lastEnd = max(batches[batch].lastEnd, draft.end)
            } else {
                batches.append(Batch(instance: draft.instance, tick: tick, lastEnd: draft.end, drafts: [index]))
            }
        }
        return batches
    }

    private static func emitTime(_ batch: Batch, _ builder: inout TraceBuilder) -> UInt64 {
        let interval = builder.configuration.batchDelay * 1e9
        let network = builder.random.index(below: 4_000_000)
        guard interval > 0 else { return batch.lastEnd }
        // `tick` is rounded down, so its export is the next one.
        let phase = builder.world.instances[batch.instance].exportPhase
        let export = builder.configuration.startTime + nanoseconds((Double(batch.tick + 1) - phase) * interval)
        return max(export, batch.lastEnd) + UInt64(network)
    }

    /// Splits a few spans off one export and sends them seconds after everything else.
    private mutating func addLate(_ batches: inout [Batch], _ builder: inout TraceBuilder) {
        let spanCount = batches.reduce(0) { $0 + $1.drafts.count }
        guard spanCount > 1 else { return }
        let chosen = builder.random.index(below: batches.count)
        let count = min(batches[chosen].drafts.count, builder.random.int(in: 1...3), spanCount - 1)
        var late = batches[chosen]
        late.drafts = Array(late.drafts.suffix(count))
        batches[chosen].drafts.removeLast(count)
        if batches[chosen].drafts.isEmpty { batches.remove(at: chosen) }
        let lastEnd = batches.reduce(late.lastEnd) { max($0, $1.lastEnd) }
        let delay = builder.configuration.batchDelay + builder.random.double(in: builder.configuration.lateDelay)
        addRecord(late, builder, emitTime: lastEnd + nanoseconds(delay * 1e9))
        truth.lateSpans += count
    }

    private mutating func addRecord(_ batch: Batch, _ builder: TraceBuilder, emitTime: UInt64) {
        let instance = builder.world.instances[batch.instance]
        var spansOfScope: [(library: Library, spans: [Span])] = []
        for index in batch.drafts {
            let draft = builder.drafts[index]
            if let scope = spansOfScope.firstIndex(where: { $0.library == draft.library }) {
                spansOfScope[scope].spans.append(draft.span)
            } else {
                spansOfScope.append((draft.library, [draft.span]))
            }
        }
        let scopeSpans = spansOfScope.map {
            ScopeSpans(scope: instance.scopes[Int($0.library.rawValue)], spans: $0.spans)
        }
        let resourceSpans = ResourceSpans(
            resource: instance.resource, scopeSpans: scopeSpans, schemaURL: "https://opentelemetry.io/schemas/1.37.0")
        records.append(DemoRecord(resourceSpans: [resourceSpans], traceID: builder.traceID, emitTime: emitTime))
    }
}
