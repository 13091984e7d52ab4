import Glibc
import Pipeline
import Storage

/// One start of a worker: the production code of a worker process between a simulated broker and a simulated disk.
///
/// What runs inside is real: `FileDeliveryStore` over `LocalFileSystem`, `SegmentSink`, `DeadLetterSink`, `WorkerCore` with
/// its tasks, ledgers, samplers. Simulated is what is around it: time, threads, signals, system calls.
final class SimulatedProcess: StepGate, WorkerControl, @unchecked Sendable {
    enum State {
        case running
        /// Stopped by a signal: nothing of it runs until it is continued.
        case frozen
        case dead
    }

    let name: String
    let place: Int
    unowned let world: Simulation
    private(set) var state = State.running
    /// It drains and ends.
    private(set) var isTerminating = false
    private(set) var consumers: [SimulatedConsumer] = []
    private(set) var threads: [WorkerShell] = []
    private(set) var steps = 0
    /// Set while production code runs that holds the worker's thread: no other event of the process may come between.
    private var isAtomic = false
    /// It died in the middle of the call at hand.
    private var isTorn = false
    private var deferred: [() -> Void] = []
    private var frozen: [Coroutine] = []
    private(set) var version: Int
    /// What is going on, in each coroutine and (nil) outside of them.
    private var actions: [ObjectIdentifier?: ProtocolAction] = [:]
    private var collector: StoreCollector?
    private var isCollecting = false
    private var lastCollection: Int64 = 0
    /// It dies at its next step, before that is done: right after the one before.
    var diesNext: (() -> Void)?

    init(name: String, place: Int, version: Int, world: Simulation) {
        self.name = name
        self.place = place
        self.version = version
        self.world = world
    }

    // MARK: - Life

    /// Opens the store and joins the group. Runs in a coroutine: opening makes directories.
    func start() {
        world.scheduler.start { [self] in
            do {
                try perform(.open) { try open() }
                tick()
            } catch {
                failed(error)
            }
        }
    }

    private func open() throws {
        let fileSystem = LocalFileSystem(calls: SimulatedCalls(disk: world.disk, gate: self))
        let layout = Simulation.layout
        let store = ObservedStore(
            store: try FileDeliveryStore(layout: layout, incarnation: name, fileSystem: fileSystem), process: self)
        let plan = try world.pipeline.plan(version: version)
        world.pipeline.add(self)
        for index in 0..<world.plan.threads {
            threads.append(
                WorkerShell(
                    process: self, index: index, plan: plan, sinks: sinks(plan, index, fileSystem), store: store,
                    environment: environment))
        }
        for source in try world.pipeline.sources(of: plan) {
            consumers.append(
                SimulatedConsumer(
                    process: self, store: store, broker: source.isOuter ? world.outerBroker : world.broker,
                    settings: source.settings, taskPlan: try taskPlan(plan, source)))
        }
        if world.plan.collects {
            var settings = StoreCollector.Settings()
            settings.grace = Simulation.collectorGrace
            settings.decisionRetention = 1000
            collector = StoreCollector(layout: layout, incarnation: name, settings: settings, fileSystem: fileSystem)
        }
    }

    private var environment: StageEnvironment {
        StageEnvironment(
            workingDirectory: ".", storeDirectory: Simulation.layout.root, incarnation: name,
            pipelineName: SimulatedPipeline.name)
    }

    private func taskPlan(_ plan: PipelinePlan, _ source: SimulatedPipeline.Source) throws -> TaskPlan {
        try TaskPlan.make(plan: plan, source: source.stage, environment: environment)
    }

