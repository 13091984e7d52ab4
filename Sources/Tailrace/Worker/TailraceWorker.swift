import Glibc
public import Pipeline
public import RemoteSampling
import Sampling
import Storage
import Synchronization
public import TraceModel

/// A worker process's pipeline with everything it needs: the store, the runner, metrics and health.
public final class TailraceWorker: Sendable {
    public struct Options: Sendable {
        /// Overrides the path of the segment sinks.
        public var storeDirectory: String?
        /// Threads that own tasks; one per core where nil, at most 8.
        public var threads: Int?
        /// Stands for the cluster's id where that says nothing: the embedded broker.
        public var clusterName: String?

        public init(storeDirectory: String? = nil, threads: Int? = nil, clusterName: String? = nil) {
            self.storeDirectory = storeDirectory
            self.threads = threads
            self.clusterName = clusterName
        }
    }

    public let storeDirectory: String
    let options: Options
    let runner: PipelineRunner
    let configuration = Mutex(ConfigurationStatus())
    private let keeper: StoreKeeper
    private let budgets: BudgetCoordinator
    let shared: SharedObjects
    private let remoteSampling: RemoteSamplingKeeper
    private let startedAt = WallClock.now()
    /// Tells tools that the store is in use.
    private let lock: FileLock

    /// - Parameter log: receives one line per event; callable from any thread.
    public init(plan: PipelinePlan, options: Options, log: @escaping @Sendable (String) -> Void) throws {
        self.options = options
        storeDirectory = options.storeDirectory ?? Self.storePath(of: plan) ?? "./data"
        let incarnation = Self.newIncarnation()
        var environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: storeDirectory, incarnation: incarnation, pipelineName: plan.name)
        environment.clusterName = options.clusterName
        shared = environment.shared
        let settings = Self.workerSettings(plan, threads: options.threads)
        let layout = StoreLayout(root: storeDirectory)
        let store = try FileDeliveryStore(layout: layout, incarnation: incarnation)
        lock = try WorkerLocks(layout: layout).acquire(incarnation)
        keeper = StoreKeeper(StoreCollector(layout: layout, incarnation: incarnation), log: log)
        remoteSampling = RemoteSamplingKeeper(
            shared, directory: storeDirectory + "/remote-sampling", pipeline: plan.name, incarnation: incarnation,
            log: log)
        remoteSampling.restore(plan)
        let pipelineName = plan.name
        runner = try PipelineRunner(
            plan: plan, settings: settings, environment: environment, store: store,
            deadLetters: { worker in
                DeadLetterSink(
                    path: "\(layout.deadLetters)/\(incarnation)-\(worker).jsonl", pipeline: pipelineName)
            }, log: log)
        budgets = BudgetCoordinator(runner: runner, worker: incarnation, log: log)
    }

    /// The plan in force.
    public var plan: PipelinePlan { runner.plan }

    public func start() throws {
        // Before the sources, so that the others know of this worker when its partitions come.
        try budgets.start()
        try runner.start()
        try keeper.start()
        try remoteSampling.start()
    }

    /// Drains: what is decided is stored and committed, the group is left. Blocks until done.
    public func stop() {
        keeper.stop()
        runner.stop()
        budgets.stop()
        remoteSampling.stop()
        lock.release()
    }

    /// Every source has ended by itself: files do, topics never.
    public var hasEnded: Bool { runner.hasEnded }

    /// Why the pipeline cannot go on; nil while it can.
    public var failure: String? { runner.failureMessage }

    /// A consistent picture of the counters, at most about a second old.
    public var totals: WorkerTotals { WorkerTotals(runner.snapshots) }

    /// The metrics in Prometheus' text format.
    public func metrics() -> String {
        WorkerMetrics(
            pipeline: plan.name, snapshots: runner.snapshots, sources: runner.sourceStatuses, startedAt: startedAt,
            partitioning: runner.partitioning, configuration: configuration.withLock { $0 },
            configurationHash: plan.configurationHash, removedFiles: keeper.removedFiles,
            budgets: budgets.statuses, remoteSampling: remoteSampling.services.map { ($0.name, $0.status) }
        )
        .render()
    }

    /// What clients of a service shall sample; nil where the pipeline has no stage `remote_sampling`.
    public func samplingStrategy(for service: String) -> SamplingStrategy? { remoteSampling.strategy(for: service) }

    /// The windows that hold a trace now; waits up to 2 s for the worker's threads.
    public func waiting(_ id: TraceID) -> [WaitingTrace] { runner.waiting(id) }

    public var health: WorkerHealth {
        WorkerHealth(
            failure: runner.failureMessage, dataLosses: runner.dataLosses, sources: runner.sourceStatuses,
            degradation: runner.snapshots.flatMap(\.degradation), storeDirectory: storeDirectory,
            partitioning: runner.partitioning, now: WallClock.now(), spillError: totals.gauges.spillError,
            budgets: budgets.statuses)
    }

    // MARK: -

    /// The path of the pipeline's segment sink.
    static func storePath(of plan: PipelinePlan) -> String? {
        plan.sinks.lazy.filter { plan.stages[$0].kind == "segments" }
            .compactMap { plan.stages[$0].settings.string("path") }.first
    }

    package static func workerSettings(_ plan: PipelinePlan, threads: Int?) -> WorkerSettings {
        var settings = WorkerSettings()
        settings.threads = max(1, threads ?? min(8, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let budget = plan.samplers.reduce(0) { $0 + TailSamplerStage.memoryBudget(plan.stages[$1].settings) }
        if budget > 0 { settings.memoryBudget = budget }
        for index in plan.sinks where plan.stages[index].kind == "segments" {
            let stage = plan.stages[index].settings
            settings.flushInterval = stage.duration("flush_interval") ?? settings.flushInterval
            settings.flushBytes = Int(stage.size("flush_bytes") ?? Int64(settings.flushBytes))
        }
        return settings
    }

    /// Host, process and moment: no two starts share it.
    private static func newIncarnation() -> String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let plain = host.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(32)
        return
            "\(plain)-\(getpid())-\(String(WallClock.now(), radix: 36))-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
    }
}

