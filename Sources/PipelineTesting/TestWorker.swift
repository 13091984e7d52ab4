import Pipeline
import Storage
import Tailrace
import TraceModel

/// One start of a worker process: the shell that threads, queues and clocks are in production, over the same `WorkerCore`.
/// Nothing runs by itself: the test's clock says when.
final class TestWorker {
    private let core: WorkerCore
    private let store: FileDeliveryStore
    private let writer: HeldGroup
    private let control: Control
    private let topics: [TestTopic]
    private let book: DecisionBook
    private let sinks: [String: CapturingSink]
    private var positions: [PartitionID: Int64] = [:]
    /// Records are handed over in batches of at most so many, as a source does.
    private static let batchSize = 500

    /// Takes over every partition.
    init(_ world: TestWorld, incarnation: Int) throws {
        topics = world.topics
        book = world.book
        let name = "test-\(incarnation)"
        var environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: world.spillRoot, incarnation: name, pipelineName: world.plan.name)
        environment.clusterName = "test"
        store = try FileDeliveryStore(
            layout: StoreLayout(root: "store"), incarnation: name, fileSystem: world.fileSystem)
        control = Control(topics: world.topics)
        writer = HeldGroup(book: world.book)
        let restorer = HeldRestores()
        var sinks: [String: CapturingSink] = [:]
        var byIndex: [Int: any Sink] = [:]
        for index in world.plan.sinks {
            let stage = world.plan.stages[index]
            let sink = CapturingSink(
                name: stage.name, log: world.outputs,
                grouping: .trace(maximumBytes: .max), relay: world.relay(of: index),
                ignoresDropped: stage.definition.kind == "segments")
            sinks[stage.name] = sink
            byIndex[index] = sink
        }
        let deadLetters = CapturingSink(
            name: OverallExpectation.deadLetters, log: world.outputs, grouping: .record, relay: nil)
        sinks[OverallExpectation.deadLetters] = sinks[OverallExpectation.deadLetters] ?? deadLetters
        self.sinks = sinks
        core = WorkerCore(
            index: 0, plan: world.plan, settings: TailraceWorker.workerSettings(world.plan, threads: 1),
            environment: environment, sinks: WorkerSinks(sinks: byIndex, deadLetters: deadLetters), store: store,
            control: control, writer: writer, restorer: restorer, at: world.time)
        for topic in topics {
            guard let source = world.plan.index(of: topic.source) else { continue }
            let taskPlan = try TaskPlan.make(plan: world.plan, source: source, environment: environment)
            for (number, partition) in topic.partitionIDs.enumerated() {
                let restored = try store.acquire(partition)
                core.assign(
                    partition, restored, taskPlan, PartitionTask.Settings(taskPlan),
                    startOffset: restored.entry?.low ?? 0, at: world.time)
                try restorer.finish(core, store, at: world.time)
                positions[partition] = restored.startOffset ?? topic.committed[number]
                guard let task = core.task(partition) else { continue }
                task.observer = book
                // The observer wants summaries of dropped traces, also where no stage reads them.
                for lane in task.lanes { lane.wantsDropped = true }
            }
        }
        try control.check()
    }

    // MARK: - Time and records

    /// Reads what is there, says where nothing more is, and does what is due.
    func tick(at time: WorkerTime) throws {
        try read(at: time)
        for topic in topics {
            for (number, partition) in topic.partitionIDs.enumerated()
            where positions[partition] == topic.end(number) {
                core.reachedEnd(partition, at: time.monotonic)
            }
        }
        core.upkeep(at: time)
        try finishFlush(at: time)
        // What a repartition stage has sent is there at once.
        try read(at: time)
        try control.check()
    }

    private func read(at time: WorkerTime) throws {
        for topic in topics {
            for (number, partition) in topic.partitionIDs.enumerated() where !control.paused.contains(partition) {
                while let position = positions[partition], position < topic.end(number) {
                    let records = topic.partitions[number][Int(position)...].prefix(Self.batchSize)
                    let batch = TestBatch(partition, records)
                    core.process(batch, at: time)
                    batch.release()
                    positions[partition] = Int64(records.endIndex)
                    core.upkeep(at: time)
                    try finishFlush(at: time)
                    if control.paused.contains(partition) { break }
                }
            }
        }
    }

    /// Publishes the group that the worker has handed to its writer, and tells it so.
    private func finishFlush(at time: WorkerTime) throws {
        while let group = writer.take() {
            let entries = try store.publish(group, writer: 0)
            book.publish()
            core.finished(.published(entries, milliseconds: 0))
        }
    }

    /// Nothing waits in a window or a sink: time can pass in one go.
    var isIdle: Bool {
        sinks.values.allSatisfy { $0.bufferedBytes == 0 }
            && core.partitions.compactMap(core.task).allSatisfy { $0.openSpans == 0 && !$0.isDirty }
    }

    // MARK: - Flush and hand-over

    /// Publishes everything decided so far.
    func flush(at time: WorkerTime) throws { try revoke([], at: time) }

    /// Lets every partition go, as in a rebalance: what is decided is published, what is open is the next owner's.
    func handOver(at time: WorkerTime) throws { try revoke(core.partitions, at: time) }

    private func revoke(_ partitions: [PartitionID], at time: WorkerTime) throws {
        core.beginRevoke(partitions, lost: false, at: time)
        while true {
            if let offsets = core.continueRevoke(at: time) {
                control.commit(offsets, wait: true)
                return try control.check()
            }
            try finishFlush(at: time)
        }
    }

    // MARK: - What can be seen

    /// The worker's figures now.
    var snapshot: WorkerSnapshot {
        core.renewSnapshot()
        return core.snapshot
    }

    /// Its figures when it has ended: nothing is open any more, nothing owned.
    var lastSnapshot: WorkerSnapshot {
        var last = snapshot
        for partition in last.partitions { last.departed.add(partition.counters) }
        last.partitions = []
        last.bufferedBytes = 0
        last.degradation = []
        last.isPaused = false
        return last
    }

    func waiting(_ trace: TraceID) -> [WaitingTrace] { core.waiting(trace) }

    /// What a sink was given since its last flush.
    func buffered(in sink: String) -> [OutputItem] { sinks[sink]?.items ?? [] }

    /// The writer: holds the group until the test publishes it.
    private final class HeldGroup: GroupWriter, @unchecked Sendable {
        // Used by the thread that runs the test only, hence the unchecked Sendable.
        private var group: CommitGroup?
        private let book: DecisionBook

        init(book: DecisionBook) { self.book = book }

        /// Called when the group has just been sealed: what is decided from here on is not in it.
        func publish(_ group: CommitGroup) {
            self.group = group
            book.seal()
        }

        func take() -> CommitGroup? {
            defer { group = nil }
            return group
        }
    }

    /// Reads decisions back at once.
    private final class HeldRestores: TaskRestorer, @unchecked Sendable {
        // Used by the thread that runs the test only, hence the unchecked Sendable.
        private var waiting: [TaskRestore] = []

        func restore(_ restore: TaskRestore) { waiting.append(restore) }

        func finish(_ core: WorkerCore, _ store: FileDeliveryStore, at time: WorkerTime) throws {
            for restore in waiting {
                try restore.perform(store)
                core.restored(restore, failure: nil, milliseconds: 0, at: time)
            }
            waiting = []
        }
    }

    /// The process around the worker.
    private final class Control: WorkerControl, @unchecked Sendable {
        // Used by the thread that runs the test only, hence the unchecked Sendable.
        private let topics: [TestTopic]
        private(set) var paused: Set<PartitionID> = []
        private var failure: (any Error)?

        init(topics: [TestTopic]) { self.topics = topics }

        func check() throws {
            if let failure { throw failure }
        }

        func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) {
            for (partition, offset) in offsets {
                guard let topic = topics.first(where: { $0.name == partition.topic }) else { continue }
                topic.committed[Int(partition.partition)] = offset.offset
            }
        }

        func setPaused(_ isPaused: Bool, _ partitions: [PartitionID], worker: Int, for reason: PauseReason) {
            // Nothing comes before a partition is restored.
            if reason == .restoring { return }
            if isPaused { paused.formUnion(partitions) } else { paused.subtract(partitions) }
        }

        func fenced(_ partitions: [PartitionID]) {}
        /// A test's log loses nothing.
        func dataLoss(_ partition: PartitionID, from: Int64, to: Int64, explanation: String) {
            failed(StageError("\(partition): \(explanation)"))
        }
        func failed(_ error: any Error) { failure = failure ?? error }
        func log(_ message: String) {}
    }
}
