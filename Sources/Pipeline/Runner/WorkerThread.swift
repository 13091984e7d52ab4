import Synchronization
import TraceModel

/// Owns the tasks of some partitions and runs them on one thread: records in, commit groups out.
package final class WorkerThread: @unchecked Sendable {
    enum Message: Sendable {
        case assign(PartitionID, RestoredTask, TaskPlan, PartitionTask.Settings, startOffset: Int64)
        case records(any RecordBatch)
        case reachedEnd(PartitionID)
        case ended(PartitionID)
        case logRestarted(PartitionID, at: Int64)
        case revoke([PartitionID], lost: Bool, Completion<[PartitionID: CommittedOffset]>)
        case outcome(WriterThread.Outcome)
        case find(TraceID, Completion<[WaitingTrace]>)
        case stop
    }

    private struct Owned {
        let task: PartitionTask
        /// Wall clock (monotonic, milliseconds) of the last record, and stream time then.
        var lastRecordAt: Int64
        var lastRecordStreamTime: Int64
        /// The partition had been read to its end since the last record.
        var isAtEnd = false
        /// The durable watermark.
        var committedLow: Int64
    }

    let index: Int
    private let settings: WorkerSettings
    private let environment: StageEnvironment
    private let sinks: WorkerSinks
    private let store: any DeliveryStore
    private let control: any WorkerControl
    private let queue = BlockingQueue<Message>()
    private var writer: WriterThread?
    private var thread: NamedThread?

    private var tasks: [PartitionID: Owned] = [:]
    private var departed = TaskCounters()
    private var isPublishing = false
    /// Sealed while the writer was busy; the next to be published, oldest first.
    private var held: [CommitGroup] = []
    private var lastFlush = WallClock.monotonic()
    private var lastUpkeep = WallClock.monotonic()
    private var snapshot = WorkerSnapshot()
    private let published = Mutex(WorkerSnapshot())
    private let queuedBytes = Atomic<Int>(0)
    private var isStopping = false
    /// Of tasks that left.
    private var policyTotals: [String: [PolicyCounters]] = [:]
    private var scrubbedTotals: [String: UInt64] = [:]

    package init(
        index: Int, settings: WorkerSettings, environment: StageEnvironment, sinks: WorkerSinks,
        store: any DeliveryStore, control: any WorkerControl
    ) throws {
        self.index = index
        self.settings = settings
        self.environment = environment
        self.sinks = sinks
        self.store = store
        self.control = control
        writer = try WriterThread(store: store, writer: index) { [queue] in queue.append(.outcome($0)) }
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
        writer?.stop()
    }

    // MARK: - The thread

    private func run() {
        while !isStopping {
            for message in queue.takeAll(timeout: 100) {
                handle(message)
                upkeepIfDue()
            }
            upkeepIfDue()
        }
        publishSnapshot()
    }

    private func handle(_ message: Message) {
        switch message {
        case .assign(let partition, let restored, let plan, let taskSettings, let startOffset):
            assign(partition, restored, plan, taskSettings, startOffset)
        case .records(let batch): process(batch)
        case .reachedEnd(let partition): tasks[partition]?.isAtEnd = true
        case .ended(let partition): tasks[partition]?.task.closeAll()
        case .logRestarted(let partition, let offset): tasks[partition]?.task.restartLog(at: offset)
        case .revoke(let partitions, let lost, let completion):
            completion.complete(revoke(partitions, lost: lost))
        case .outcome(let outcome): finish(outcome)
        case .find(let id, let completion): completion.complete(find(id))
        case .stop: isStopping = true
        }
    }

    private func assign(
        _ partition: PartitionID, _ restored: RestoredTask, _ plan: TaskPlan, _ taskSettings: PartitionTask.Settings,
        _ startOffset: Int64
    ) {
        do {
            let task = try PartitionTask(
                taskPlan: plan, settings: taskSettings, partition: partition, environment: environment,
                restored: restored, startOffset: startOffset, sinks: sinks)
            if let entry = restored.entry {
                try store.readDecisions(of: entry, since: task.decisionHorizonStart) { sampler, records in
                    task.restoreDecisions(sampler: sampler, records)
                }
            }
            tasks[partition] = Owned(
                task: task, lastRecordAt: WallClock.monotonic(), lastRecordStreamTime: task.streamTime,
                committedLow: task.position)
        } catch {
            control.failed(StageError("cannot take over \(partition): \(error)"))
        }
    }

    private func process(_ batch: any RecordBatch) {
        defer {
            batch.release()
            queuedBytes.subtract(batch.byteCount, ordering: .relaxed)
        }
        // A batch that was under way when its partition went is ignored: its next owner reads it.
        guard var owned = tasks[batch.partition] else { return }
        let now = WallClock.now()
        for index in 0..<batch.count {
            owned.task.process(batch.record(at: index), now: now)
        }
        owned.lastRecordAt = WallClock.monotonic()
        owned.lastRecordStreamTime = owned.task.streamTime
        owned.isAtEnd = false
        tasks[batch.partition] = owned
        if let failure = owned.task.failure { control.failed(failure) }
    }

    private func find(_ id: TraceID) -> [WaitingTrace] {
        tasks.values.flatMap { owned in
            owned.task.lanes.compactMap { lane in
                lane.sampler.openTrace(id).map {
                    WaitingTrace(
                        partition: owned.task.partition, sampler: lane.name, streamTime: owned.task.streamTime,
                        trace: $0)
                }
            }
        }
    }

    // MARK: - Upkeep

    private func upkeepIfDue() {
        let now = WallClock.monotonic()
        if !isPublishing, now - lastFlush >= settings.flushInterval || sinks.bufferedBytes >= settings.flushBytes {
            lastFlush = now
            flush()
        }
        guard now - lastUpkeep >= 200 else { return }
        lastUpkeep = now
        advanceIdlePartitions(now)
        keepWithinBudget()
        publishSnapshot()
    }

    /// A quiet partition goes on with the wall clock: its last traces would otherwise wait for a record that never comes.
    private func advanceIdlePartitions(_ now: Int64) {
        for owned in tasks.values where owned.isAtEnd {
            let quiet = now - owned.lastRecordAt
            guard quiet > settings.idleClock, owned.lastRecordStreamTime != .min else { continue }
            owned.task.advanceIdle(to: owned.lastRecordStreamTime + quiet)
        }
    }

    /// Early decisions first, pausing last; never a lost span.
    private func keepWithinBudget() {
        let windows = tasks.values.reduce(0) { $0 + $1.task.windowBytes }
        let budget = settings.memoryBudget / max(1, settings.threads)
        let buffered = sinks.bufferedBytes
        if windows + buffered > budget, windows > 0 {
            let target = max(0, budget * 9 / 10 - buffered)
            for owned in tasks.values {
                owned.task.shrink(toBytes: Int(Double(target) * Double(owned.task.windowBytes) / Double(windows)))
            }
        }
        // While nothing can be made durable, or more is buffered than the budget allows, reading stops.
        let mustPause = snapshot.flushError != nil || buffered > budget
        if mustPause != snapshot.isPaused {
            snapshot.isPaused = mustPause
            control.setPaused(mustPause, Array(tasks.keys), worker: index)
        }
    }

    // MARK: - Flush

    private func flush() {
        guard let group = takeHeldGroup() ?? makeGroup() else { return }
        isPublishing = true
        writer?.publish(group)
    }

    /// The oldest group that was sealed while the writer was busy, brought up to date: what was published meanwhile may have
    /// added decision files, and a task that has left publishes nothing.
    private func takeHeldGroup() -> CommitGroup? {
        guard !held.isEmpty else { return nil }
        var group = held.removeFirst()
        group.tasks = group.tasks.compactMap { sealed in
            guard let task = tasks[sealed.entry.partition]?.task, task.epoch == sealed.entry.epoch else { return nil }
            var sealed = sealed
            sealed.entry.decisionFiles = task.neededDecisionFiles
            return sealed
        }
        return group
    }

    /// Everything decided so far, sealed; nil when nothing has changed.
    private func makeGroup() -> CommitGroup? {
        if tasks.values.contains(where: { $0.task.failure != nil }) { return nil }
        let hasNews = tasks.values.contains { $0.task.isDirty } || sinks.bufferedBytes > 0
        guard hasNews else { return nil }
        let flushes = sinks.seal()
        // A partition without a known position has nothing to say: its watermark would be made up.
        let sealed = tasks.values.filter { $0.task.isPositioned }.sorted { $0.task.partition < $1.task.partition }
            .map { $0.task.seal() }
        return CommitGroup(tasks: sealed, flushes: flushes)
    }

    private func finish(_ outcome: WriterThread.Outcome) {
        switch outcome {
        case .failed(let message):
            snapshot.failedFlushes += 1
            if snapshot.flushError == nil { control.log("flush failed, partitions are paused: \(message)") }
            snapshot.flushError = message
        case .published(let entries, let milliseconds):
            isPublishing = false
            if snapshot.flushError != nil { control.log("flush works again") }
            snapshot.flushError = nil
            snapshot.flushes += 1
            snapshot.lastFlushMilliseconds = milliseconds
            control.commit(accept(entries), wait: false)
        }
    }

    /// Takes over what was published; returns the offsets to tell the log.
    private func accept(_ entries: [TaskEntry]) -> [PartitionID: CommittedOffset] {
        var offsets: [PartitionID: CommittedOffset] = [:]
        for entry in entries {
            guard var owned = tasks[entry.partition], owned.task.epoch == entry.epoch else { continue }
            owned.task.decisionFiles = entry.decisionFiles
            owned.committedLow = entry.low
            tasks[entry.partition] = owned
            offsets[entry.partition] = CommittedOffset(offset: entry.low, metadata: "t\(entry.streamTimeAtLow)")
        }
        return offsets
    }

    // MARK: - Revoke

    /// Publishes what was decided, then lets the partitions go. Open traces are not decided: the next owner reads them
    /// again. With `lost` nothing of them is published: another worker owns them already.
    private func revoke(_ partitions: [PartitionID], lost: Bool) -> [PartitionID: CommittedOffset] {
        let deadline = WallClock.monotonic() + Int64(settings.revokeDeadline)
        var offsets: [PartitionID: CommittedOffset] = [:]
        if lost { removeTasks(partitions) }
        if waitForWriter(until: deadline, &offsets) {
            // Rows of lost partitions leave the sinks' buffers with a group that does not name the partition: they stay
            // invisible, also when the partition comes back to this worker with a new epoch.
            while let group = takeHeldGroup() ?? makeGroup() {
                isPublishing = true
                writer?.publish(group)
                if !waitForWriter(until: deadline, &offsets) { break }
            }
            removeTasks(partitions)
        } else {
            // No time left. What the sinks hold of these partitions must still leave in a group that does not name them: in a
            // later one, rows of the old epoch would count for a new epoch of the same partition.
            removeTasks(partitions)
            if let group = makeGroup() { held.append(group) }
        }
        return offsets.filter { partitions.contains($0.key) }
    }

    /// Waits for the group under way; false when the deadline passed first. Other messages keep their order.
    private func waitForWriter(until deadline: Int64, _ offsets: inout [PartitionID: CommittedOffset]) -> Bool {
        var postponed: [Message] = []
        defer { queue.putBack(postponed) }
        while isPublishing {
            let left = deadline - WallClock.monotonic()
            if left <= 0 { return false }
            for message in queue.takeAll(timeout: Int(left)) {
                guard case .outcome(let outcome) = message else {
                    postponed.append(message)
                    continue
                }
                if case .published(let entries, let milliseconds) = outcome {
                    isPublishing = false
                    snapshot.flushError = nil
                    snapshot.flushes += 1
                    snapshot.lastFlushMilliseconds = milliseconds
                    offsets.merge(accept(entries)) { $1 }
                } else {
                    finish(outcome)
                }
            }
        }
        return true
    }

    private func removeTasks(_ partitions: [PartitionID]) {
        for partition in partitions {
            guard let owned = tasks.removeValue(forKey: partition) else { continue }
            // Spans that were still in the window are the next owner's: they leave this worker's books.
            var counters = owned.task.counters
            counters.returned += UInt64(owned.task.openSpans)
            departed.add(counters)
            for lane in owned.task.lanes {
                policyTotals[lane.name] = PolicyCounters.sum(policyTotals[lane.name] ?? [], lane.sampler.policyCounters)
            }
            for scrubber in owned.task.scrubbers.values {
                for (rule, count) in scrubber.counts { scrubbedTotals[rule, default: 0] += count }
            }
        }
    }

    // MARK: - Figures

    private func publishSnapshot() {
        snapshot.departed = departed
        snapshot.bufferedBytes = sinks.bufferedBytes
        snapshot.queuedBytes = waitingBytes
        snapshot.partitions = tasks.values.map { owned in
            let task = owned.task
            var gauges = SamplerGauges()
            for lane in task.lanes { gauges.add(lane.sampler.gauges) }
            return WorkerSnapshot.Partition(
                id: task.partition, epoch: task.epoch, position: task.position, watermark: owned.committedLow,
                streamTime: task.streamTime,
                watermarkTime: task.lanes.compactMap(\.ledger.streamTimeAtLow).min() ?? task.streamTime,
                counters: task.counters, gauges: gauges,
                imbalance: task.counters.imbalance(inWindow: task.openSpans))
        }
        var policies: [String: [PolicyCounters]] = policyTotals
        var scrubbed = scrubbedTotals
        for owned in tasks.values {
            for lane in owned.task.lanes {
                policies[lane.name] = PolicyCounters.sum(policies[lane.name] ?? [], lane.sampler.policyCounters)
            }
            for scrubber in owned.task.scrubbers.values {
                for (rule, count) in scrubber.counts { scrubbed[rule, default: 0] += count }
            }
        }
        snapshot.policies = policies.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.scrubbed = scrubbed.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        let copy = snapshot
        published.withLock { $0 = copy }
    }

}

