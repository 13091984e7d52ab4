import Synchronization
public import TraceModel

/// Runs a pipeline: its sources on threads of their own, its tasks on worker threads, its flushes on writer threads.
///
/// `start` returns at once; `stop` drains: decided traces are stored, the watermark is committed, the group is left.
public final class PipelineRunner: @unchecked Sendable {
    private let settings: WorkerSettings
    private let environment: StageEnvironment
    private let store: any DeliveryStore
    private let logger: @Sendable (String) -> Void
    private var workers: [WorkerThread] = []
    /// Changed by a reload only.
    private let parts: Mutex<Parts>
    private let failure = Mutex<String?>(nil)
    private let losses = Mutex(LatestMessages(limit: 20))
    private let routes = Mutex<[PartitionID: Route]>([:])
    /// Sources are told under the lock, so that the last word is the right one.
    private let pauses = Mutex(PartitionPauses())

    private struct Parts {
        var plan: PipelinePlan
        var hosts: [SourceHostAdapter] = []
    }

    struct Route {
        let worker: Int
        let source: any Source
    }

    /// - Parameter deadLetters: makes the sink for rejects that no stage reads, one per worker thread.
    public init(
        plan: PipelinePlan, settings: WorkerSettings, environment: StageEnvironment, store: any DeliveryStore,
        deadLetters: (_ worker: Int) throws -> any Sink, log: @escaping @Sendable (String) -> Void
    ) throws {
        parts = Mutex(Parts(plan: plan))
        self.settings = settings
        self.environment = environment
        self.store = store
        logger = log
        let control = Control(runner: self)
        for index in 0..<max(1, settings.threads) {
            var environment = environment
            environment.worker = index
            let sinks = try WorkerSinks(plan: plan, environment: environment, deadLetters: try deadLetters(index))
            workers.append(
                try WorkerThread(
                    index: index, plan: plan, settings: settings, environment: environment, sinks: sinks, store: store,
                    control: control))
        }
        for index in plan.sources {
            let host = try makeHost(plan, index)
            parts.withLock { $0.hosts.append(host) }
        }
    }

    private func makeHost(_ plan: PipelinePlan, _ index: Int) throws -> SourceHostAdapter {
        let stage = plan.stages[index]
        guard case .source(let make) = stage.definition.make else {
            throw StageError("stage \(stage.name) is no source")
        }
        return SourceHostAdapter(
            source: try make(stage.settings, environment),
            taskPlan: try TaskPlan.make(plan: plan, source: index, environment: environment), runner: self)
    }

    private var hosts: [SourceHostAdapter] { parts.withLock { $0.hosts } }

    /// The plan in force.
    public var plan: PipelinePlan { parts.withLock { $0.plan } }

    public func start() throws {
        for host in hosts { try host.start() }
    }

    // MARK: - Reload

