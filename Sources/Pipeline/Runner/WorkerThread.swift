import Synchronization
import TraceModel

/// The shell around `WorkerCore`: its thread, its queue, its clock and its writer.
package final class WorkerThread: @unchecked Sendable {
    enum Message: Sendable {
        case assign(PartitionID, RestoredTask, TaskPlan, PartitionTask.Settings, startOffset: Int64)
        case records(any RecordBatch)
        /// With the monotonic time when the source found it so, milliseconds.
        case reachedEnd(PartitionID, at: Int64)
        case ended(PartitionID)
        case logRestarted(PartitionID, at: Int64)
        case revoke([PartitionID], lost: Bool, Completion<[PartitionID: CommittedOffset]>)
        case reload(PlanReload, Completion<Void>)
        case budgetShares(BudgetShares)
        case outcome(PublishOutcome)
        case restored(TaskRestore, failure: String?, milliseconds: Int64)
        case find(TraceID, Completion<[WaitingTrace]>)
        case stop
    }

    private let core: WorkerCore
    private let writer: WriterThread
    private let restorer: RestoreThread
    private let queue: BlockingQueue<Message>
    private var thread: NamedThread?
    private let published = Mutex(WorkerSnapshot())
    private let queuedBytes = Atomic<Int>(0)
    private var isStopping = false
    /// What came of partitions that are being restored, in its order.
    private var waiting: [PartitionID: [Message]] = [:]

    package init(
        index: Int, plan: PipelinePlan, settings: WorkerSettings, environment: StageEnvironment, sinks: WorkerSinks,
        store: any DeliveryStore, control: any WorkerControl
    ) throws {
        let queue = BlockingQueue<Message>()
        self.queue = queue
        writer = try WriterThread(store: store, writer: index) { queue.append(.outcome($0)) }
        restorer = try RestoreThread(
            store: store, worker: index, log: { control.log($0) },
            report: { queue.append(.restored($0, failure: $1, milliseconds: $2)) })
        core = WorkerCore(
            index: index, plan: plan, settings: settings, environment: environment, sinks: sinks, store: store,
            control: control, writer: writer, restorer: restorer, at: .current())
        thread = try NamedThread(name: "worker-\(index)") { [unowned self] in run() }
    }

    // MARK: - Called from other threads

    func send(_ message: Message) {
        if case .records(let batch) = message {
            queuedBytes.add(batch.byteCount, ordering: .relaxed)
        }
        queue.append(message)
    }

    var waitingBytes: Int { queuedBytes.load(ordering: .relaxed) }

    package var latestSnapshot: WorkerSnapshot { published.withLock { $0 } }

    package func stop() {
        queue.append(.stop)
        thread?.join()
        writer.stop()
        restorer.stop()
    }

    // MARK: - The thread

    private func run() {
        while !isStopping {
            for message in queue.takeAll(timeout: 100) {
                handle(message)
                upkeep()
            }
            upkeep()
        }
        core.cancelRestores()
        core.renewSnapshot()
        publishSnapshot()
    }

    private func upkeep() {
        if core.upkeep(at: .current()) { publishSnapshot() }
    }

    private func publishSnapshot() {
        var copy = core.snapshot
        copy.queuedBytes = waitingBytes
        published.withLock { $0 = copy }
    }

    /// Keeps what comes of a partition that is being restored: it is paused, so that is what was on its way. (Ends are reported
    /// again and again.)
    private func postpones(_ message: Message) -> Bool {
        let partition: PartitionID
        switch message {
        case .records(let batch): partition = batch.partition
        case .ended(let id), .logRestarted(let id, _): partition = id
        default: return false
        }
        guard core.isRestoring(partition) else { return false }
        waiting[partition, default: []].append(message)
        return true
    }

    /// The partition is restored, or has gone: then nobody uses what came of it, and it is released.
    private func handlePostponed(_ partition: PartitionID) {
        guard !core.isRestoring(partition) else { return }
        for message in waiting.removeValue(forKey: partition) ?? [] {
            handle(message)
            upkeep()
        }
    }

    private func handle(_ message: Message) {
        if postpones(message) { return }
        switch message {
        case .assign(let partition, let restored, let plan, let taskSettings, let startOffset):
            core.assign(partition, restored, plan, taskSettings, startOffset: startOffset, at: .current())
        case .records(let batch):
            core.process(batch, at: .current())
            batch.release()
            queuedBytes.subtract(batch.byteCount, ordering: .relaxed)
        case .reachedEnd(let partition, let time): core.reachedEnd(partition, at: time)
        case .ended(let partition): core.ended(partition)
        case .logRestarted(let partition, let offset): core.logRestarted(partition, at: offset)
        case .revoke(let partitions, let lost, let completion):
            completion.complete(revoke(partitions, lost: lost))
            for partition in partitions { handlePostponed(partition) }
        case .reload(let reload, let completion):
            core.reload(reload)
            completion.complete(())
        case .budgetShares(let shares): core.take(shares)
        case .outcome(let outcome): core.finished(outcome)
        case .restored(let restore, let failure, let milliseconds):
            core.restored(restore, failure: failure, milliseconds: milliseconds, at: .current())
            handlePostponed(restore.partition)
        case .find(let id, let completion): completion.complete(core.waiting(id))
        case .stop: isStopping = true
        }
    }

    /// Waits until the partitions are gone, at most until the deadline. Messages other than the writer's keep their order.
    private func revoke(_ partitions: [PartitionID], lost: Bool) -> [PartitionID: CommittedOffset] {
        core.beginRevoke(partitions, lost: lost, at: .current())
        var postponed: [Message] = []
        defer { queue.putBack(postponed) }
        while true {
            let now = WorkerTime.current()
            if let offsets = core.continueRevoke(at: now) { return offsets }
            let left = (core.revokeDeadline ?? now.monotonic) - now.monotonic
            for message in queue.takeAll(timeout: Int(max(1, left))) {
                if case .outcome(let outcome) = message {
                    core.finished(outcome)
                } else {
                    postponed.append(message)
                }
            }
        }
    }
}
