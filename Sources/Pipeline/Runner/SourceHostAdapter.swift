import Synchronization

/// Runs one source on its thread and connects it with the runner.
final class SourceHostAdapter: SourceHost, @unchecked Sendable {
    let source: any Source
    let name: String
    private let tasks: Mutex<Tasks>
    private unowned let runner: PipelineRunner
    private var thread: NamedThread?
    private let ended = Atomic<Bool>(false)
    /// Nil where the source's keys do not matter.
    let partitioningCheck: PartitioningCheck?

    /// How the source's tasks run; changes with a reload.
    struct Tasks {
        var plan: TaskPlan
        var settings: PartitionTask.Settings
    }

    init(source: any Source, taskPlan: TaskPlan, runner: PipelineRunner) {
        self.source = source
        self.runner = runner
        let stage = taskPlan.plan.stages[taskPlan.source]
        name = stage.name
        // Where no sampler reads the spans, a trace need not be in one partition.
        let feedsSampler = taskPlan.stages.contains { taskPlan.plan.stages[$0].role == .sampler }
        let isChecked = stage.settings.string("keyed_by") == "trace_id" && feedsSampler
        let check =
            isChecked ? PartitioningCheck(source: stage.name) { [weak runner] in runner?.log($0) } : nil
        partitioningCheck = check
        tasks = Mutex(Tasks(plan: taskPlan, settings: Self.taskSettings(taskPlan, check)))
    }

    static func taskSettings(_ taskPlan: TaskPlan, _ check: PartitioningCheck?) -> PartitionTask.Settings {
        var taskSettings = PartitionTask.Settings(taskPlan)
        taskSettings.partitioningCheck = check
        return taskSettings
    }

    var currentTasks: Tasks { tasks.withLock { $0 } }

    /// Tasks that are assigned from now on run so.
    func adopt(_ taskPlan: TaskPlan) {
        tasks.withLock { $0 = Tasks(plan: taskPlan, settings: Self.taskSettings(taskPlan, partitioningCheck)) }
    }

    func start() throws {
        thread = try NamedThread(name: "source") { [self] in
            do {
                try source.run(self)
            } catch {
                runner.fail("source \(name): \(error)")
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
        runner.dataLoss(partition, from: from, to: to, explanation: explanation)
    }

    func logRestarted(_ partition: PartitionID, at offset: Int64) { runner.logRestarted(partition, at: offset) }

    func log(_ message: String) { runner.log(message) }
}
