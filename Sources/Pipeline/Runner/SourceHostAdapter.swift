import Synchronization

/// Runs one source on its thread and connects it with the runner.
final class SourceHostAdapter: SourceHost, @unchecked Sendable {
    let source: any Source
    let taskPlan: TaskPlan
    let taskSettings: PartitionTask.Settings
    private unowned let runner: PipelineRunner
    private var thread: NamedThread?
    private let ended = Atomic<Bool>(false)

    init(source: any Source, taskPlan: TaskPlan, settings: StageSettings, runner: PipelineRunner) {
        self.source = source
        self.taskPlan = taskPlan
        self.runner = runner
        var taskSettings = PartitionTask.Settings(
            encoding: settings.string("encoding").flatMap(RecordEncoding.init(rawValue:)) ?? .otlpProto,
            maximumRecordBytes: Int(settings.size("max_record_bytes") ?? 16 << 20), sourceName: settings.name)
        // Where no sampler reads the spans, a trace need not be in one partition.
        let feedsSampler = taskPlan.stages.contains { taskPlan.plan.stages[$0].role == .sampler }
        if settings.string("keyed_by") == "trace_id", feedsSampler {
            taskSettings.partitioningCheck = PartitioningCheck(source: settings.name) { [weak runner] message in
                runner?.log(message)
            }
        }
        self.taskSettings = taskSettings
    }

    func start() throws {
        thread = try NamedThread(name: "source") { [self] in
            do {
                try source.run(self)
            } catch {
                runner.fail("source \(taskSettings.sourceName): \(error)")
            }
            ended.store(true, ordering: .releasing)
        }
    }

    var hasEnded: Bool { ended.load(ordering: .acquiring) }

    func join() { thread?.join() }

    // MARK: - SourceHost

    func assign(_ partitions: [PartitionID]) throws -> [PartitionID: Int64] {
        try runner.assign(partitions, host: self)
    }

    func revoke(_ partitions: [PartitionID], lost: Bool) { runner.revoke(partitions, lost: lost, host: self) }

    func deliver(_ batch: any RecordBatch) {
        runner.deliver(batch)
        runner.releaseThrottled()
    }

    func reachedEnd(_ partition: PartitionID) {
        runner.reachedEnd(partition)
        runner.releaseThrottled()
    }

    func ended(_ partition: PartitionID) { runner.ended(partition) }

    func dataLoss(_ partition: PartitionID, from: Int64, to: Int64, explanation: String) {
        runner.dataLoss("data loss detected: \(partition) offsets \(from) to \(to): \(explanation)")
    }

    func logRestarted(_ partition: PartitionID, at offset: Int64) { runner.logRestarted(partition, at: offset) }

    func log(_ message: String) { runner.log(message) }
}
