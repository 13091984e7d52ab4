public import OTLP
import Pipeline

/// Runs a pipeline's stages up to its sampler on recorded spans, without source, sinks, files or clock.
public final class OfflineDecider {
    private let task: PartitionTask
    private var clock = RecordingClock()
    private var offset: Int64 = 0
    private let observer: any TaskObserver

    /// - Parameters:
    ///   - sampler: name of the sampler to run; the source that leads to it is the one that is replaced.
    ///   - observer: receives decisions and rejected records; kept alive by the decider.
    package init(plan: PipelinePlan, sampler: String, observer: any TaskObserver) throws {
        self.observer = observer
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: "", incarnation: "offline", pipelineName: plan.name)
        guard let target = plan.index(of: sampler),
            let source = plan.sources.first(where: { TaskPlan(plan: plan, source: $0).stages.contains(target) })
        else { throw StageError("no source leads to \(sampler)") }
        let taskPlan = try TaskPlan.make(plan: plan, source: source, environment: environment)
        task = try PartitionTask(
            taskPlan: taskPlan,
            settings: PartitionTask.Settings(
                encoding: .otlpProto, maximumRecordBytes: .max, sourceName: plan.stages[source].name),
            partition: PartitionID(cluster: "file", topic: "recording", partition: 0), environment: environment,
            restored: RestoredTask(epoch: 0, entry: nil), startOffset: 0,
            sinks: WorkerSinks(sinks: [:], deadLetters: DiscardSink()), observer: observer)
    }

    public var spanCount: UInt64 { task.counters.received }

    public func process(_ record: SpanFileRecord) {
        let timestamp = clock.timestamp(of: record)
        record.protobuf.withUnsafeBytes { bytes in
            // A line without spans is an empty request, not an empty record.
            guard !bytes.isEmpty else { return }
            task.process(
                SourceRecord(
                    offset: offset, timestamp: timestamp, key: UnsafeRawBufferPointer(start: nil, count: 0),
                    payload: bytes),
                now: .max)
        }
        offset += 1
    }

    /// Closes all windows: the recording has ended.
    public func finish() { task.closeAll() }
}
