import Synchronization

/// A task whose decisions are being read back: made by a worker's thread, filled by another one, and taken over when it is whole.
///
/// Up to 30 million decisions take seconds, in which the worker's other partitions must go on.
package final class TaskRestore: @unchecked Sendable {
    // Unchecked, since the task is not Sendable: it is handed over whole. From `TaskRestorer.restore` until the outcome is
    // reported only the thread that restores touches it; before and after that only the worker's.
    package let task: PartitionTask
    private let entry: TaskEntry
    private let oldest: Int64
    private let cancelled = Atomic<Bool>(false)
    private let decisions = Atomic<Int>(0)
    private let latest = Atomic<Int64>(.min)

    package struct Progress: Sendable, Equatable {
        package var decisions: Int
        /// 0…1, by the stream time of what has been read; nil where nothing has.
        package var share: Double?
    }

    struct Cancelled: Error {}

    /// - Parameter task: not used yet; given away with this call.
    init(_ task: PartitionTask, entry: TaskEntry) {
        self.task = task
        self.entry = entry
        oldest = task.decisionHorizonStart
    }

    package var partition: PartitionID { entry.partition }

    /// The partition has gone: what is read from here on is for nobody. Callable from any thread.
    package func cancel() { cancelled.store(true, ordering: .relaxed) }

    package var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// Callable from any thread.
    package var progress: Progress {
        let time = latest.load(ordering: .relaxed)
        let (length, isUnknown) = entry.streamTime.subtractingReportingOverflow(oldest)
        let share: Double? =
            time == .min || isUnknown || length <= 0 ? nil : min(1, max(0, Double(time - oldest) / Double(length)))
        return Progress(decisions: decisions.load(ordering: .relaxed), share: share)
    }

    /// Reads the decisions. Called once, by the thread that restores.
    ///
    /// - Parameter note: called with each block of decisions.
    /// - Throws: also when it was cancelled.
    package func perform(_ store: any DeliveryStore, note: () -> Void = {}) throws {
        try store.readDecisions(of: entry, since: oldest) { sampler, records in
            if isCancelled { throw Cancelled() }
            task.restoreDecisions(sampler: sampler, records)
            decisions.add(records.count, ordering: .relaxed)
            if let last = records.last { latest.store(max(last.decidedAt, oldest), ordering: .relaxed) }
            note()
        }
        if isCancelled { throw Cancelled() }
    }
}

/// What a worker asks of the thread that reads decisions back.
package protocol TaskRestorer: AnyObject, Sendable {
    /// Takes a task, and reports it to its worker (`WorkerCore.restored`) when it is whole or cannot be. Called for several tasks,
    /// which are restored one after the other.
    func restore(_ restore: TaskRestore)
}
