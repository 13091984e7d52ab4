/// What one worker does and when: records in, commit groups out, partitions taken and let go. No thread, clock or queue inside:
/// `WorkerThread` is its shell, the simulator is another.
///
/// Owned by one thread. Every call that depends on time is given it.
package final class WorkerCore {
    private struct Owned {
        let task: PartitionTask
        /// Monotonic milliseconds of the last record, and stream time then.
        var lastRecordAt: Int64
        var lastRecordStreamTime: Int64
        /// The partition had been read to its end since the last record.
        var isAtEnd = false
        /// The durable watermark.
        var committedLow: Int64
    }

    /// Partitions on their way out.
    private struct Revocation {
        var partitions: [PartitionID]
        /// Monotonic milliseconds.
        var deadline: Int64
        /// Published since the revoke began.
        var offsets: [PartitionID: CommittedOffset] = [:]
    }

    private var settings: WorkerSettings
    private let environment: StageEnvironment
    private var sinks: WorkerSinks
    private let store: any DeliveryStore
    private let control: any WorkerControl
    private let writer: any GroupWriter
    private let index: Int

    private var tasks: [PartitionID: Owned] = [:]
    private var departed = DepartedTasks()
    private var isPublishing = false
    /// Sealed while the writer was busy; the next to be published, oldest first.
    private var held: [CommitGroup] = []
    private var revocation: Revocation?
    /// The plan that the sinks belong to.
    private var plan: PipelinePlan
    /// How a source's tasks run since the last reload; by the source's name.
    private var reloaded: [String: (plan: TaskPlan, settings: PartitionTask.Settings)] = [:]
    /// Monotonic milliseconds.
    private var lastFlush: Int64
    private var lastUpkeep: Int64
    private var ladder = DegradationLadder()
    private var pausedPartitions: Set<PartitionID> = []
    package private(set) var snapshot = WorkerSnapshot()

    package init(
        index: Int, plan: PipelinePlan, settings: WorkerSettings, environment: StageEnvironment, sinks: WorkerSinks,
        store: any DeliveryStore, control: any WorkerControl, writer: any GroupWriter, at time: WorkerTime
    ) {
        self.index = index
        self.plan = plan
        self.settings = settings
        self.environment = environment
        self.sinks = sinks
        self.store = store
        self.control = control
        self.writer = writer
        lastFlush = time.monotonic
        lastUpkeep = time.monotonic
    }

    /// The partitions that this worker owns.
    package var partitions: [PartitionID] { tasks.keys.sorted() }

    /// The task of a partition; for tests and the simulator's checks.
    package func task(_ partition: PartitionID) -> PartitionTask? { tasks[partition]?.task }

    /// The durable watermark of a partition.
    package func committedLow(_ partition: PartitionID) -> Int64? { tasks[partition]?.committedLow }

    // MARK: - Records in

    package func assign(
        _ partition: PartitionID, _ restored: RestoredTask, _ plan: TaskPlan, _ taskSettings: PartitionTask.Settings,
        startOffset: Int64, at time: WorkerTime
    ) {
        // An assignment that was on its way during a reload still names the old plan.
        let current = reloaded[taskSettings.sourceName] ?? (plan, taskSettings)
        do {
            let task = try PartitionTask(
                taskPlan: current.plan, settings: current.settings, partition: partition, environment: environment,
                restored: restored, startOffset: startOffset, sinks: sinks)
            if let entry = restored.entry {
                try store.readDecisions(of: entry, since: task.decisionHorizonStart) { sampler, records in
                    task.restoreDecisions(sampler: sampler, records)
                }
            }
            tasks[partition] = Owned(
                task: task, lastRecordAt: time.monotonic, lastRecordStreamTime: task.streamTime,
                committedLow: task.position)
        } catch {
            control.failed(StageError("cannot take over \(partition): \(error)"))
        }
    }

    /// Processes a batch; its bytes may be released when this returns. A batch that was under way when its partition went is
    /// ignored: its next owner reads it.
    package func process(_ batch: any RecordBatch, at time: WorkerTime) {
        guard var owned = tasks[batch.partition] else { return }
        for index in 0..<batch.count {
            owned.task.process(batch.record(at: index), now: time.wall)
        }
        owned.lastRecordAt = time.monotonic
        owned.lastRecordStreamTime = owned.task.streamTime
        owned.isAtEnd = false
        tasks[batch.partition] = owned
        if let failure = owned.task.failure { control.failed(failure) }
    }

    package func reachedEnd(_ partition: PartitionID) { tasks[partition]?.isAtEnd = true }

    package func ended(_ partition: PartitionID) { tasks[partition]?.task.closeAll() }

    package func logRestarted(_ partition: PartitionID, at offset: Int64) {
        tasks[partition]?.task.restartLog(at: offset)
    }

    // MARK: - Reload

    /// Takes over a new plan between two batches: open traces, decisions and offsets stay. What the old plan decided leaves in a
    /// group of its own, so that no group mixes the two.
    package func reload(_ reload: PlanReload) {
        do {
            for owned in tasks.values {
                if let plan = reload.taskPlans[owned.task.settings.sourceName] {
                    owned.task.closeSamplers(missingIn: plan)
                }
            }
            if let group = makeGroup() { held.append(group) }
            sinks = sinks.adapted(from: plan, to: reload.plan, made: reload.madeSinks)
            sinks.saveSpace(ladder.contains(.withoutIndex))
            plan = reload.plan
            settings = reload.settings
            for (source, plan) in reload.taskPlans {
                if let taskSettings = reload.taskSettings[source] { reloaded[source] = (plan, taskSettings) }
            }
            for owned in tasks.values {
                guard let current = reloaded[owned.task.settings.sourceName] else { continue }
                departed.addStages(of: owned.task)
                try owned.task.adopt(
                    current.plan, settings: current.settings, environment: environment, sinks: sinks)
            }
        } catch {
            control.failed(StageError("cannot take over the new configuration: \(error)"))
        }
    }

    // MARK: - Upkeep

    /// Does what is due: flush, idle clock, budget. To be called at least a few times per second.
    ///
    /// - Returns: whether the snapshot was renewed.
    @discardableResult
    package func upkeep(at time: WorkerTime) -> Bool {
        let now = time.monotonic
        if !isPublishing, revocation == nil,
            now - lastFlush >= settings.flushInterval || sinks.bufferedBytes >= settings.flushBytes
        {
            lastFlush = now
            flush()
        }
        guard now - lastUpkeep >= 200 else { return false }
        lastUpkeep = now
        advanceIdlePartitions(now)
        keepWithinBudget()
        renewSnapshot()
        return true
    }

    /// A quiet partition goes on with the wall clock: its last traces would otherwise wait for a record that never comes.
    private func advanceIdlePartitions(_ now: Int64) {
        for owned in tasks.values where owned.isAtEnd {
            let quiet = now - owned.lastRecordAt
            guard quiet > settings.idleClock, owned.lastRecordStreamTime != .min else { continue }
            owned.task.advanceIdle(to: owned.lastRecordStreamTime + quiet)
        }
    }

    /// Takes the steps of the degradation ladder: early decisions first, pausing last; never a lost span.
    private func keepWithinBudget() {
        let windows = tasks.values.reduce(0) { $0 + $1.task.windowBytes }
        let budget = settings.memoryBudget / max(1, settings.threads)
        let buffered = sinks.bufferedBytes
        let before = ladder
        ladder.update(
            DegradationLadder.Pressure(
                windowBytes: windows, bufferedBytes: buffered, budget: budget, space: store.space(),
                flushError: snapshot.flushError))
        noteSteps(since: before)
        if ladder.contains(.earlyDecisions) {
            let target = max(0, budget * 9 / 10 - buffered)
            for owned in tasks.values {
                owned.task.shrink(toBytes: Int(Double(target) * Double(owned.task.windowBytes) / Double(windows)))
            }
        }
        if before.contains(.withoutIndex) != ladder.contains(.withoutIndex) {
            sinks.saveSpace(ladder.contains(.withoutIndex))
        }
        let mustPause = ladder.contains(.pause)
        let partitions = Set(tasks.keys)
        // Partitions that came during a pause are paused too.
        if mustPause != snapshot.isPaused || (mustPause && partitions != pausedPartitions) {
            snapshot.isPaused = mustPause
            pausedPartitions = mustPause ? partitions : []
            control.setPaused(mustPause, Array(partitions), worker: index)
        }
    }

    private func noteSteps(since before: DegradationLadder) {
        snapshot.degradation = ladder.steps
        for kind in DegradationStep.Kind.allCases where before.contains(kind) != ladder.contains(kind) {
            guard let step = ladder.steps.first(where: { $0.kind == kind }) else {
                if kind != .earlyDecisions { control.log("back to normal: \(kind.rawValue) ended") }
                continue
            }
            snapshot.degradationsTaken[kind, default: 0] += 1
            // Early decisions come and go with every burst; the metric counts them.
            if kind != .earlyDecisions { control.log(step.detail) }
        }
    }

    // MARK: - Flush

    private func flush() {
        guard let group = takeHeldGroup() ?? makeGroup() else { return }
        isPublishing = true
        writer.publish(group)
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
        // A sink that refused a write may lack rows that the entries would call done.
        if tasks.values.contains(where: { $0.task.failure != nil }) { return nil }
        let hasNews = tasks.values.contains { $0.task.isDirty } || sinks.bufferedBytes > 0
        guard hasNews else { return nil }
        let flushes = sinks.seal()
        // A partition without a known position has nothing to say: its watermark would be made up.
        let sealed = tasks.values.filter { $0.task.isPositioned }.sorted { $0.task.partition < $1.task.partition }
            .map { $0.task.seal() }
        return CommitGroup(tasks: sealed, flushes: flushes)
    }

    /// Hears from the writer what became of the group under way.
    package func finished(_ outcome: PublishOutcome) {
        switch outcome {
        case .failed(let message):
            snapshot.failedFlushes += 1
            if snapshot.flushError == nil { control.log("flush failed: \(message)") }
            snapshot.flushError = message
        case .published(let entries, let milliseconds):
            isPublishing = false
            if snapshot.flushError != nil { control.log("flush works again") }
            snapshot.flushError = nil
            snapshot.flushes += 1
            snapshot.lastFlushMilliseconds = milliseconds
            let offsets = accept(entries)
            if revocation == nil {
                control.commit(offsets, wait: false)
            } else {
                revocation?.offsets.merge(offsets) { $1 }
            }
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

    /// Begins to let partitions go: publishes what was decided. Open traces are not decided, the next owner reads them again.
    /// With `lost` nothing of them is published: another worker owns them already.
    ///
    /// Until `continueRevoke` has given its answer, no record may be processed and no other revoke begun.
    package func beginRevoke(_ partitions: [PartitionID], lost: Bool, at time: WorkerTime) {
        if lost { removeTasks(partitions) }
        revocation = Revocation(
            partitions: partitions, deadline: time.monotonic + Int64(settings.revokeDeadline))
    }

    /// Monotonic milliseconds by which the revoke under way ends; nil where none is.
    package var revokeDeadline: Int64? { revocation?.deadline }

    /// Goes on with the revoke: to be called after each outcome of the writer, and at the deadline.
    ///
    /// - Returns: the offsets to commit when the partitions are gone; nil while a group is under way.
    package func continueRevoke(at time: WorkerTime) -> [PartitionID: CommittedOffset]? {
        guard let revocation else { return [:] }
        if isPublishing {
            if time.monotonic < revocation.deadline { return nil }
            // No time left. What the sinks hold of these partitions must still leave in a group that does not name them: in a
            // later one, rows of the old epoch would count for a new epoch of the same partition.
            removeTasks(revocation.partitions)
            if let group = makeGroup() { held.append(group) }
        } else {
            // Rows of lost partitions leave the sinks' buffers with a group that does not name the partition: they stay
            // invisible, also when the partition comes back to this worker with a new epoch.
            if let group = takeHeldGroup() ?? makeGroup() {
                isPublishing = true
                writer.publish(group)
                return nil
            }
            removeTasks(revocation.partitions)
        }
        self.revocation = nil
        // The neighbours' watermarks moved too, and may not move again for long.
        let others = revocation.offsets.filter { !revocation.partitions.contains($0.key) }
        if !others.isEmpty { control.commit(others, wait: false) }
        return revocation.offsets.filter { revocation.partitions.contains($0.key) }
    }

    private func removeTasks(_ partitions: [PartitionID]) {
        for partition in partitions {
            if let owned = tasks.removeValue(forKey: partition) { departed.add(owned.task) }
        }
    }

    // MARK: - Figures

    /// Makes the snapshot say what is true now.
    package func renewSnapshot() {
        snapshot.departed = departed.counters
        snapshot.bufferedBytes = sinks.bufferedBytes
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
        var totals = departed
        for owned in tasks.values { totals.addFigures(of: owned.task) }
        snapshot.policies = totals.policies.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.scrubbed = totals.scrubbed.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

/// What a worker asks of its writer.
package protocol GroupWriter: AnyObject, Sendable {
    /// Takes a group; the next one comes only after this one was reported as published.
    func publish(_ group: CommitGroup)
}

/// What became of a commit group.
package enum PublishOutcome: Sendable {
    case published([TaskEntry], milliseconds: Int64)
    /// Nothing was published; the writer tries the same group again by itself.
    case failed(String)
}

/// What a worker thread asks of its process.
package protocol WorkerControl: AnyObject, Sendable {
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool)
    func setPaused(_ isPaused: Bool, _ partitions: [PartitionID], worker: Int)
    /// The pipeline cannot go on.
    func failed(_ error: any Error)
    func log(_ message: String)
}