extension SamplerGauges {
    mutating func add(_ other: SamplerGauges) {
        openTraces += other.openTraces
        openSpans += other.openSpans
        windowBytes += other.windowBytes
        rememberedDecisions += other.rememberedDecisions
        decisionBytes += other.decisionBytes
    }
}

extension PolicyCounters {
    /// Adds two lists of the same policies.
    package static func sum(_ left: [PolicyCounters], _ right: [PolicyCounters]) -> [PolicyCounters] {
        if left.isEmpty { return right }
        return zip(left, right).map { left, right in
            var sum = left
            sum.matchedTraces += right.matchedTraces
            sum.keptTraces += right.keptTraces
            sum.keptSpans += right.keptSpans
            sum.keptBytes += right.keptBytes
            return sum
        }
    }
}

/// A trace in some window of a worker.
public struct WaitingTrace: Sendable, Equatable {
    public var partition: PartitionID
    public var sampler: String
    /// Of the partition now, milliseconds since the Unix epoch.
    public var streamTime: Int64
    public var trace: OpenTrace
}

/// What a worker thread asks of its process.
package protocol WorkerControl: AnyObject, Sendable {
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool)
    func setPaused(_ isPaused: Bool, _ partitions: [PartitionID], worker: Int)
    /// The pipeline cannot go on.
    func failed(_ error: any Error)
    func log(_ message: String)
}
