import Glibc
import Pipeline
import Storage

/// One world: a broker, a disk, producers and workers under one virtual clock, with faults; and the oracle that watches.
///
/// A run is a function of its plan: no real time, no randomness and no thread decides anything.
package final class Simulation {
    static let layout = StoreLayout(root: "store")
    /// Milliseconds for which a file must be unneeded, and microseconds between two collections: an hour and five minutes in
    /// real workers.
    static let collectorGrace: Int64 = 1500
    static let collectorInterval: Int64 = 900_000

    package let plan: WorldPlan
    let scheduler = Scheduler()
    let disk = SimulatedDisk()
    /// Of the topic that is sampled.
    let partitions: [PartitionID]
    let broker: SimulatedBroker
    /// Of the topic in front of it where that is an internal one; else empty.
    let outerPartitions: [PartitionID]
    let outerBroker: SimulatedBroker
    let pipeline: SimulatedPipeline
    private(set) var workload: Workload
    /// Of the machine: latencies, torn writes. The schedule of faults has a stream of its own.
    var random: SimulationRandom
    private var oracleIfAny: Oracle?
    private var places: [Place] = []
    private var policyVersion = 0
    private var armed: [(fault: Fault, process: SimulatedProcess, step: Int)] = []
    private var errors: Set<ObjectIdentifier> = []
    private var flaky: [ObjectIdentifier: (calls: Step, until: Int64)] = [:]
    private var slowUntil: Int64 = 0
    private(set) var diskFullSince: Int64?
    private var storeUnreachableUntil: Int64 = 0
    /// What puts damaged files right again.
    private var repairs: [() -> Void] = []
    /// Records that wait until it is known that their log was cut.
    private var heldRecords = 0
    private var crashes: CrashSchedule
    private var isOver = false
    private(set) var steps = 0
    private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    private(set) var violation: Violation?
    private var reached: [Situation: Int] = [:]
    /// Receives every step and note; for `--trace`.
    private let transcript: ((String) -> Void)?
    private var starts = 0

    /// Where a worker runs: one process after the other.
    private struct Place {
        var process: SimulatedProcess?
        var isWanted = true
        var unreachableUntil: Int64 = 0
        /// Until its worker is started again, microseconds.
        var pause: Int64 = 300_000
    }

    private init(plan: WorldPlan, transcript: ((String) -> Void)?) {
        self.plan = plan
        self.transcript = transcript
        partitions = (0..<Int32(plan.partitions)).map { PartitionID(cluster: "c", topic: "t", partition: $0) }
        outerPartitions =
            plan.isRepartitioned
            ? (0..<Int32(plan.outerPartitions)).map { PartitionID(cluster: "c", topic: "o", partition: $0) } : []
        broker = SimulatedBroker(plan: plan, partitions: partitions)
        outerBroker = SimulatedBroker(plan: plan, partitions: outerPartitions, stream: 8)
        pipeline = SimulatedPipeline(plan)
        workload = Workload(plan: plan, partitions: plan.isRepartitioned ? outerPartitions : partitions)
        crashes = CrashSchedule(plan.crashes, failing: plan.failingSteps)
        random = SimulationRandom(seed: plan.seed).stream(5)
    }

    var oracle: Oracle {
        guard let oracle = oracleIfAny else { preconditionFailure("the oracle is made before the world runs") }
        return oracle
    }

    // MARK: - Running

    /// Runs a world to its end, or to the first violation.
    package static func run(_ plan: WorldPlan, transcript: ((String) -> Void)? = nil) -> SimulationOutcome {
        let world = Simulation(plan: plan, transcript: transcript)
        let reader = SimulatedCalls(disk: world.disk, gate: OpenGate())
        world.oracleIfAny = Oracle(world: world, fileSystem: LocalFileSystem(calls: reader))
        world.run()
        world.reached[.rebalanced] = world.broker.rebalances > 1 ? 1 : 0
        return SimulationOutcome(
            plan: plan, violation: world.violation, steps: world.steps, digest: world.digest,
            virtualTime: world.scheduler.now, storedSpans: world.oracle.stored.count,
            decidedTraces: world.oracle.decisions.count, rebalances: world.broker.rebalances,
            stepNames: world.crashes.seen, crashes: world.crashes.struck,
            reached: world.reached)
    }

    private func run() {
        for index in workload.records.indices {
            scheduler.at(workload.records[index].time) { [self] in produce(index) }
        }
        for fault in plan.faults { scheduler.at(fault.time) { [self] in begin(fault) } }
        for place in 0..<plan.workers {
            places.append(Place())
            start(place)
        }
        expelSilentMembers()
        let lastRecord = workload.records.last?.time ?? 0
        let lastFault = plan.faults.map { $0.time + $0.duration }.max() ?? 0
        let quiet = max(lastRecord, lastFault) + 100_000
        scheduler.at(quiet) { [self] in heal(quiet) }
        while !isOver, violation == nil, scheduler.step() {}
        isOver = true
        for place in places { place.process?.kill() }
        scheduler.finish()
    }

    // MARK: - Logs

    /// The log of a partition of either topic.
    func log(_ partition: PartitionID) -> PartitionLog? { broker.logs[partition] ?? outerBroker.logs[partition] }

    var allPartitions: [PartitionID] { partitions + outerPartitions }

    private func produce(_ index: Int) {
        let record = workload.records[index]
        let partition = (plan.isRepartitioned ? outerPartitions : partitions)[record.partition]
        guard let log = log(partition) else { return }
        if log.cuts > 0, oracle.knowsOffsetsBehindEnd(log) {
            // Offsets alone do not tell a log that was cut and filled again from one that was not.
            if scheduler.now - (oracle.cutAt[partition] ?? 0) < Self.longestHold {
                heldRecords += 1
                reach(.recordsWaited)
                scheduler.after(100_000) { [self] in
                    heldRecords -= 1
                    produce(index)
                }
                return
            }
            oracle.cutUnnoticed(partition)
        }
        let timestamp = record.timestamp ?? plan.wall(at: scheduler.now)
        let offset = log.append(record, timestamp: timestamp)
        note("produced: \(partition)@\(offset), spans \(record.spans)")
        for (position, span) in record.spans.enumerated() {
            workload.produced(span, in: partition, at: offset, index: position, streamTime: timestamp)
            if !plan.isRepartitioned { workload.place(span, in: partition, at: offset, index: position) }
        }
    }

    /// For so long producers find no leader for a log that was cut, microseconds; then nobody can notice any more.
    private static let longestHold: Int64 = 12_000_000

    /// A record of the internal topic is in its log.
    func appendInternal(_ record: PartitionLog.Record, to number: Int32) {
        let partition = partitions[Int(number) % partitions.count]
        guard let offset = broker.logs[partition]?.append(record) else { return }
        for (position, span) in record.spans.enumerated() where span >= 0 && span < workload.spans.count {
            workload.place(span, in: partition, at: offset, index: position)
            reach(workload.spans[span].instances > 1 ? .repartitionedTwice : .repartitioned)
        }
    }

    private func change(_ log: PartitionLog, _ fault: Fault) {
        defer { note("\(log.partition) has \(log.start) to \(log.end) now") }
        switch fault.kind {
        case .retention: log.remove(fault.steps)
        case .deepRetention:
            let index = max(0, log.records.count - fault.steps)
            if index < log.records.count { log.remove(before: log.records[index].offset) }
        case .lostOffset: log.committed = nil
        default:
            let cuts = log.cuts
            for record in fault.kind == .cutLog ? log.cut(fault.steps) : log.recreate() {
                for span in record.spans { workload.cut(span) }
            }
            if log.cuts > cuts { oracle.logWasCut(log.partition) }
        }
    }

    private func expelSilentMembers() {
        outerBroker.expelSilentMembers(now: scheduler.now)
        broker.expelSilentMembers(now: scheduler.now)
        scheduler.after(250_000) { [self] in expelSilentMembers() }
    }

    /// All faults end; then everything must drain in bounded time.
    private func heal(_ quiet: Int64) {
        armed = []
        errors = []
        flaky = [:]
        slowUntil = 0
        diskFullSince = nil
        storeUnreachableUntil = 0
        repair()
        for index in places.indices {
            places[index].unreachableUntil = 0
            places[index].process?.thaw()
            places[index].pause = 100_000
            places[index].isWanted = places[index].isWanted || index == 0
            if places[index].process == nil, places[index].isWanted { start(index) }
        }
        let window = (plan.window.max + plan.window.tick + plan.idleClock) * 1000
        let slack =
            plan.faults.isEmpty
            ? 4 * plan.tickInterval + 4 * plan.flushInterval * 1000 + 1_000_000
                // Sessions end, the group settles, and a writer that failed waits up to 5 s before it tries again.
            : 4 * plan.sessionTimeout + 4 * plan.flushInterval * 1000 + 10_000_000
        // Progress of quiet partitions is told every five seconds, and says what was so two seconds before.
        let progress: Int64 = plan.isRepartitioned ? 20_000_000 : 0
        let hold = plan.faults.contains { Fault.Kind.ofTheLog.contains($0.kind) } ? 2 * Self.longestHold : 0
        awaitDrain(until: quiet + window + slack + progress + hold)
    }

    private func awaitDrain(until deadline: Int64) {
        if heldRecords == 0, oracle.isDrained { return plan.collects ? awaitCollection() : shutDown() }
        if scheduler.now > deadline {
            return violated(.idlePartition, "after the faults ended not everything was decided: \(oracle.debts)")
        }
        scheduler.after(100_000) { [self] in awaitDrain(until: deadline) }
    }

    /// What nobody needs is gone when it was unneeded for the grace time.
    private func awaitCollection() {
        let time = Self.collectorGrace * 1000 + 4 * (Self.collectorInterval + plan.tickInterval) + 2_000_000
        scheduler.after(time) { [self] in
            oracle.checkCollected(running: Set(places.compactMap { $0.process?.name }))
            shutDown()
        }
    }

    /// SIGTERM for everybody.
    private func shutDown() {
        for index in places.indices {
            places[index].isWanted = false
            places[index].process?.terminate()
        }
        awaitEnd(until: scheduler.now + 60_000_000)
    }

    private func awaitEnd(until deadline: Int64) {
        if places.allSatisfy({ $0.process == nil }) {
            oracle.checkEnd()
            isOver = true
        } else if scheduler.now > deadline {
            violated(.idlePartition, "a terminated worker does not end")
        } else {
            scheduler.after(100_000) { [self] in awaitEnd(until: deadline) }
        }
    }

    // MARK: - Workers

    private func start(_ index: Int) {
        guard !isOver, places[index].process == nil else { return }
        starts += 1
        let process = SimulatedProcess(name: "w\(index)n\(starts)", place: index, version: policyVersion, world: self)
        places[index].process = process
        note("\(process.name) starts")
        process.start()
    }

    func died(_ process: SimulatedProcess) {
        note("\(process.name) has ended")
        guard process.place < places.count, places[process.place].process === process else { return }
        places[process.place].process = nil
        let pause = places[process.place].pause
        places[process.place].pause = 300_000
        guard !isOver else { return }
        scheduler.after(pause) { [self] in
            if places[process.place].isWanted { start(process.place) }
        }
    }

    // MARK: - Faults

    private func begin(_ fault: Fault) {
        note("fault: \(fault)")
        let index = fault.worker % places.count
        let process = places[index].process
        switch fault.kind {
        case .kill, .powerFailure, .stop, .diskError, .flakyDisk:
            guard let process else { return }
            armed.append((fault, process, process.steps + fault.steps))
        case .terminate:
            places[index].pause = fault.duration
            process?.terminate()
        case .partitioned: places[index].unreachableUntil = scheduler.now + fault.duration
        case .diskFull:
            diskFullSince = scheduler.now
            scheduler.after(fault.duration) { [self] in diskFullSince = nil }
        case .slowDisk:
            slowUntil = scheduler.now + fault.duration
            scheduler.after(fault.duration * Int64(fault.steps) / 60) { [self] in
                rebalance(shuffling: true)
            }
        case .rebalance: rebalance(shuffling: fault.steps % 2 == 0)
        case .retention, .deepRetention, .cutLog, .recreatedTopic, .lostOffset:
            if let log = broker.logs[partitions[fault.worker % partitions.count]] { change(log, fault) }
        case .lostStore:
            killAll(fault.duration)
            disk.forget(Self.layout.root)
            oracle.storeIsLost()
        case .damagedFile: damage(fault)
        case .unreachableStore: storeUnreachableUntil = scheduler.now + fault.duration
        case .policyChange: policyVersion += 1
        case .reload:
            policyVersion += 1
            process?.reload(version: policyVersion)
        case .addWorker:
            guard places.count < 4 else { return }
            places.append(Place())
            let added = places.count - 1
            start(added)
            scheduler.after(fault.duration) { [self] in
                places[added].isWanted = false
                places[added].process?.terminate()
            }
        }
    }

    private func rebalance(shuffling: Bool) {
        broker.beginRebalance(now: scheduler.now, shuffling: shuffling)
        if plan.isRepartitioned { outerBroker.beginRebalance(now: scheduler.now, shuffling: shuffling) }
    }

    private func killAll(_ pause: Int64) {
        for index in places.indices {
            places[index].pause = pause
            places[index].process?.kill()
        }
    }

    private func damage(_ fault: Fault) {
        let partition = partitions[fault.worker % partitions.count]
        guard let path = oracle.newestFile(of: partition, isEpoch: fault.steps % 2 == 0) else { return }
        killAll(200_000)
        guard let restore = disk.damage(path, at: fault.steps * 7) else { return }
        oracle.damaged(path)
        repairs.append(restore)
        scheduler.after(fault.duration) { [self] in repair() }
    }

    private func repair() {
        guard !repairs.isEmpty else { return }
        for repair in repairs.reversed() { repair() }
        repairs = []
        oracle.repaired()
    }

    /// A process takes a step: what was armed for it happens now.
    func took(_ step: Step, _ path: String, by process: SimulatedProcess) {
        steps += 1
        let due = crashes.next(process.action.name(of: step, path))
        if due.fails {
            note("step fails: \(step.rawValue) \(path)")
            errors.insert(ObjectIdentifier(process))
        }
        if let crash = due.crash { strike(crash, process) }
        digest = (digest ^ UInt64(bitPattern: scheduler.now)) &* 0x100_0000_01b3
        for byte in step.rawValue.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for byte in path.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        if let transcript { transcript("\(scheduler.now) \(process.name) \(step.rawValue) \(path)") }
        let isDue = { (armed: (fault: Fault, process: SimulatedProcess, step: Int)) in
            armed.process === process && process.steps > armed.step && armed.fault.target ?? step == step
        }
        while let index = armed.firstIndex(where: isDue) {
            let fault = armed.remove(at: index).fault
            note("fault strikes: \(fault)")
            switch fault.kind {
            case .kill:
                places[process.place].pause = fault.duration
                process.kill(tearing: true)
            case .stop: process.freeze(for: fault.duration)
            case .diskError: errors.insert(ObjectIdentifier(process))
            case .flakyDisk:
                flaky[ObjectIdentifier(process)] = (fault.target ?? .syncDirectory, scheduler.now + fault.duration)
                scheduler.after(fault.duration * Int64(fault.steps) / 60) { [self] in
                    rebalance(shuffling: true)
                }
            default: losePower(fault.duration)
            }
        }
    }

    private func strike(_ crash: CrashPoint, _ process: SimulatedProcess) {
        note("crash: \(crash)")
        let die = { [self] in
            if crash.losesPower { return losePower(400_000) }
            places[process.place].pause = 400_000
            process.kill(tearing: crash.moment == .during)
        }
        if crash.moment == .after { process.diesNext = die } else { die() }
    }

    private func losePower(_ pause: Int64) {
        killAll(pause)
        disk.losePower(&random)
        oracle.powerFailed()
    }

    // MARK: - For the processes

    func latency(of step: Step) -> Int64 {
        switch step {
        case .read, .look, .open, .fetch: 0
        case .sync, .syncDirectory:
            scheduler.now < slowUntil ? random.pick(100_000...1_500_000) : random.pick(0...2 * plan.diskLatency)
        default: random.pick(0...plan.diskLatency)
        }
    }

    func failure(of step: Step, by process: SimulatedProcess) -> Int32? {
        if diskFullSince != nil, step.writes { return ENOSPC }
        if step.isSystemCall, scheduler.now < storeUnreachableUntil {
            reach(.storeSilent)
            return ESTALE
        }
        if step.isSystemCall, errors.remove(ObjectIdentifier(process)) != nil { return EIO }
        if let flaky = flaky[ObjectIdentifier(process)], flaky.calls == step, scheduler.now < flaky.until { return EIO }
        return nil
    }

    /// Some disks tell how full they are, some do not.
    func space() -> StoreSpace? {
        guard plan.seed % 2 == 0 else { return nil }
        return StoreSpace(freeBytes: diskFullSince == nil ? 1 << 40 : 0, totalBytes: 1 << 41)
    }

    /// Those that are alive, in the order of their places.
    var processes: [SimulatedProcess] { places.compactMap(\.process) }

    func isReachable(_ place: Int) -> Bool { scheduler.now >= places[place].unreachableUntil }

    func reach(_ situation: Situation) {
        let isAtBudget = situation == .spilled && plan.spill == .auto
        reached[isAtBudget ? .spilledAtBudget : situation, default: 0] += 1
    }

    func note(_ text: @autoclosure () -> String) {
        if let transcript { transcript("\(scheduler.now) -- \(text())") }
    }

    func violated(_ invariant: Invariant, _ explanation: String) {
        guard violation == nil else { return }
        violation = Violation(invariant: invariant, explanation: explanation, time: scheduler.now, step: steps)
        note("VIOLATION \(invariant.rawValue): \(explanation)")
    }
}

/// Lets everything through: the oracle's and the readers' way to the disk.
private final class OpenGate: StepGate {
    var name: String { "reader" }
    var isAlive: Bool { true }
    func take(_ step: Step, _ path: String) -> Int32? { nil }
    func part(of count: Int) -> Int { count }
    func isCutShort() -> Bool { false }
    func space() -> StoreSpace? { nil }
    func changed(_ path: String) {}
    func removed(_ path: String) {}
}