    private func sinks(_ plan: PipelinePlan, _ index: Int, _ fileSystem: LocalFileSystem) -> WorkerSinks {
        let layout = Simulation.layout
        var sinks: [Int: any Sink] = [:]
        if let stage = plan.index(of: "out") {
            sinks[stage] = SegmentSink(
                layout: layout, incarnation: name, thread: index, fileSystem: fileSystem, compressionLevel: 1)
        }
        if let stage = plan.index(of: "rekey") {
            sinks[stage] = RepartitionSink(
                topic: SimulatedInternalTopic(process: self),
                maximumRecordBytes: world.plan.largestTrace % 2 == 0 ? 150 : 1 << 20)
        }
        return WorkerSinks(
            sinks: sinks,
            deadLetters: DeadLetterSink(
                path: "\(layout.deadLetters)/\(name)-\(index).jsonl", pipeline: SimulatedPipeline.name,
                fileSystem: fileSystem))
    }

    /// The consumer of a partition's topic.
    func consumer(of partition: PartitionID) -> SimulatedConsumer? {
        consumers.first { $0.partitions.contains(partition) }
    }

    /// SIGKILL. With `tearing` in the middle of the system call at hand: a part of it may be done.
    func kill(tearing: Bool = false) {
        guard state != .dead else { return }
        state = .dead
        isTorn = tearing
        deferred = []
        let waiting = frozen
        frozen = []
        // Their calls fail, so they end.
        for coroutine in waiting { world.scheduler.after(0) { [world] in world.scheduler.resume(coroutine) } }
        world.died(self)
    }

    /// SIGSTOP, and SIGCONT later.
    func freeze(for duration: Int64) {
        guard state == .running else { return }
        state = .frozen
        world.scheduler.after(duration) { [weak self] in self?.thaw() }
    }

    func thaw() {
        guard state == .frozen else { return }
        state = .running
        let events = deferred
        let waiting = frozen
        deferred = []
        frozen = []
        for event in events { world.scheduler.after(0) { [self] in run(event) } }
        for coroutine in waiting { world.scheduler.after(0) { [world] in world.scheduler.resume(coroutine) } }
    }

    /// SIGTERM.
    func terminate() {
        guard state != .dead, !isTerminating else { return }
        isTerminating = true
    }

    /// SIGHUP with another policy file.
    func reload(version: Int) {
        after(0) { [self] in
            do {
                guard !threads.isEmpty, threads.allSatisfy({ !$0.isRevoking }), !isTerminating else { return }
                self.version = version
                let plan = try world.pipeline.plan(version: version)
                var reload: [String: (TaskPlan, PartitionTask.Settings)] = [:]
                for source in try world.pipeline.sources(of: plan) {
                    let taskPlan = try taskPlan(plan, source)
                    reload[source.settings.sourceName] = (taskPlan, source.settings)
                    for consumer in consumers where consumer.settings.sourceName == source.settings.sourceName {
                        consumer.taskPlan = taskPlan
                    }
                }
                perform(.reload) {
                    _ = take(.reload, "")
                    world.reach(.reloaded)
                    if state == .running { for thread in threads { thread.reload(plan, reload) } }
                }
            } catch {
                failed(error)
            }
        }
    }

    /// Called when the partitions of a consumer are gone: when all are, waits for the writers, then ends.
    func drained() {
        guard consumers.allSatisfy(\.hasLeft) else { return }
        for thread in threads { thread.writer.stop() }
        endWhenWritersAre()
    }

    private func endWhenWritersAre() {
        if threads.allSatisfy(\.writer.hasEnded) { return kill() }
        after(20_000) { [self] in endWhenWritersAre() }
    }

    // MARK: - Events

    /// Lets something happen in this process after some time; not while it is frozen, and not when it is dead.
    func after(_ microseconds: Int64, _ body: @escaping () -> Void) {
        world.scheduler.after(microseconds) { [self] in run(body) }
    }

    private func run(_ body: @escaping () -> Void) {
        switch state {
        case .running: body()
        case .frozen: deferred.append(body)
        case .dead: break
        }
    }

    /// What the worker's and the source's threads do every so often.
    private func tick() {
        guard state == .running else { return }
        for thread in threads { thread.upkeep() }
        for consumer in consumers where state == .running { consumer.poll() }
        collectIfDue()
        after(world.plan.tickInterval) { [self] in tick() }
    }