    /// Takes over a new plan: everything in it is made first, so that one that cannot run changes nothing. Then each worker
    /// swaps at a batch boundary, with its windows, decisions and offsets; sources that changed stop before and start after.
    ///
    /// Calls must not overlap.
    /// - Throws: when a stage cannot be made; the old plan goes on.
    public func reload(_ new: PipelinePlan, settings: WorkerSettings) throws {
        let old = plan
        try PlanReload.tryStages(of: new, environment: environment)
        var made: [SourceHostAdapter] = []
        var kept: [(host: SourceHostAdapter, plan: TaskPlan)] = []
        for index in new.sources {
            let name = new.stages[index].name
            if PlanDifference.isSame(name, in: old, and: new), let host = hosts.first(where: { $0.name == name }) {
                kept.append((host, try TaskPlan.make(plan: new, source: index, environment: environment)))
            } else {
                made.append(try makeHost(new, index))
            }
        }
        let changedSinks = new.sinks.filter { !PlanDifference.isSame(new.stages[$0].name, in: old, and: new) }
        var reloads: [PlanReload] = []
        for index in workers.indices {
            var own = environment
            own.worker = index
            reloads.append(
                PlanReload(
                    plan: new, taskPlans: [:], taskSettings: [:], settings: settings,
                    madeSinks: try WorkerSinks.make(changedSinks, new, own)))
        }
        // From here on nothing is refused. Sources that go take their tasks with them: decided traces are stored, open ones are
        // read again by whoever reads their partitions next.
        let leaving = hosts.filter { host in !kept.contains { $0.host === host } }
        for host in leaving { host.source.stop() }
        for host in leaving { host.join() }
        parts.withLock {
            $0.plan = new
            $0.hosts = kept.map(\.host) + made
        }
        var waiting: [Completion<Void>] = []
        for index in workers.indices {
            var reload = reloads[index]
            for (host, plan) in kept {
                reload.taskPlans[host.name] = plan
                reload.taskSettings[host.name] = SourceHostAdapter.taskSettings(plan, host.partitioningCheck)
            }
            let completion = Completion<Void>()
            workers[index].send(.reload(reload, completion))
            waiting.append(completion)
        }
        // After the messages: a task that is assigned with the new plan must find the new sinks. One that is assigned with the old
        // plan meanwhile is put right by its worker.
        for (host, plan) in kept { host.adopt(plan) }
        for completion in waiting where completion.wait(timeout: 30_000) == nil {
            log("a worker is slow to take over the new configuration; it will when it has finished what is at hand")
        }
        for host in made { try host.start() }
    }

    /// Drains and ends all threads.
    public func stop() {
        for host in hosts { host.source.stop() }
        for host in hosts { host.join() }
        for worker in workers { worker.stop() }
    }

    /// Every source has ended by itself: files do, topics never.
    public var hasEnded: Bool { hosts.allSatisfy(\.hasEnded) }

    /// Why the pipeline cannot go on; nil while it can.
    public var failureMessage: String? { failure.withLock { $0 } }

    /// The latest gaps that were found in the logs.
    public var dataLosses: [String] { losses.withLock { $0.lines } }

    public var snapshots: [WorkerSnapshot] { workers.map(\.latestSnapshot) }

    public var sourceStatuses: [(name: String, status: SourceStatus)] {
        hosts.map { ($0.name, $0.source.status) }
    }

    /// The windows that hold a trace now. Each worker thread is asked between two batches of records; one that does not
    /// answer within `timeout` milliseconds is left out.
    public func waiting(_ id: TraceID, timeout: Int = 2000) -> [WaitingTrace] {
        let answers = workers.map { worker in
            let completion = Completion<[WaitingTrace]>()
            worker.send(.find(id, completion))
            return completion
        }
        let deadline = WallClock.monotonic() + Int64(timeout)
        return answers.flatMap { $0.wait(timeout: max(0, Int(deadline - WallClock.monotonic()))) ?? [] }
    }

    /// What is known about the keys of the sources' topics; of checked sources only.
    public var partitioning: [(source: String, status: PartitioningStatus)] {
        hosts.compactMap { host in host.partitioningCheck.map { (host.name, $0.status) } }
    }

    // MARK: - For the hosts

    /// Puts partitions on threads round robin, in their order.
    func assign(_ partitions: [PartitionID], host: SourceHostAdapter) throws -> [PartitionID: Int64] {
        var starts: [PartitionID: Int64] = [:]
        let tasks = host.currentTasks
        noteNewcomers(host, count: partitions.count)
        for partition in partitions.sorted() {
            let restored = try store.acquire(partition)
            if let start = restored.startOffset { starts[partition] = start }
            let worker = routes.withLock { routes in
                let load = workers.indices.map { index in routes.values.filter { $0.worker == index }.count }
                let least = load.indices.min { load[$0] < load[$1] } ?? 0
                routes[partition] = Route(worker: least, source: host.source)
                return least
            }
            pauses.withLock { $0.forget([partition]) }
            // Until its worker has its decisions; the other partitions go on.
            if restored.hasDecisions { setPaused(true, [partition], for: .restoring) }
            // Without an entry the first record says where the partition starts.
            workers[worker].send(
                .assign(partition, restored, tasks.plan, tasks.settings, startOffset: restored.entry?.low ?? 0))
        }
        return starts
    }

