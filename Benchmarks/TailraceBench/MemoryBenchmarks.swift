import DemoTraffic
import OTLP
import Pipeline
import Sampling
import Tailrace
import TraceModel

/// Scanner, window and decisions, fed from memory on one thread.
enum MemoryBenchmarks {
    private struct Record {
        var payload: [UInt8]
        /// Milliseconds.
        var time: Int64
    }

    static func run() throws {
        var traffic = DemoTraffic(
            DemoTrafficConfiguration(seed: 7, tracesPerSecond: 2000, startTime: 1_750_000_000_000_000_000))
        var records: [Record] = []
        while let record = traffic.next(ofFirst: 20_000) {
            records.append(
                Record(payload: OTLPEncoder.encode(record.resourceSpans), time: Int64(record.emitTime / 1_000_000)))
        }
        let spans = traffic.spans
        let bytes = records.reduce(0) { $0 + $1.payload.count }
        print("input: \(spans) spans in \(records.count) records, \(bytes / spans) bytes per span with resources")
        try scan(records, spans)
        try decide(records, spans)
        try window(records)
    }

    private static func scan(_ records: [Record], _ spans: Int) throws {
        var scanner = OTLPScanner()
        let batch = SpanBatch()
        try Measuring.report("scan and validate", spans: spans) {
            for record in records {
                try record.payload.withUnsafeBytes { try scanner.scan($0, into: batch) }
            }
        }
    }

    private static func pipeline(window: String, horizon: String) -> String {
        """
        pipeline: bench
        stages:
          spans: { kind: kafka, topic: spans }
          sample:
            kind: tail_sampler
            from: spans
            window: \(window)
            decision_horizon: \(horizon)
            policies:
              - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
              - { name: slow, type: latency, latency: { threshold_ms: 60000 } }
              - { name: rest, type: probabilistic, probabilistic: { sampling_percentage: 1 } }
          out: { kind: discard, from: sample }
        """
    }

    static func makeTask(window: String = "{ max_bytes: 64GiB }", horizon: String = "1h") throws -> PartitionTask {
        let (plan, diagnostics) = PipelinePlan.load(
            text: pipeline(window: window, horizon: horizon), registry: .builtIn, environment: [:])
        guard let plan else { throw StageError(diagnostics.rendered()) }
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: "", incarnation: "bench", pipelineName: "bench")
        return try PartitionTask(
            taskPlan: try TaskPlan.make(plan: plan, source: plan.sources[0], environment: environment),
            settings: PartitionTask.Settings(encoding: .otlpProto, maximumRecordBytes: 1 << 30, sourceName: "spans"),
            partition: PartitionID(cluster: "bench", topic: "spans", partition: 0), environment: environment,
            restored: RestoredTask(epoch: 1, entry: nil), startOffset: 0,
            sinks: WorkerSinks(sinks: [:], deadLetters: NoSink()))
    }

    private final class NoSink: Sink {
        func write(_ rejected: RejectedRecord) {}
        var bufferedBytes: Int { 0 }
        func seal() -> (any SinkFlush)? { nil }
    }

    private static func feed(_ task: PartitionTask, _ record: Record, offset: Int64, time: Int64) {
        feed(task, record.payload, offset: offset, time: time)
    }

    static func feed(_ task: PartitionTask, _ payload: [UInt8], offset: Int64, time: Int64) {
        payload.withUnsafeBytes {
            task.process(
                SourceRecord(
                    offset: offset, timestamp: time, key: UnsafeRawBufferPointer(start: nil, count: 0), payload: $0),
                now: .max)
        }
    }

    /// Each round is the same traffic at a later time, so that the window is in its steady state.
    private static func decide(_ records: [Record], _ spans: Int) throws {
        let task = try makeTask()
        var offset: Int64 = 0
        var shift: Int64 = 0
        Measuring.report("scan, window and decide, 1 % kept", spans: spans) {
            for record in records {
                feed(task, record, offset: offset, time: record.time + shift)
                offset += 1
            }
            shift += 60_000
            _ = task.seal()
        }
        precondition(task.counters.imbalance(inWindow: task.openSpans) == 0, "the ledger does not add up")
    }

    /// Resident memory of a window of a million undecided spans against their bytes. Ids differ by round.
    private static func window(_ records: [Record]) throws {
        let task = try makeTask()
        let before = Measuring.residentBytes()
        var offset: Int64 = 0
        var bytes = 0
        var round: UInt64 = 0
        while task.openSpans < 1_000_000 {
            round += 1
            for record in records where task.openSpans < 1_000_000 {
                var request = try OTLPDecoder.decode(record.payload)
                for resource in request.indices {
                    for scope in request[resource].scopeSpans.indices {
                        for span in request[resource].scopeSpans[scope].spans.indices {
                            request[resource].scopeSpans[scope].spans[span].traceID.high ^= round << 32
                        }
                    }
                }
                let payload = OTLPEncoder.encode(request)
                bytes += payload.count
                feed(task, Record(payload: payload, time: 1), offset: offset, time: 1_750_000_000_000)
                offset += 1
            }
        }
        let held = Measuring.residentBytes() - before
        print(
            "window of \(task.openSpans) spans: \(held >> 20) MiB resident for \(bytes >> 20) MiB of records: "
                + "\(Measuring.format(Double(held) / Double(bytes), 2))x")
    }
}
