/// What one worker does and when: records in, commit groups out, partitions taken and let go. No thread, clock or queue inside:
/// `WorkerThread` is its shell, the simulator is another.
///
/// Owned by one thread. Every call that depends on time is given it.
package final class WorkerCore {
    struct Owned {
        let task: PartitionTask
        /// Monotonic milliseconds of the last record, and stream time then.
        var lastRecordAt: Int64
        var lastRecordStreamTime: Int64
        /// Monotonic milliseconds when the partition was last known to be read to its end; nil since the last record.
        var atEndAt: Int64?
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
    let environment: StageEnvironment
    private(set) var sinks: WorkerSinks
    private let store: any DeliveryStore
    let control: any WorkerControl
    private let writer: any GroupWriter
    let restorer: any TaskRestorer
    let index: Int

    var tasks: [PartitionID: Owned] = [:]
    /// Partitions that are ours and not yet in `tasks`: their decisions are being read back.
    var restoring: [PartitionID: Restoring] = [:]
    /// Of tasks that were restored.
    var finishedRestores: (decisions: UInt64, milliseconds: UInt64) = (0, 0)
    private var departed = DepartedTasks()
    private var isPublishing = false
    /// Partitions with their epochs in the group under way.
    private var underWay: [(partition: PartitionID, epoch: UInt64)] = []
    /// Sealed while the writer was busy; the next to be published, oldest first.
    private var held: [CommitGroup] = []
    private var revocation: Revocation?
    private var paused: Set<PartitionID> = []
    /// The plan that the sinks belong to.
    private var plan: PipelinePlan
    /// How a source's tasks run since the last reload; by the source's name.
    private(set) var reloaded: [String: (plan: TaskPlan, settings: PartitionTask.Settings)] = [:]
    private(set) var budgetShares = BudgetShares()
    /// Monotonic milliseconds.
    private var lastFlush: Int64
    private var lastUpkeep: Int64
    private var ladder = DegradationLadder()
    private var lastEarlyTraces: UInt64 = 0
    package internal(set) var snapshot = WorkerSnapshot()

    package init(
        index: Int, plan: PipelinePlan, settings: WorkerSettings, environment: StageEnvironment, sinks: WorkerSinks,
        store: any DeliveryStore, control: any WorkerControl, writer: any GroupWriter,
        restorer: any TaskRestorer, at time: WorkerTime
    ) {
        self.index = index
        self.plan = plan
        self.settings = settings
        self.environment = environment
        self.sinks = sinks
        self.store = store
        self.control = control
        self.writer = writer
        self.restorer = restorer
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

    /// Processes a batch; its bytes may be released when this returns. A batch that was under way when its partition went is
    /// ignored: its next owner reads it.
    package func process(_ batch: any RecordBatch, at time: WorkerTime) {
        guard var owned = tasks[batch.partition] else { return }
        for index in 0..<batch.count {
            owned.task.process(batch.record(at: index), now: time.wall)
        }
        owned.lastRecordAt = time.monotonic
        owned.lastRecordStreamTime = owned.task.streamTime
        owned.atEndAt = nil
        tasks[batch.partition] = owned
        if let failure = owned.task.failure { control.failed(failure) }
    }

    /// The partition is read to its end. The source says so again and again while it is: the idle clock never runs ahead of
    /// the last time it did.
    ///
    /// - Parameter monotonic: when the source found it so, milliseconds.
    package func reachedEnd(_ partition: PartitionID, at monotonic: Int64) {
        tasks[partition]?.atEndAt = monotonic
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .cutLogNotNoticed { return }
        #endif
        guard let gone = tasks[partition]?.task.forgetCutOffsets() else { return }
        control.dataLoss(
            partition, from: gone.lowerBound, to: gone.upperBound,
            explanation:
                "the log ends at \(gone.lowerBound): it was cut after the last owner had read it; what comes there "
                + "now are other records, and they are read")
    }

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
                owned.task.take(budgetShares)
            }
            for partition in restoring.keys { restoring[partition]?.isOutdated = true }
        } catch {
            control.failed(StageError("cannot take over the new configuration: \(error)"))
        }
    }

    /// Tasks' parts of the budgets that they hold together, also of tasks that come later.
    package func take(_ shares: BudgetShares) {
        budgetShares = shares
        for owned in tasks.values { owned.task.take(shares) }
    }

    // MARK: - Upkeep

    /// How often the idle clock and the budget are looked at, milliseconds.
    package static let upkeepInterval: Int64 = 200

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
            flush(at: time)
        }
        guard now - lastUpkeep >= Self.upkeepInterval else { return false }
        lastUpkeep = now
        advanceIdlePartitions(now)
        keepWithinBudget()
        renewSnapshot()
        return true
    }

    /// A quiet partition goes on with the wall clock: its last traces would otherwise wait for a record that never comes. Only
    /// up to the moment when it was last seen to be quiet: a record that is under way must not find its time passed, or a
    /// replay of the log would decide otherwise (I13).
    private func advanceIdlePartitions(_ now: Int64) {
        for owned in tasks.values {
            guard let atEndAt = owned.atEndAt else { continue }
            #if TAILRACE_MUTATIONS
                let quiet =
                    ProtocolMutation.active == .idleClockRunsAhead
                    ? now - owned.lastRecordAt : atEndAt - owned.lastRecordAt
            #else
                let quiet = atEndAt - owned.lastRecordAt
            #endif
            guard quiet > settings.idleClock, owned.lastRecordStreamTime != .min else { continue }
            owned.task.advanceIdle(to: owned.lastRecordStreamTime + quiet)
        }
    }

    /// Takes the steps of the degradation ladder: spans go to disk first, then early decisions, pausing last; never a lost span.
    private func keepWithinBudget() {
        let windows = tasks.values.reduce(0) { $0 + $1.task.windowBytes }
        let share = settings.memoryBudget / max(1, settings.threads)
        // Remembered decisions count, but cannot be given back: late spans would no longer follow them. A quarter is left to
        // windows and buffers in any case.
        let budget = max(share / 4, share - tasks.values.reduce(0) { $0 + $1.task.decisionBytes })
        let buffered = sinks.bufferedBytes
        #if TAILRACE_MUTATIONS
            let mustShrink = ProtocolMutation.active != .budgetIgnored && windows + buffered > budget
        #else
            let mustShrink = windows + buffered > budget
        #endif
        if mustShrink, windows > 0 {
            let target = max(0, budget * 9 / 10 - buffered)
            for owned in tasks.values {
                owned.task.shrink(toBytes: Int(Double(target) * Double(owned.task.windowBytes) / Double(windows)))
            }
        }
        let before = ladder
        ladder.update(pressure(windows: windows, budget: budget))
        noteSteps(since: before)
        if before.contains(.withoutIndex) != ladder.contains(.withoutIndex) {
            sinks.saveSpace(ladder.contains(.withoutIndex))
        }
        if let failure = tasks.values.lazy.compactMap(\.task.failure).first { control.failed(failure) }
        #if TAILRACE_MUTATIONS
            let mustPause = ProtocolMutation.active == .pauseForgotten ? false : ladder.contains(.pause)
        #else
            let mustPause = ladder.contains(.pause)
        #endif
        snapshot.isPaused = mustPause
        if mustPause {
            // Also partitions that came, or came back, during a pause.
            #if TAILRACE_MUTATIONS
                let isForgotten = ProtocolMutation.active == .newPartitionNotPaused && !paused.isEmpty
                let running = isForgotten ? [] : tasks.keys.filter { !paused.contains($0) }.sorted()
            #else
                let running = tasks.keys.filter { !paused.contains($0) }.sorted()
            #endif
            paused.formUnion(running)
            if !running.isEmpty { control.setPaused(true, running, worker: index, for: .pressure) }
        } else if !paused.isEmpty {
            control.setPaused(false, paused.sorted(), worker: index, for: .pressure)
            paused = []
        }
    }

    /// - Parameter windows: bytes in memory before spans went to disk or were decided early.
    private func pressure(windows: Int, budget: Int) -> DegradationLadder.Pressure {
        var gauges = SamplerGauges()
        for owned in tasks.values {
            for lane in owned.task.lanes { gauges.add(lane.sampler.gauges) }
        }
        let decidedEarly = tasks.values.reduce(departed.counters.earlyTraces) { $0 + $1.task.counters.earlyTraces }
        defer { lastEarlyTraces = decidedEarly }
        return DegradationLadder.Pressure(
            windowBytes: windows, bufferedBytes: sinks.bufferedBytes, budget: budget, spilledBytes: gauges.spilledBytes,
            spillError: gauges.spillError, isDecidingEarly: decidedEarly != lastEarlyTraces, space: store.space(),
            flushError: snapshot.flushError)
    }

    private func noteSteps(since before: DegradationLadder) {
        snapshot.degradation = ladder.steps
        for kind in DegradationStep.Kind.allCases where before.contains(kind) != ladder.contains(kind) {
            guard let step = ladder.steps.first(where: { $0.kind == kind }) else {
                if kind == .pause || kind == .withoutIndex { control.log("back to normal: \(kind.rawValue) ended") }
                continue
            }
            snapshot.degradationsTaken[kind, default: 0] += 1
            // The others come and go with every burst; the metric counts them.
            if kind == .pause || kind == .withoutIndex { control.log(step.detail) }
        }
    }

    // MARK: - Flush

    private func flush(at time: WorkerTime) {
        noteProgress(at: time)
        if let group = takeHeldGroup() ?? makeGroup() { publish(group) }
    }

    private func publish(_ group: CommitGroup) {
        isPublishing = true
        underWay = group.tasks.map { ($0.entry.partition, $0.entry.epoch) }
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .commitBeforePublish {
                let offsets = group.tasks.map {
                    ($0.entry.partition, CommittedOffset(offset: $0.entry.low, metadata: ""))
                }
                control.commit(Dictionary(uniqueKeysWithValues: offsets), wait: false)
            }
        #endif
        writer.publish(group)
    }

    /// Sinks that pass stream time on hear it before they are sealed.
    private func noteProgress(at time: WorkerTime) {
        sinks.note(
            tasks.values.map { owned in
                (
                    owned.task.taskPlan.stages,
                    TaskProgress(
                        partition: owned.task.partition, epoch: owned.task.epoch, streamTime: owned.task.streamTime,
                        isAtEnd: owned.atEndAt != nil)
                )
            }, now: time.wall)
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
            giveUpFenced(entries)
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

    /// Partitions that were left out have a newer owner. If it is one that was asleep when they were taken from it, it will
    /// never publish, and neither can we: they are given up here, and asked for anew.
    private func giveUpFenced(_ published: [TaskEntry]) {
        let fenced = underWay.filter { left in
            tasks[left.partition]?.task.epoch == left.epoch
                && !published.contains { $0.partition == left.partition && $0.epoch == left.epoch }
        }.map(\.partition)
        underWay = []
        if fenced.isEmpty { return }
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .fencedOwnerGoesOn { return }
        #endif
        snapshot.fencedEntries += UInt64(fenced.count)
        removeTasks(fenced)
        control.fenced(fenced)
    }

    // MARK: - Revoke

    /// Begins to let partitions go: publishes what was decided. Open traces are not decided, the next owner reads them again.
    /// With `lost` nothing of them is published: another worker owns them already.
    ///
    /// Until `continueRevoke` has given its answer, no record may be processed and no other revoke begun.
    package func beginRevoke(_ partitions: [PartitionID], lost: Bool, at time: WorkerTime) {
        #if TAILRACE_MUTATIONS
            let gone = ProtocolMutation.active == .lostPartitionIsPublished ? [] : lost ? partitions : []
        #else
            let gone = lost ? partitions : []
        #endif
        removeTasks(gone)
        cancelRestores(of: partitions)
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
            noteProgress(at: time)
            #if TAILRACE_MUTATIONS
                if ProtocolMutation.active == .rowsOfOldEpochKept {
                    removeTasks(revocation.partitions)
                    self.revocation = nil
                    return [:]
                }
            #endif
            if let group = takeHeldGroup() ?? makeGroup() {
                publish(group)
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
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .revokedTaskStays { return }
        #endif
        #if TAILRACE_MUTATIONS
            let all = tasks.keys.sorted()
            let partitions = ProtocolMutation.active == .revokeTakesEverything ? all : partitions
        #endif
        for partition in partitions {
            paused.remove(partition)
            if let owned = tasks.removeValue(forKey: partition) { departed.add(owned.task) }
        }
    }

    // MARK: - Figures

    /// Makes the snapshot say what is true now.
    package func renewSnapshot() {
        noteRestores()
        snapshot.departed = departed.counters
        snapshot.bufferedBytes = sinks.bufferedBytes
        snapshot.partitions = tasks.values.map { owned in
            let task = owned.task
            var figures = WorkerSnapshot.Partition(
                id: task.partition, epoch: task.epoch, position: task.position, watermark: owned.committedLow,
                streamTime: task.streamTime,
                watermarkTime: task.lanes.compactMap(\.ledger.streamTimeAtLow).min() ?? task.streamTime,
                counters: task.counters, gauges: task.gauges,
                imbalance: task.counters.imbalance(inWindow: task.openSpans))
            figures.budgets = task.lanes.map { ($0.name, $0.sampler.budgets) }
            return figures
        }
        var totals = departed
        for owned in tasks.values { totals.addFigures(of: owned.task) }
        snapshot.policies = totals.policies.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.scrubbed = totals.scrubbed.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
