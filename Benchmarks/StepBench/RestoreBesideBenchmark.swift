import Glibc
import Pipeline
import Storage
import Synchronization
import Tailrace

/// A worker thread takes over a partition with many decisions while another of its partitions gets records: how long do these
/// wait?
enum RestoreBesideBenchmark {
    private final class ManualSource: Source {
        private let state = Mutex<(host: (any SourceHost)?, isStopped: Bool, paused: Int)>((nil, false, 0))

        func run(_ host: any SourceHost) throws {
            state.withLock { $0.host = host }
            while !state.withLock({ $0.isStopped }) { usleep(1000) }
        }

        var host: any SourceHost {
            while true {
                if let host = state.withLock({ $0.host }) { return host }
                usleep(1000)
            }
        }

        var isPaused: Bool { state.withLock { $0.paused > 0 } }
        func stop() { state.withLock { $0.isStopped = true } }
        func pause(_ partitions: [PartitionID]) { state.withLock { $0.paused += partitions.count } }
        func resume(_ partitions: [PartitionID]) { state.withLock { $0.paused -= partitions.count } }
        func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) {}
        var status: SourceStatus { SourceStatus() }
    }

    private final class Batch: RecordBatch, @unchecked Sendable {
        // The bytes do not change; the flag is atomic.
        let partition: PartitionID
        private let offset: Int64
        private let time: Int64
        private let bytes: [UInt8]
        let isReleased = Atomic<Bool>(false)

        init(_ partition: PartitionID, _ bytes: [UInt8], offset: Int64, time: Int64) {
            self.partition = partition
            self.bytes = bytes
            self.offset = offset
            self.time = time
        }

        var count: Int { 1 }
        var byteCount: Int { bytes.count }
        func record(at index: Int) -> SourceRecord {
            // An array's bytes stay where they are while the batch lives.
            bytes.withUnsafeBytes {
                SourceRecord(
                    offset: offset, timestamp: time, key: UnsafeRawBufferPointer(start: nil, count: 0), payload: $0)
            }
        }
        func release() { isReleased.store(true, ordering: .releasing) }
    }

    private final class NoSink: Sink {
        func write(_ rejected: RejectedRecord) {}
        var bufferedBytes: Int { 0 }
        func seal() -> (any SinkFlush)? { nil }
    }

    /// - Parameters:
    ///   - layout: of a store that has the partition's decisions.
    ///   - start: of the decisions, stream time in milliseconds.
    static func run(_ layout: StoreLayout, _ partition: PartitionID, start: Int64) throws {
        var registry = StageRegistry.builtIn
        let source = ManualSource()
        registry.register(
            StageDefinition(
                kind: "manual", role: .source, summary: "", inputs: [],
                outputs: [OutputPort("spans", .spans, summary: "")], options: [], make: .source { _, _ in source }))
        let text = """
            pipeline: bench
            stages:
              spans: { kind: manual }
              sample:
                kind: tail_sampler
                from: spans
                decision_horizon: 10m
                policies: [{ name: rest, type: probabilistic, probabilistic: { sampling_percentage: 1 } }]
              out: { kind: discard, from: sample }
            """
        let (plan, diagnostics) = PipelinePlan.load(text: text, registry: registry, environment: [:])
        guard let plan else { throw StageError(diagnostics.rendered()) }
        var settings = WorkerSettings()
        settings.threads = 1
        let runner = try PipelineRunner(
            plan: plan, settings: settings,
            environment: StageEnvironment(
                workingDirectory: ".", storeDirectory: layout.root, incarnation: "beside", pipelineName: "bench"),
            store: try FileDeliveryStore(layout: layout, incarnation: "beside"), deadLetters: { _ in NoSink() },
            log: { print("  \($0)") })
        try runner.start()
        var other = partition
        other.partition = 1000
        let host = source.host
        let begin = Measuring.seconds()
        _ = try host.assign([partition, other])
        var waits: [Double] = []
        repeat {
            // An empty request: what is measured is the wait, not the work.
            let batch = Batch(other, [0x0a, 0x00], offset: Int64(waits.count), time: start + Int64(waits.count) * 10)
            let sent = Measuring.seconds()
            host.deliver(batch)
            while !batch.isReleased.load(ordering: .acquiring) { usleep(100) }
            waits.append(Measuring.seconds() - sent)
            usleep(10_000)
        } while source.isPaused
        let seconds = Measuring.seconds() - begin
        runner.stop()
        print(
            "beside it on the same worker thread, \(Measuring.format(seconds, 2)) s long: \(waits.count) records of another "
                + "partition waited \(Measuring.format(Measuring.median(waits) * 1000, 2)) ms in the median, "
                + "\(Measuring.format((waits.max() ?? 0) * 1000, 2)) ms at most")
    }
}
