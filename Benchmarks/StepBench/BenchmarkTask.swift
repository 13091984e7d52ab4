import Pipeline
import Tailrace

/// A task of the usual policies, fed by hand.
enum BenchmarkTask {
    private static let usualPolicies = """
        - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
        - { name: slow, type: latency, latency: { threshold_ms: 60000 } }
        - { name: rest, type: probabilistic, probabilistic: { sampling_percentage: 1 } }
        """

    private static func pipeline(window: String, horizon: String, policies: String) -> String {
        let list = policies.split(separator: "\n").map { "      \($0)" }.joined(separator: "\n")
        return """
            pipeline: bench
            stages:
              spans: { kind: kafka, topic: spans }
              sample:
                kind: tail_sampler
                from: spans
                window: \(window)
                decision_horizon: \(horizon)
                policies:
            \(list)
              out: { kind: discard, from: sample }
            """
    }

    static func makeTask(
        window: String = "{ max_bytes: 64GiB }", horizon: String = "1h", policies: String = usualPolicies
    ) throws -> PartitionTask {
        let (plan, diagnostics) = PipelinePlan.load(
            text: pipeline(window: window, horizon: horizon, policies: policies), registry: .builtIn, environment: [:])
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

    /// - Parameter payload: borrowed until the call returns.
    static func feed(_ task: PartitionTask, _ payload: [UInt8], offset: Int64, time: Int64) {
        payload.withUnsafeBytes {
            task.process(
                SourceRecord(
                    offset: offset, timestamp: time, key: UnsafeRawBufferPointer(start: nil, count: 0), payload: $0),
                now: .max)
        }
    }
}