/// Sums over all threads and partitions of a worker.
public struct WorkerTotals: Sendable {
    public var counters = TaskCounters()
    public var gauges = SamplerGauges()
    public var keptByPolicy: [(policy: String, traces: UInt64)] = []
    public var flushes: UInt64 = 0
    public var imbalance: Int64 = 0

    init(_ snapshots: [WorkerSnapshot]) {
        var policies: [String: UInt64] = [:]
        var order: [String] = []
        for snapshot in snapshots {
            counters.add(snapshot.departed)
            flushes += snapshot.flushes
            for partition in snapshot.partitions {
                counters.add(partition.counters)
                gauges.add(partition.gauges)
                imbalance += partition.imbalance
            }
            for policy in snapshot.policies.flatMap(\.counters) where !policy.isSubpolicy {
                if policies[policy.name] == nil { order.append(policy.name) }
                policies[policy.name, default: 0] += policy.keptTraces
            }
        }
        keptByPolicy = order.map { ($0, policies[$0] ?? 0) }
    }
}

/// What `/healthz` and `/readyz` say of a worker.
public struct WorkerHealth: Sendable {
    public var isReady: Bool
    /// Name, `ok`, `degraded` or `down`, and one sentence.
    public var dependencies: [(name: String, state: String, detail: String)]

    init(
        failure: String?, dataLosses: [String], sources: [(name: String, status: SourceStatus)],
        degradation: [DegradationStep], storeDirectory: String,
        partitioning: [(source: String, status: PartitioningStatus)], now: Int64, spillError: String? = nil,
        budgets: [BudgetStatus] = []
    ) {
        dependencies = sources.map { source in
            let detail = source.status.lastError ?? (source.status.isConnected ? "" : "not connected yet")
            return (
                "source \(source.name)", source.status.isConnected ? "ok" : "down",
                source.status.isConnected ? "" : detail
            )
        }
        dependencies.append(
            Self.store(storeDirectory, degradation.filter { $0.cause != .memory }))
        if let step = degradation.last(where: { $0.cause == .memory }) {
            dependencies.append(("memory", "degraded", step.detail))
        }
        if let spillError { dependencies.append(("spill files", "degraded", spillError)) }
        if let failure { dependencies.append(("pipeline", "down", failure)) }
        for budget in budgets where budget.isStale {
            dependencies.append(
                (
                    "budget \(budget.sampler)/\(budget.policy)", "degraded",
                    "the workers' topic is out of reach, the budget is shared by partitions"
                        + (budget.problem.map { ": \($0)" } ?? "")
                ))
        }
        for loss in dataLosses { dependencies.append(("log", "degraded", loss)) }
        for (source, status) in partitioning where status.isSplit(now: now) {
            dependencies.append(
                (
                    "partitioning of \(source)", "degraded",
                    "\(status.splitTraces) of \(status.sampledTraces) sampled traces are in more than one partition and are "
                        + "decided in pieces; \(PartitioningStatus.remedy(source: source))"
                ))
        }
        isReady = !dependencies.contains { $0.state == "down" }
    }

    private static func store(
        _ directory: String, _ steps: [DegradationStep]
    ) -> (name: String, state: String, detail: String) {
        let worst = steps.last { $0.kind == .pause } ?? steps.last
        let state = worst.map { $0.kind == .pause ? "down" : "degraded" } ?? "ok"
        return ("store \(directory)", state, worst?.detail ?? "")
    }
}
