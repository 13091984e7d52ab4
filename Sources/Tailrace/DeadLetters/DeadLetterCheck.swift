import OTLP
public import Pipeline
public import Storage

/// Runs a dead letter through a pipeline's stages, without its samplers' windows and sinks, and says whether it would be
/// refused again. Not thread-safe.
public final class DeadLetterCheck {
    private let task: PartitionTask
    private let observer = Observer()
    private let encoding: RecordEncoding
    private var offset: Int64 = 0

    /// - Parameter source: the source stage that the letter would come in by.
    public init(plan: PipelinePlan, source: Int) throws {
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: "", incarnation: "retry", pipelineName: plan.name)
        let settings = plan.stages[source].settings
        encoding = settings.string("encoding").flatMap(RecordEncoding.init(rawValue:)) ?? .otlpProto
        task = try PartitionTask(
            taskPlan: TaskPlan.make(plan: plan, source: source, environment: environment),
            settings: PartitionTask.Settings(
                encoding: encoding, maximumRecordBytes: Int(settings.size("max_record_bytes") ?? 16 << 20),
                sourceName: plan.stages[source].name),
            partition: PartitionID(cluster: "retry", topic: "retry", partition: 0), environment: environment,
            restored: RestoredTask(epoch: 0, entry: nil), startOffset: 0,
            sinks: WorkerSinks(sinks: [:], deadLetters: DiscardSink()), observer: observer)
    }

    /// The bytes to send for a letter. A span that was refused alone is kept as protobuf, whatever its source reads.
    public func record(of letter: DeadLetter) -> [UInt8] {
        guard encoding == .otlpJSON, letter.payload.first != UInt8(ascii: "{"),
            let request = try? OTLPDecoder.decode(letter.payload)
        else { return letter.payload }
        return OTLPJSONEncoder.encode(request)
    }

    /// Why the record would be refused, as `code: reason`; nil where it would be used.
    public func refusal(of record: [UInt8], key: [UInt8]) -> String? {
        observer.rejected = []
        record.withUnsafeBytes { payload in
            key.withUnsafeBytes { key in
                task.process(
                    SourceRecord(offset: offset, timestamp: offset, key: key, payload: payload), now: .max)
            }
        }
        offset += 1
        // Nothing stays in a window: the next letter is checked for itself.
        task.closeAll()
        return observer.rejected.first.map { "\($0.code): \($0.reason)" }
    }

    private final class Observer: TaskObserver {
        var rejected: [RejectedRecord] = []

        func kept(_ trace: KeptTrace, stage: String) {}
        func dropped(_ trace: DroppedTrace, stage: String) {}
        func rejected(_ record: RejectedRecord) { rejected.append(record) }
    }
}
