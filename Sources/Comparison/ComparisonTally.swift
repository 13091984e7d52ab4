import OTLP
import Pipeline
import TraceModel

/// Traces, spans, and their bytes as received.
package struct TraceCost: Sendable, Equatable {
    package var traces = 0
    package var spans = 0
    package var bytes = 0

    package init(traces: Int = 0, spans: Int = 0, bytes: Int = 0) {
        self.traces = traces
        self.spans = spans
        self.bytes = bytes
    }

    package static func - (left: TraceCost, right: TraceCost) -> TraceCost {
        TraceCost(
            traces: left.traces - right.traces, spans: left.spans - right.spans, bytes: left.bytes - right.bytes)
    }

    package static func += (left: inout TraceCost, right: TraceCost) {
        left.traces += right.traces
        left.spans += right.spans
        left.bytes += right.bytes
    }
}

/// What a comparison counts while it runs; shared by the two sides, on one thread.
final class ComparisonTally {
    var facts = TraceFactsTable()
    var operations = OperationTable()
    var series = TimeSeries()
    /// Spans and bytes that came, before any stage.
    var offered = TraceCost()
    var rejectedSpans = 0
    /// The first and the last record, milliseconds.
    var times: (first: Int64, last: Int64)?

    /// Enters a span of the recording.
    func add(_ head: SpanHead, operation: Int) {
        offered.spans += 1
        offered.bytes += Int(head.message.length)
        let place = facts.place(of: head.traceID)
        if facts[place].spanCount == 0 || head.isRoot && !facts[place].hasRoot {
            facts[place].root = UInt32(operation)
            facts[place].hasRoot = head.isRoot
        }
        facts[place].spanCount &+= 1
        facts[place].byteCount &+= UInt64(head.message.length)
        if head.isError { facts[place].errorCount &+= 1 }
        if head.startTime != 0 { facts[place].startTime = min(facts[place].startTime, head.startTime) }
        facts[place].endTime = max(facts[place].endTime, head.endTime)
    }
}

/// Receives the decisions of one side.
final class SideCollector: TaskObserver {
    let side: Side
    private let sampler: String
    private let tally: ComparisonTally
    /// As the pipeline lists them; what decides without being listed is added.
    private(set) var policies: [String]
    /// What each policy kept.
    private(set) var kept: [TraceCost]
    /// Spans that came after the decision of a kept trace; they are part of what is kept.
    private(set) var lateSpans = 0
    /// Spans that a stage before the sampler refused.
    private(set) var rejectedSpans = 0
    private var places: [String: Int] = [:]
    private var scanner = OTLPScanner()
    private let batch = SpanBatch()

    init(side: Side, sampler: String, policies: [String], tally: ComparisonTally) {
        self.side = side
        self.sampler = sampler
        self.policies = policies
        self.tally = tally
        kept = policies.map { _ in TraceCost() }
        places = Dictionary(policies.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func kept(_ trace: KeptTrace, stage: String) {
        guard stage == sampler, let place = tally.facts.find(trace.summary.traceID) else { return }
        let known = tally.facts[place].fates[side]
        // Late spans are counted with the policy that kept their trace. A trace that has several decisions (its spans are in
        // several partitions, or its decision was forgotten) belongs to the first one that kept it.
        let policy = known.isKept ? Int(known.policy) : self.place(of: trace.decision.policy)
        if !known.isKept {
            kept[policy].traces += 1
            tally.facts[place].fates[side] = TraceFacts.Fate(isDecided: true, isKept: true, policy: UInt16(policy))
        }
        kept[policy].spans += trace.summary.spanCount
        kept[policy].bytes += trace.summary.byteCount
        if trace.isLate { lateSpans += trace.summary.spanCount }
        tally.series.addKept(trace.summary.spanCount, side: side, at: trace.decision.decidedAt)
        cover(trace.payload, of: place)
    }

    func dropped(_ trace: DroppedTrace, stage: String) {
        guard stage == sampler, let place = tally.facts.find(trace.summary.traceID) else { return }
        tally.facts[place].fates[side].isDecided = true
    }

    func rejected(_ record: RejectedRecord) { rejectedSpans += record.spanCount }

    private func place(of policy: String) -> Int {
        if let known = places[policy] { return known }
        // A pipeline has no more policies than its file has lines; the places fit into 16 bits.
        guard policies.count < Int(UInt16.max) else { return policies.count - 1 }
        places[policy] = policies.count
        policies.append(policy)
        kept.append(TraceCost())
        return policies.count - 1
    }

    /// Notes the operations of a kept trace, as they would be stored.
    private func cover(_ payload: [UInt8], of trace: Int) {
        payload.withUnsafeBytes { bytes in
            // Put together from spans that were accepted.
            do { try scanner.scan(bytes, into: batch) } catch { return }
            var unit: (number: UInt32, service: UnsafeRawBufferPointer)?
            for head in batch.heads {
                if unit?.number != head.unit {
                    unit = (head.unit, ServiceName.find(in: batch.bytes(batch.units[Int(head.unit)].resource)))
                }
                guard let service = unit?.service else { continue }
                let place = tally.operations.place(service: service, name: batch.bytes(head.name))
                tally.operations.countKept(place, trace: UInt32(trace), side: side)
            }
            batch.forget()
        }
    }
}
