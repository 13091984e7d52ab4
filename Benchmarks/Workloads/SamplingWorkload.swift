import OTLP
import Pipeline
import Tailrace

/// One partition's task with a tail sampler, fed from memory on the calling thread.
public final class SamplingWorkload {
    private let records: RecordSet
    private let task: PartitionTask
    private let sink: KeptTraces
    private var offset: Int64 = 0
    private var shift: Int64 = 0
    private var round: UInt32 = 0

    /// - Parameter percentage: of the traces without an error that are kept.
    public convenience init(_ records: RecordSet, percentage: Int) throws {
        try self.init(
            records,
            policies: [
                "{ name: errors, type: status_code, status_code: { status_codes: [ERROR] } }",
                "{ name: slow, type: latency, latency: { threshold_ms: 60000 } }",
                "{ name: rest, type: probabilistic, probabilistic: { sampling_percentage: \(percentage) } }",
            ])
    }

    /// - Parameter policies: in YAML's flow style.
    public init(_ records: RecordSet, policies: [String]) throws {
        self.records = records
        let text = """
            pipeline: bench
            stages:
              spans: { kind: kafka, topic: spans }
              sample:
                kind: tail_sampler
                from: spans
                window: { max_bytes: 64GiB }
                policies: [\(policies.joined(separator: ", "))]
              out: { kind: discard, from: sample }
            """
        let (plan, diagnostics) = PipelinePlan.load(text: text, registry: .builtIn, environment: [:])
        guard let plan else { throw StageError(diagnostics.rendered()) }
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: "", incarnation: "bench", pipelineName: "bench")
        sink = KeptTraces()
        task = try PartitionTask(
            taskPlan: try TaskPlan.make(plan: plan, source: plan.sources[0], environment: environment),
            settings: PartitionTask.Settings(encoding: .otlpProto, maximumRecordBytes: 1 << 30, sourceName: "spans"),
            partition: PartitionID(cluster: "bench", topic: "spans", partition: 0), environment: environment,
            restored: RestoredTask(epoch: 1, entry: nil), startOffset: 0,
            sinks: WorkerSinks(sinks: [plan.sinks[0]: sink], deadLetters: sink))
    }

    /// Prepares a round of new traces at a later time; not to be measured.
    public func prepareRound() {
        round += 1
        shift += 60_000
        sink.traces.removeAll()
        records.renewTraceIDs(round: round)
    }

    /// The traffic once. Windows of the last seconds stay open until the next round, as in a steady stream.
    public func runRound() {
        for index in 0..<records.count { feed(index, time: records.time(index) + shift) }
        _ = task.seal()
    }

    /// Feeds the traffic of the last round again: now every span is late, and its trace's decision is looked up.
    public func runLateRound() {
        let time = records.time(records.count - 1) + shift
        for index in 0..<records.count { feed(index, time: time) }
        _ = task.seal()
    }

    /// Moves time on until every window is closed.
    public func closeWindows() {
        task.closeAll()
        _ = task.seal()
    }

    /// Feeds traffic without letting time pass, so that all of it stays in the window; returns the bytes fed.
    public func fillWindow(spans: Int) -> Int {
        var bytes = 0
        while task.openSpans < spans {
            round += 1
            records.renewTraceIDs(round: round)
            for index in 0..<records.count where task.openSpans < spans {
                feed(index, time: records.time(0))
                bytes += records.record(index).count
            }
        }
        return bytes
    }

    public var openSpans: Int { task.openSpans }

    /// Traces that wait for their decision.
    public var openTraces: Int { task.gauges.openTraces }

    /// Spans that came after their trace's decision.
    public var lateSpans: UInt64 { task.counters.lateKept + task.counters.lateDropped }

    /// Traces kept in this round.
    public var keptTraces: [KeptTrace] { sink.traces }

    public var keptShare: Double {
        Double(task.counters.keptTraces) / Double(max(1, task.counters.keptTraces + task.counters.droppedTraces))
    }

    /// Whether every span that came is accounted for.
    public var isBalanced: Bool { task.counters.imbalance(inWindow: task.openSpans) == 0 }

    private func feed(_ index: Int, time: Int64) {
        task.process(
            SourceRecord(
                offset: offset, timestamp: time, key: UnsafeRawBufferPointer(start: nil, count: 0),
                payload: records.record(index)),
            now: .max)
        offset += 1
    }

    private final class KeptTraces: Sink {
        var traces: [KeptTrace] = []

        func write(_ trace: KeptTrace) { traces.append(trace) }
        func write(_ rejected: RejectedRecord) {}
        var bufferedBytes: Int { 0 }
        func seal() -> (any SinkFlush)? { nil }
    }
}