    func revoke(_ partitions: [PartitionID], lost: Bool, host: SourceHostAdapter) {
        let byWorker = routes.withLock { routes in
            let grouped = Dictionary(grouping: partitions.filter { routes[$0] != nil }) { routes[$0]?.worker ?? 0 }
            for partition in partitions { routes[partition] = nil }
            return grouped
        }
        var waiting: [Completion<[PartitionID: CommittedOffset]>] = []
        for (worker, partitions) in byWorker {
            let completion = Completion<[PartitionID: CommittedOffset]>()
            workers[worker].send(.revoke(partitions, lost: lost, completion))
            waiting.append(completion)
        }
        var offsets: [PartitionID: CommittedOffset] = [:]
        defer { pauses.withLock { $0.forget(partitions) } }
        for completion in waiting {
            // The worker keeps the deadline itself; the second is for what it had at hand when asked.
            guard let answer = completion.wait(timeout: settings.revokeDeadline + 1000) else {
                log("a worker did not let its partitions go in time; they are read again by their next owner")
                continue
            }
            offsets.merge(answer) { $1 }
        }
        if !lost, !offsets.isEmpty {
            do { try host.source.commit(offsets, wait: true) } catch { log("cannot commit offsets: \(error)") }
        }
    }

    func deliver(_ batch: any RecordBatch) {
        guard let worker = routes.withLock({ $0[batch.partition]?.worker }) else {
            batch.release()
            return
        }
        workers[worker].send(.records(batch))
        // Back-pressure: the source's thread waits here for at most as long as the worker needs to catch up; Kafka keeps
        // what is not fetched. Bounded, since the source must go on polling to stay in its group.
        var waited = 0
        while workers[worker].waitingBytes > settings.queueBytes, waited < 2000 {
            NamedThread.pause(milliseconds: 2)
            waited += 2
        }
        if workers[worker].waitingBytes > settings.queueBytes { throttle(worker) }
    }

    /// Pauses a worker's partitions until its queue has been worked off.
    private func throttle(_ worker: Int) {
        setPaused(true, partitions(of: worker), for: .throttled)
        throttled.withLock { _ = $0.insert(worker) }
    }

    private let throttled = Mutex<Set<Int>>([])

    // MARK: - Budgets that tasks hold together

    private let budgetShares = Mutex(BudgetShares())

    /// The partitions that may feed a sampler, whoever reads them; nil while not all of its sources know how many they have.
    package func partitionCount(ofSampler name: String) -> Int? {
        var sum = 0
        for host in hosts {
            let taskPlan = host.currentTasks.plan
            guard let index = taskPlan.plan.index(of: name), taskPlan.stages.contains(index) else { continue }
            guard let count = host.source.status.partitionCount else { return nil }
            sum += count
        }
        return sum > 0 ? sum : nil
    }

    /// Hands tasks their parts, also those that come later. Callable from any thread.
    package func share(_ shares: [BudgetShares.Key: Double], debts: [BudgetShares.Key: Double]) {
        changeShares { current in
            current.shares = shares
            current.debts = debts
            for sampler in current.newcomers.keys {
                if let count = partitionCount(ofSampler: sampler) { current.newcomers[sampler] = 1 / Double(count) }
            }
        }
    }

    /// A task that comes must not begin with a whole budget.
    private func noteNewcomers(_ host: SourceHostAdapter, count: Int) {
        let taskPlan = host.currentTasks.plan
        changeShares { current in
            for stage in taskPlan.stages where taskPlan.plan.stages[stage].role == .sampler {
                let name = taskPlan.plan.stages[stage].name
                current.newcomers[name] = 1 / Double(max(1, partitionCount(ofSampler: name) ?? count))
            }
        }
    }

    private func changeShares(_ change: (inout BudgetShares) -> Void) {
        budgetShares.withLock { current in
            let before = current
            change(&current)
            guard current != before else { return }
            // Under the lock, so that all workers get the tables in the same order.
            for worker in workers { worker.send(.budgetShares(current)) }
        }
    }

