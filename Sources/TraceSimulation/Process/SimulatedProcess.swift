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
    private(set) var consumer: SimulatedConsumer?
    private(set) var threads: [WorkerShell] = []
    private(set) var steps = 0
    /// Set while production code runs that holds the worker's thread: no other event of the process may come between.
    private var isAtomic = false
    /// It died in the middle of the call at hand.
    private var isTorn = false
    private var deferred: [() -> Void] = []
    private var frozen: [Coroutine] = []
    private(set) var version: Int

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
                try open()
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
        let plan = try world.pipeline(version: version)
        let environment = StageEnvironment(
            workingDirectory: ".", storeDirectory: layout.root, incarnation: name,
            pipelineName: SimulatedPipeline.name)
        let taskPlan = try TaskPlan.make(plan: plan, source: plan.sources[0], environment: environment)
        for index in 0..<world.plan.threads {
            let sinks = WorkerSinks(
                sinks: [
                    plan.sinks[0]: SegmentSink(
                        layout: layout, incarnation: name, thread: index, fileSystem: fileSystem, compressionLevel: 1)
                ],
                deadLetters: DeadLetterSink(
                    path: "\(layout.deadLetters)/\(name)-\(index).jsonl", pipeline: SimulatedPipeline.name,
                    fileSystem: fileSystem))
            threads.append(
                WorkerShell(
                    process: self, index: index, plan: plan, sinks: sinks, store: store, environment: environment))
        }
        consumer = SimulatedConsumer(process: self, store: store, taskPlan: taskPlan)
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
                guard let consumer, threads.allSatisfy({ !$0.isRevoking }), !isTerminating else { return }
                self.version = version
                let plan = try world.pipeline(version: version)
                let environment = StageEnvironment(
                    workingDirectory: ".", storeDirectory: Simulation.layout.root, incarnation: name,
                    pipelineName: SimulatedPipeline.name)
                let taskPlan = try TaskPlan.make(plan: plan, source: plan.sources[0], environment: environment)
                consumer.taskPlan = taskPlan
                for thread in threads { thread.reload(plan, taskPlan) }
            } catch {
                failed(error)
            }
        }
    }

    /// Called when the partitions are gone: waits for the writers, then ends.
    func drained() {
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
        if state == .running { consumer?.poll() }
        after(world.plan.tickInterval) { [self] in tick() }
    }

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

    func changed(_ path: String) { world.changed(path, by: self) }

    // MARK: - WorkerControl

    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) {
        consumer?.commit(offsets, wait: wait)
    }

    func setPaused(_ isPaused: Bool, _ partitions: [PartitionID], worker: Int) {
        consumer?.setPaused(isPaused, partitions)
    }

    func fenced(_ partitions: [PartitionID]) {
        world.note("\(name): another worker has taken over \(partitions)")
        consumer?.rejoin()
    }

    /// The pipeline cannot go on: the process ends, and is started again as a supervisor would.
    func failed(_ error: any Error) {
        world.note("\(name) ends: \(error)")
        kill()
    }

    func log(_ message: String) { world.note("\(name): \(message)") }
}
