/// Taking partitions over.
extension WorkerCore {
    /// A partition whose decisions are being read back: there is a task, but not here.
    struct Restoring {
        let restore: TaskRestore
        /// A reload came meanwhile.
        var isOutdated = false
    }

    /// Takes a partition over. Where its task has decisions to remember, it begins when they have been read (`restored`): until
    /// then the partition is to be paused (`RestoredTask.hasDecisions`), and what comes of it all the same is to be kept.
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
            #if TAILRACE_MUTATIONS
                let entry = ProtocolMutation.active == .decisionsNotRestored ? nil : restored.entry
            #else
                let entry = restored.entry
            #endif
            guard let entry, restored.hasDecisions else { return own(task, at: time) }
            cancelRestores(of: [partition])
            let restore = TaskRestore(task, entry: entry)
            restoring[partition] = Restoring(restore: restore)
            restorer.restore(restore)
        } catch {
            control.failed(StageError("cannot take over \(partition): \(error)"))
        }
    }

    /// Whether what comes of a partition must wait.
    package func isRestoring(_ partition: PartitionID) -> Bool { restoring[partition] != nil }

    /// The task of a partition that is being restored; for the simulator's checks.
    package func comingTask(_ partition: PartitionID) -> PartitionTask? { restoring[partition]?.restore.task }

    /// Hears what became of a task that was to be restored. One whose partition has gone, or came back with another epoch, is
    /// let go.
    ///
    /// - Parameter failure: why its decisions cannot be read; nil where they have been.
    package func restored(_ restore: TaskRestore, failure: String?, milliseconds: Int64, at time: WorkerTime) {
        let partition = restore.partition
        guard let waiting = restoring[partition], waiting.restore === restore else { return }
        restoring[partition] = nil
        finishedRestores.decisions += UInt64(restore.progress.decisions)
        finishedRestores.milliseconds += UInt64(max(0, milliseconds))
        if let failure { return control.failed(StageError("cannot take over \(partition): \(failure)")) }
        let task = restore.task
        do {
            if waiting.isOutdated, let current = reloaded[task.settings.sourceName] {
                try task.adopt(current.plan, settings: current.settings, environment: environment, sinks: sinks)
            }
            own(task, at: time)
        } catch {
            control.failed(StageError("cannot take over \(partition): \(error)"))
        }
    }

    private func own(_ task: PartitionTask, at time: WorkerTime) {
        let partition = task.partition
        task.take(budgetShares)
        tasks[partition] = Owned(
            task: task, lastRecordAt: time.monotonic, lastRecordStreamTime: task.streamTime,
            committedLow: task.position)
        control.setPaused(false, [partition], worker: index, for: .restoring)
    }

    /// What is not restored yet goes with its partition: it has published nothing, and never will.
    func cancelRestores(of partitions: [PartitionID]) {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .restoreNotCancelled { return }
        #endif
        for partition in partitions { restoring.removeValue(forKey: partition)?.restore.cancel() }
    }

    /// The worker ends.
    package func cancelRestores() { cancelRestores(of: Array(restoring.keys)) }

    func noteRestores() {
        snapshot.restoringPartitions = restoring.count
        snapshot.restoredDecisions = restoring.values.reduce(finishedRestores.decisions) {
            $0 + UInt64($1.restore.progress.decisions)
        }
        snapshot.restoreMilliseconds = finishedRestores.milliseconds
    }
}
