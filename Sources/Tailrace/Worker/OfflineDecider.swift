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
    ///   - partition: which partition the spans come from; each needs a decider of its own, as each has a task.
    package init(
        plan: PipelinePlan, sampler: String, observer: any TaskObserver,
        partition: PartitionID = PartitionID(cluster: "file", topic: "recording", partition: 0)
    ) throws {
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
            partition: partition, environment: environment, restored: RestoredTask(epoch: 0, entry: nil),
            startOffset: 0, sinks: WorkerSinks(sinks: [:], deadLetters: DiscardSink()), observer: observer)
    }

    public var spanCount: UInt64 { task.counters.received }

    public func process(_ record: SpanFileRecord) {
        let timestamp = clock.timestamp(of: record)
        record.protobuf.withUnsafeBytes { process($0, timestamp: timestamp) }
    }

    /// Takes the next record of the recording: an OTLP request, borrowed for the call.
    ///
    /// - Parameter timestamp: stream time at the record, milliseconds since the Unix epoch.
    public func process(_ payload: UnsafeRawBufferPointer, timestamp: Int64) {
        // A line without spans is an empty request, not an empty record.
        if !payload.isEmpty {
            task.process(
                SourceRecord(
                    offset: offset, timestamp: timestamp, key: UnsafeRawBufferPointer(start: nil, count: 0),
                    payload: payload),
                now: .max)
        }
        offset += 1
    }

    /// Closes all windows: the recording has ended.
    public func finish() { task.closeAll() }
}
