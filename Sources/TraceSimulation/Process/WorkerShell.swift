import Pipeline

/// The simulated shell of one worker thread: what `WorkerThread` is in a real process.
final class WorkerShell {
    let core: WorkerCore
    let writer: SimulatedWriter
    private let restorer: SimulatedRestorer
    let index: Int
    private unowned let process: SimulatedProcess
    private let settings: WorkerSettings
    /// What came of partitions that are being restored, in its order.
    private var waiting: [PartitionID: [() -> Void]] = [:]
    /// Called when the revoke under way is done.
    private var whenRevoked: (([PartitionID: CommittedOffset]) -> Void)?
    /// Revokes of other sources, which wait for the one at hand.
    private var waitingRevokes: [() -> Void] = []

    init(
        process: SimulatedProcess, index: Int, plan: PipelinePlan, sinks: WorkerSinks, store: ObservedStore,
        environment: StageEnvironment
    ) {
        self.process = process
        self.index = index
        writer = SimulatedWriter(process: process, store: store, index: index)
        restorer = SimulatedRestorer(process: process, store: store)
        var settings = WorkerSettings()
        settings.threads = process.world.plan.threads
        settings.flushInterval = process.world.plan.flushInterval
        settings.idleClock = process.world.plan.idleClock
        settings.revokeDeadline = process.world.plan.revokeDeadline
        settings.memoryBudget = process.world.plan.memoryBudget
        self.settings = settings
        var environment = environment
        environment.worker = index
        core = WorkerCore(
            index: index, plan: plan, settings: settings, environment: environment, sinks: sinks, store: store,
            control: process,
            writer: writer, restorer: restorer, at: process.time)
        writer.shell = self
        restorer.shell = self
    }

    var isRevoking: Bool { whenRevoked != nil }

    /// A thread that waits for its writer does nothing else.
    func upkeep() {
        guard !isRevoking else { return }
        var isRenewed = false
        process.atomically { isRenewed = core.upkeep(at: process.time) }
        process.world.oracle.check(self, of: process, afterUpkeep: isRenewed)
    }

    func assign(
        _ partition: PartitionID, _ restored: RestoredTask, _ taskPlan: TaskPlan, _ settings: PartitionTask.Settings,
        startOffset: Int64
    ) {
        process.atomically {
            process.perform(.restore) {
                core.assign(partition, restored, taskPlan, settings, startOffset: startOffset, at: process.time)
            }
        }
    }

    /// A task has its decisions, or cannot have them. Not while partitions go: the real thread looks at nothing else then.
    func restored(_ restore: TaskRestore, failure: String?, milliseconds: Int64) {
        if isRevoking {
            return process.after(1000) { [self] in
                restored(restore, failure: failure, milliseconds: milliseconds)
            }
        }
        process.atomically {
            core.restored(restore, failure: failure, milliseconds: milliseconds, at: process.time)
        }
        handlePostponed(restore.partition)
    }

    /// The partition is restored, or has gone.
    private func handlePostponed(_ partition: PartitionID) {
        guard !core.isRestoring(partition) else { return }
        for body in waiting.removeValue(forKey: partition) ?? [] where process.isAlive { body() }
    }

    func logRestarted(_ partition: PartitionID, at offset: Int64, whenDone: @escaping () -> Void) {
        if core.isRestoring(partition) {
            waiting[partition, default: []].append { [self] in
                logRestarted(partition, at: offset, whenDone: whenDone)
            }
            return
        }
        process.atomically { core.logRestarted(partition, at: offset) }
        whenDone()
    }

    func process(_ batch: SimulatedBatch) {
        if core.isRestoring(batch.partition) {
            process.world.reach(.recordsPostponed)
            waiting[batch.partition, default: []].append { [self] in process(batch) }
            return
        }
        process.atomically { core.process(batch, at: process.time) }
        batch.release()
        process.world.oracle.check(self, of: process, afterUpkeep: false)
        upkeep()
    }

    /// Takes over another plan between two batches.
    func reload(_ plan: PipelinePlan, _ sources: [String: (plan: TaskPlan, settings: PartitionTask.Settings)]) {
        process.atomically {
            core.reload(
                PlanReload(
                    plan: plan, taskPlans: sources.mapValues(\.plan), taskSettings: sources.mapValues(\.settings),
                    settings: settings, madeSinks: [:]))
        }
        process.world.oracle.check(self, of: process, afterUpkeep: false)
    }

    // MARK: - Revoke

    func revoke(
        _ partitions: [PartitionID], lost: Bool, whenDone: @escaping ([PartitionID: CommittedOffset]) -> Void
    ) {
        if isRevoking {
            waitingRevokes.append { [self] in revoke(partitions, lost: lost, whenDone: whenDone) }
            return
        }
        whenRevoked = whenDone
        if lost { process.world.oracle.lost(partitions, by: process) }
        core.beginRevoke(partitions, lost: lost, at: process.time)
        if let deadline = core.revokeDeadline {
            process.after(max(0, deadline * 1000 - process.world.scheduler.now) + 1000) { [self] in continueRevoke() }
        }
        continueRevoke()
    }

    private func continueRevoke() {
        guard let whenRevoked, process.isAlive else { return }
        guard let offsets = core.continueRevoke(at: process.time) else { return }
        self.whenRevoked = nil
        process.world.oracle.check(self, of: process, afterUpkeep: false)
        for partition in waiting.keys.sorted() { handlePostponed(partition) }
        whenRevoked(offsets)
        if !isRevoking, !waitingRevokes.isEmpty { waitingRevokes.removeFirst()() }
    }

    /// The writer reports.
    func finished(_ outcome: PublishOutcome) {
        core.finished(outcome)
        if isRevoking { continueRevoke() } else { upkeep() }
    }
}
