import OTLP
import Pipeline
import TraceModel

/// What producers send in one world: traces over time, with everything that goes wrong in real traffic. A function of the
/// plan; the oracle knows every copy of every span.
struct Workload {
    private(set) var spans: [ProducedSpan] = []
    private(set) var records: [ProducedRecord] = []
    private let plan: WorldPlan
    private var random: SimulationRandom
    private let partitions: [PartitionID]
    /// Which partition a record of a topic goes to that is not keyed.
    private var unkeyed: SimulationRandom

    /// - Parameter partitions: of the topic that producers write to.
    init(plan: WorldPlan, partitions: [PartitionID]) {
        self.plan = plan
        self.partitions = partitions
        unkeyed = SimulationRandom(seed: plan.seed).stream(7)
        random = SimulationRandom(seed: plan.seed).stream(1)
        for trace in 0..<plan.traces { add(trace: trace) }
        for _ in 0..<plan.badRecords { addUnreadable() }
        records.sort { $0.time < $1.time }
    }

    // MARK: - Traces

    /// A span before it is sent; the same draft may be sent several times.
    private struct Draft {
        var spanID: SpanID
        var kind: SpanKind
        var isRoot: Bool
        var isError: Bool
        var time: Int64
        var isBad = false
    }

    private mutating func add(trace: Int) {
        // The id decides what the probabilistic policy does with the trace.
        let id = TraceID(high: random.next() | 1, low: random.next())
        let partition = Int(id.low % UInt64(partitions.count))
        let start = random.pick(0...plan.trafficEnd)
        let milliseconds: Int64 = 1000
        let window = plan.window
        // Most traces are over within the settling time, some outlast the window.
        let length = random.chance(75) ? window.settle : window.max + window.max / 2
        var drafts: [Draft] = []
        let count = random.pick(1...plan.largestTrace)
        let rootFirst = random.chance(50)
        let hasRoot = random.chance(85)
        for position in 0..<count {
            let isRoot = hasRoot && position == (rootFirst ? 0 : count - 1)
            let at = start + random.pick(0...max(1, length)) * milliseconds
            drafts.append(
                Draft(
                    spanID: SpanID(UInt64(trace * 1000 + position + 1)), kind: .internal, isRoot: isRoot,
                    isError: random.chance(plan.hasBudget ? 20 : 6), time: isRoot && rootFirst ? start : at))
        }
        if random.chance(20), let first = drafts.first {
            // A client and a server span may share an id.
            var server = first
            server.kind = .server
            server.isRoot = false
            server.time += random.pick(0...300) * milliseconds
            drafts[0].kind = .client
            drafts.append(server)
        }
        if random.chance(25), let last = drafts.last {
            // Long after the decision.
            var late = last
            late.spanID = SpanID(UInt64(trace * 1000 + 900))
            late.isRoot = false
            late.time = start + (window.max + random.pick(0...2 * window.max)) * milliseconds
            drafts.append(late)
        }
        if random.chance(6) {
            drafts.append(
                Draft(
                    spanID: SpanID(1), kind: .internal, isRoot: false, isError: false, time: start, isBad: true))
        }
        drafts.sort { $0.time < $1.time }
        send(drafts, id, partition)
    }

    private mutating func send(_ drafts: [Draft], _ id: TraceID, _ partition: Int) {
        var index = 0
        while index < drafts.count {
            // Spans that end within a moment leave their process together.
            var batch = [drafts[index]]
            index += 1
            while index < drafts.count, batch.count < 4, drafts[index].time - batch[0].time < 200_000 {
                batch.append(drafts[index])
                index += 1
            }
            let time = batch[batch.count - 1].time
            append(batch, id, partition, time: time)
            if random.chance(10) {
                // The exporter did not hear the acknowledgement and sends again, soon or late.
                let wait =
                    random.chance(70) ? random.pick(10...800) : plan.window.max + random.pick(0...plan.window.max)
                append(batch, id, partition, time: time + wait * 1000)
            }
        }
    }

    private mutating func append(_ drafts: [Draft], _ id: TraceID, _ keyed: Int, time: Int64) {
        let partition = plan.isRepartitioned ? unkeyed.pick(0...partitions.count - 1) : keyed
        var numbers: [Int] = []
        var models: [Span] = []
        for (index, draft) in drafts.enumerated() {
            let number = spans.count
            let traceID = draft.isBad ? TraceID(high: 0, low: 0) : id
            spans.append(
                ProducedSpan(
                    number: number,
                    identity: ProducedSpan.Identity(traceID: traceID, spanID: draft.spanID, kind: draft.kind),
                    isError: draft.isError, parent: SpanID(draft.isRoot ? 0 : 7), isBad: draft.isBad,
                    partition: partitions[partition],
                    index: UInt32(index)))
            numbers.append(number)
            let startTime = UInt64(max(0, plan.wall(at: draft.time))) * 1_000_000
            models.append(
                Span(
                    traceID: traceID, spanID: draft.spanID, parentSpanID: SpanID(draft.isRoot ? 0 : 7),
                    name: String(number), kind: draft.kind, startTime: startTime, endTime: startTime + 1_000_000,
                    attributes: padding,
                    status: SpanStatus(code: draft.isError ? .error : .unset)))
        }
        let resource = ResourceSpans(
            resource: Resource(attributes: [Attribute("service.name", .string("shop"))]),
            scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: models)])
        records.append(record(partition, time: time, payload: OTLPEncoder.encode([resource]), spans: numbers))
    }

    /// Where spans go to disk they are large enough to fill a chunk.
    private var padding: [Attribute] {
        plan.spill == .never ? [] : [Attribute("padding", .string(String(repeating: "x", count: 700)))]
    }

    /// Bytes that are no OTLP request.
    private mutating func addUnreadable() {
        let partition = random.pick(0...partitions.count - 1)
        let payload: [UInt8] = random.chance(30) ? [] : [0xff, 0xff, 0xff, UInt8(random.pick(0...255))]
        records.append(record(partition, time: random.pick(0...plan.trafficEnd), payload: payload, spans: []))
    }

    private mutating func record(
        _ partition: Int, time: Int64, payload: [UInt8], spans: [Int]
    ) -> ProducedRecord {
        var timestamp: Int64?
        switch plan.timestamps {
        case .append: break
        case .create: timestamp = plan.wall(at: time) - random.pick(0...700)
        case .wrongClocks:
            timestamp = plan.wall(at: time) - random.pick(0...700)
            if random.chance(5) { timestamp = plan.wall(at: time) + random.pick(10_000...10_000_000) }
            if random.chance(3) { timestamp = random.chance(50) ? -1 : 0 }
        }
        return ProducedRecord(
            time: time, partition: partition, timestamp: timestamp, payload: payload, spans: spans,
            gap: random.chance(plan.gapPercent) ? random.pick(1...3) : 0)
    }

    /// A span has come into the log that is sampled; the second time it is there once more.
    mutating func place(_ span: Int, in partition: PartitionID, at offset: Int64, index: Int) {
        spans[span].instances += 1
        if spans[span].instances > 1 { return }
        spans[span].partition = partition
        spans[span].offset = offset
        spans[span].index = UInt32(index)
    }

    /// A span has come into the log that its producer writes to.
    mutating func produced(_ span: Int, in partition: PartitionID, at offset: Int64, index: Int, streamTime: Int64) {
        spans[span].source = ProducedSpan.Place(
            partition: partition, offset: offset, index: UInt32(index), streamTime: streamTime)
    }

    mutating func cut(_ span: Int) { spans[span].isCut = true }
}