    func releaseThrottled() {
        let ready = throttled.withLock { throttled in
            let ready = throttled.filter { workers[$0].waitingBytes < settings.queueBytes / 2 }
            throttled.subtract(ready)
            return ready
        }
        for worker in ready { setPaused(false, partitions(of: worker), for: .throttled) }
    }

    func reachedEnd(_ partition: PartitionID) {
        guard let worker = routes.withLock({ $0[partition]?.worker }) else { return }
        workers[worker].send(.reachedEnd(partition, at: WallClock.monotonic()))
    }

    func ended(_ partition: PartitionID) {
        guard let worker = routes.withLock({ $0[partition]?.worker }) else { return }
        workers[worker].send(.ended(partition))
    }

    /// The log goes on at a lower offset: it was recreated or cut.
    func logRestarted(_ partition: PartitionID, at offset: Int64) {
        guard let worker = routes.withLock({ $0[partition]?.worker }) else { return }
        workers[worker].send(.logRestarted(partition, at: offset))
    }

    func dataLoss(_ partition: PartitionID, from: Int64, to: Int64, explanation: String) {
        let message = "data loss detected: \(partition) offsets \(from) to \(to): \(explanation)"
        losses.withLock { $0.append(message) }
        log(message)
    }

    /// Somebody else's epoch is newer: the sources leave their groups and join again, which settles who owns what.
    func fenced(_ partitions: [PartitionID]) {
        let names = partitions.sorted().map(\.description).joined(separator: ", ")
        log("another worker has taken over \(names); joining the group again")
        for host in hosts {
            if routes.withLock({ routes in partitions.contains { routes[$0]?.source === host.source } }) {
                host.source.rejoin()
            }
        }
    }

    func fail(_ message: String) {
        let isFirst = failure.withLock { failure in
            if failure != nil { return false }
            failure = message
            return true
        }
        if isFirst { log(message) }
    }

    func log(_ message: String) { logger(message) }

    private func partitions(of worker: Int) -> [PartitionID] {
        routes.withLock { routes in routes.filter { $0.value.worker == worker }.map(\.key) }
    }

    func setPaused(_ isPaused: Bool, _ partitions: [PartitionID], for reason: PauseReason) {
        let hosts = hosts
        pauses.withLock { pauses in
            let owned = routes.withLock { routes in partitions.filter { routes[$0] != nil } }
            let changed = isPaused ? pauses.pause(owned, for: reason) : pauses.resume(owned, for: reason)
            for host in hosts {
                let own = routes.withLock { routes in changed.filter { routes[$0]?.source === host.source } }
                if own.isEmpty { continue }
                if isPaused { host.source.pause(own) } else { host.source.resume(own) }
            }
        }
    }

    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) {
        for host in hosts {
            let own = offsets.filter { offset in
                routes.withLock { $0[offset.key]?.source === host.source }
            }
            if own.isEmpty { continue }
            do { try host.source.commit(own, wait: wait) } catch { log("cannot commit offsets: \(error)") }
        }
    }

    /// Breaks the circle between the runner and its workers.
    private final class Control: WorkerControl {
        private weak let runner: PipelineRunner?

        init(runner: PipelineRunner) { self.runner = runner }

        func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) { runner?.commit(offsets, wait: wait) }

        func setPaused(_ isPaused: Bool, _ partitions: [PartitionID], worker: Int, for reason: PauseReason) {
            runner?.setPaused(isPaused, partitions, for: reason)
        }

        func fenced(_ partitions: [PartitionID]) { runner?.fenced(partitions) }

        func dataLoss(_ partition: PartitionID, from: Int64, to: Int64, explanation: String) {
            runner?.dataLoss(partition, from: from, to: to, explanation: explanation)
        }

        func failed(_ error: any Error) { runner?.fail(String(describing: error)) }

        func log(_ message: String) { runner?.log(message) }
    }
}