    /// What `StoreKeeper` does on its thread.
    private func collectIfDue() {
        guard let collector, state == .running, !isCollecting, !isTerminating,
            world.scheduler.now - lastCollection > Simulation.collectorInterval
        else { return }
        isCollecting = true
        world.scheduler.start { [self] in
            perform(.collect) {
                do {
                    _ = take(.collect, "")
                    let outcome = try collector.collect(now: time.wall)
                    if let problem = outcome.problem { log("nothing is collected: \(problem)") }
                } catch {
                    log("cannot collect: \(error)")
                }
            }
            lastCollection = world.scheduler.now
            isCollecting = false
        }
    }

    /// Runs a part of the protocol: steps are named after it.
    func perform<Result>(_ action: ProtocolAction, _ body: () throws -> Result) rethrows -> Result {
        let place = world.scheduler.running.map { ObjectIdentifier($0) }
        let outer = actions[place]
        actions[place] = action
        defer { actions[place] = outer }
        return try body()
    }

    /// What the step at hand belongs to.
    var action: ProtocolAction { actions[world.scheduler.running.map { ObjectIdentifier($0) }] ?? .process }

    /// Runs code that holds the thread: time stands still for it.
    func atomically(_ body: () -> Void) {
        let outer = isAtomic
        isAtomic = true
        defer { isAtomic = outer }
        body()
    }

    var time: WorkerTime {
        WorkerTime(wall: world.plan.wall(at: world.scheduler.now), monotonic: world.scheduler.now / 1000)
    }

    // MARK: - StepGate

    var isAlive: Bool { state != .dead }

    func take(_ step: Step, _ path: String) -> Int32? {
        guard state != .dead else {
            isTorn = false
            return EIO
        }
        if let dies = diesNext {
            diesNext = nil
            dies()
            if state == .dead { return EIO }
        }
        steps += 1
        world.took(step, path, by: self)
        if state == .dead { return EIO }
        if !isAtomic, world.scheduler.running != nil {
            world.scheduler.sleep(world.latency(of: step))
            while state == .frozen, let coroutine = world.scheduler.running {
                frozen.append(coroutine)
                world.scheduler.park()
            }
        }
        if state == .dead { return EIO }
        return world.failure(of: step, by: self)
    }

    func part(of count: Int) -> Int {
        if state == .dead, !isTorn { return 0 }
        isTorn = false
        return world.random.pick(0...count)
    }

    func space() -> StoreSpace? { world.space() }

    func isCutShort() -> Bool { world.random.chance(2) }

    func changed(_ path: String) { world.oracle.changed(path) }

    func removed(_ path: String) { world.oracle.removed(path, by: self) }

    // MARK: - WorkerControl

    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) {
        for consumer in consumers {
            consumer.commit(offsets.filter { consumer.partitions.contains($0.key) }, wait: wait)
        }
    }

    func setPaused(_ isPaused: Bool, _ partitions: [PartitionID], worker: Int, for reason: PauseReason) {
        for consumer in consumers {
            consumer.setPaused(isPaused, partitions.filter(consumer.partitions.contains), for: reason)
        }
    }

    func fenced(_ partitions: [PartitionID]) {
        world.note("\(name): another worker has taken over \(partitions)")
        world.reach(.fenced)
        for consumer in consumers where partitions.contains(where: consumer.partitions.contains) { consumer.rejoin() }
    }

    func dataLoss(_ partition: PartitionID, from: Int64, to: Int64, explanation: String) {
        world.reach(.cutNoticed)
        world.note("\(name): data loss detected: \(partition) offsets \(from) to \(to): \(explanation)")
        world.oracle.cutNoticedAt[partition] = world.scheduler.now
        world.oracle.reportedLoss(partition, from: from, to: to)
    }

    /// The pipeline cannot go on: the process ends, and is started again as a supervisor would.
    func failed(_ error: any Error) {
        world.note("\(name) ends: \(error)")
        kill()
    }

    func log(_ message: String) { world.note("\(name): \(message)") }
}
