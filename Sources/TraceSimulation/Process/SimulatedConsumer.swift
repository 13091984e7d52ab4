import Pipeline

/// The consumer of one process: what librdkafka, `KafkaSource` and `PipelineRunner` do between the broker and the worker
/// threads. Rebalances hold up the polling, as they do there.
final class SimulatedConsumer {
    private unowned let process: SimulatedProcess
    private let store: ObservedStore
    var taskPlan: TaskPlan
    let settings: PartitionTask.Settings
    private let broker: SimulatedBroker
    /// Of the topic.
    let partitions: Set<PartitionID>
    private var member: Int?
    private var generation = 0
    private(set) var owned: Set<PartitionID> = []
    private var routes: [PartitionID: Int] = [:]
    private var positions: [PartitionID: Int64] = [:]
    private var pauses = PartitionPauses()
    /// Paused, with records that had been fetched before.
    private var slipping: Set<PartitionID> = []
    private var lastContact: Int64
    /// A take-over or a revoke is under way: the poll does not return before it is done.
    private var isBusy = false
    private(set) var hasLeft = false
    private var isRejoining = false
    /// It gave something up and has not told the broker yet, which it does not reach.
    private var owesJoin = false

    init(
        process: SimulatedProcess, store: ObservedStore, broker: SimulatedBroker, settings: PartitionTask.Settings,
        taskPlan: TaskPlan
    ) {
        self.process = process
        self.store = store
        self.broker = broker
        self.settings = settings
        partitions = Set(broker.partitions)
        self.taskPlan = taskPlan
        lastContact = process.world.scheduler.now
    }

    private var world: Simulation { process.world }
    private var now: Int64 { process.world.scheduler.now }

    /// The next offset to be fetched.
    func position(of partition: PartitionID) -> Int64? { positions[partition] }

    func isPaused(_ partition: PartitionID) -> Bool { pauses.isPaused(partition) }

    func thread(of partition: PartitionID) -> WorkerShell? { routes[partition].map { process.threads[$0] } }

    // MARK: - Poll

    func poll() {
        if world.isReachable(process.place) {
            lastContact = now
            // Heartbeats come from a thread of librdkafka's, also while the poll is held up.
            if isBusy {
                return broker.touch(member, now: now)
            }
        }
        if isBusy || hasLeft { return }
        if process.isTerminating { return leave() }
        guard world.isReachable(process.place) else {
            // The library notices by itself that its session is over.
            if now - lastContact > world.plan.sessionTimeout, !owned.isEmpty { lose() }
            return
        }
        if isRejoining { return leaveAndJoin() }
        switch broker.heartbeat(member, now: now) {
        case .unknownMember:
            if owned.isEmpty { join(keeping: []) } else { lose() }
        case .rebalance:
            if world.plan.isCooperative || owned.isEmpty {
                join(keeping: owned)
            } else {
                revoke(owned.sorted(), lost: false) { [self] in join(keeping: []) }
            }
        case .assignment(let generation, let share): take(share, generation)
        case .fine: if owesJoin { join(keeping: owned) } else { fetch() }
        }
    }

    private func join(keeping: Set<PartitionID>) {
        owesJoin = !world.isReachable(process.place)
        if owesJoin { return }
        member = broker.join(member, owned: keeping, now: now)
    }

    private func lose() {
        revoke(owned.sorted(), lost: true) { [self] in
            member = nil
            join(keeping: [])
        }
    }

    func rejoin() { isRejoining = true }

    private func leaveAndJoin() {
        isRejoining = false
        revoke(owned.sorted(), lost: false) { [self] in
            if world.isReachable(process.place) { broker.leave(member, now: now) }
            member = nil
            join(keeping: [])
        }
    }

    private func leave() {
        revoke(owned.sorted(), lost: false) { [self] in
            hasLeft = true
            if world.isReachable(process.place) { broker.leave(member, now: now) }
            process.drained()
        }
    }

    // MARK: - Assign

    private func take(_ share: Set<PartitionID>, _ generation: Int) {
        self.generation = generation
        let kept = owned.intersection(share)
        let before = kept.sorted().map { KeptPartition($0, self) }
        let going = owned.subtracting(share).sorted()
        let coming = share.subtracting(owned).sorted()
        let finish = { [self] in
            // One that turned out to have a newer owner is given up at any time.
            for partition in before where partition != KeptPartition(partition.partition, self) && !isRejoining {
                world.oracle.violated(
                    .keptPartitions, "\(partition.partition) was touched by a rebalance of \(process.name)")
            }
            // A member that gave something up joins again, so that others get it.
            if !going.isEmpty { join(keeping: owned) }
        }
        let takeOver = { [self] in
            if coming.isEmpty { return finish() }
            assign(coming, finish)
        }
        if going.isEmpty { takeOver() } else { revoke(going, lost: false, takeOver) }
    }

    /// What a rebalance must not change of a partition that stays.
    private struct KeptPartition: Equatable {
        let partition: PartitionID
        let task: ObjectIdentifier?
        let position: Int64?

        init(_ partition: PartitionID, _ consumer: SimulatedConsumer) {
            self.partition = partition
            let core = consumer.thread(of: partition)?.core
            task = (core?.task(partition) ?? core?.comingTask(partition)).map { ObjectIdentifier($0) }
            position = consumer.positions[partition]
        }
    }

    /// Takes the partitions' epochs and restores their tasks, as `PipelineRunner.assign` does.
    private func assign(_ partitions: [PartitionID], _ whenDone: @escaping () -> Void) {
        isBusy = true
        world.scheduler.start { [self] in
            do {
                for partition in partitions {
                    let restored = try process.perform(.acquire) {
                        _ = process.take(.assign, partition.description)
                        return try store.acquire(partition)
                    }
                    // A thread that lets partitions of another source go takes none meanwhile.
                    while process.isAlive, process.threads.contains(where: \.isRevoking) { world.scheduler.sleep(5000) }
                    guard process.isAlive else { return }
                    let load = process.threads.indices.map { [process] index in
                        process.consumers.reduce(0) { $0 + $1.routes.values.count { $0 == index } }
                    }
                    let least = load.indices.min { load[$0] < load[$1] } ?? 0
                    routes[partition] = least
                    let log = broker.logs[partition]
                    let start = restored.startOffset ?? log?.committed ?? log?.start ?? 0
                    world.note(
                        "\(process.name) reads \(partition) from \(start), known up to "
                            + "\(restored.entry.map { String($0.high) } ?? "nothing")")
                    world.oracle.starts(partition, at: start, restored, by: process)
                    pauses.forget([partition])
                    if restored.hasDecisions {
                        _ = pauses.pause([partition], for: .restoring)
                        if world.random.chance(30) { slipping.insert(partition) }
                    }
                    process.threads[least].assign(
                        partition, restored, taskPlan, settings, startOffset: restored.entry?.low ?? 0)
                    guard process.isAlive else { return }
                    positions[partition] = start
                }
            } catch {
                if !world.oracle.damagedFiles.isEmpty { world.reach(.takeOverRefused) }
                return process.failed(error)
            }
            owned.formUnion(partitions)
            isBusy = false
            whenDone()
        }
    }

    // MARK: - Revoke

    private func revoke(_ partitions: [PartitionID], lost: Bool, _ whenDone: @escaping () -> Void) {
        guard process.perform(.revoke, { process.take(.revoke, "") }) == nil || process.isAlive else { return }
        var byThread: [Int: [PartitionID]] = [:]
        for partition in partitions { byThread[routes[partition] ?? 0, default: []].append(partition) }
        for partition in partitions { routes[partition] = nil }
        isBusy = true
        var waiting = byThread.count
        var offsets: [PartitionID: CommittedOffset] = [:]
        let finish = { [self] in
            if !lost, !offsets.isEmpty { send(offsets) }
            for partition in partitions {
                positions[partition] = nil
                slipping.remove(partition)
            }
            pauses.forget(partitions)
            owned.subtract(partitions)
            world.oracle.letGo(partitions, by: process)
            isBusy = false
            whenDone()
        }
        if waiting == 0 { return finish() }
        for (thread, partitions) in byThread.sorted(by: { $0.key < $1.key }) {
            process.threads[thread].revoke(partitions, lost: lost) { [self] published in
                offsets.merge(published) { $1 }
                waiting -= 1
                guard process.perform(.revoke, { [self] in process.take(.revoked, "") }) == nil || process.isAlive
                else { return }
                if waiting == 0 { finish() }
            }
        }
    }

    // MARK: - Records

    private func fetch() {
        for _ in 0..<4 { fetchOnce() }
    }

    private func fetchOnce() {
        for partition in owned.sorted() where !isPaused(partition) || slipping.remove(partition) != nil {
            guard process.state == .running, let position = positions[partition],
                let thread = thread(of: partition), !thread.isRevoking
            else { continue }
            _ = process.take(.fetch, partition.description)
            guard process.state == .running else { return }
            switch broker.fetch(partition, from: position, count: world.plan.batchSize) {
            case .outOfRange(let start, let end): outOfRange(partition, position, start, end)
            case .records(let records):
                guard let last = records.last else {
                    if position == broker.logs[partition]?.end {
                        thread.core.reachedEnd(partition, at: process.time.monotonic)
                        world.oracle.reachedEnd(partition, thread.core, by: process)
                    }
                    continue
                }
                world.oracle.delivers(records, of: partition, at: position, by: process)
                positions[partition] = last.offset + 1
                // A pause or a seek may let a source deliver records again.
                if world.random.chance(3) { positions[partition] = max(position, last.offset) }
                thread.process(SimulatedBatch(partition: partition, records: records))
            }
        }
    }

    /// As `KafkaSource` with `on_data_loss: continue`: reports, and goes on at the start of the log.
    private func outOfRange(_ partition: PartitionID, _ offset: Int64, _ start: Int64, _ end: Int64) {
        var isReported = false
        world.note("\(process.name) wants \(partition)@\(offset), the log has \(start) to \(end)")
        for step in LogGap(position: offset, log: start..<end, continues: true).steps {
            switch step {
            case .report(let from, let to, _):
                isReported = true
                world.oracle.reportedLoss(partition, from: from, to: to)
            case .restart(let start):
                guard let shell = thread(of: partition) else { continue }
                shell.logRestarted(partition, at: start) { [self] in
                    world.oracle.restartedLog(partition, shell.core, by: process)
                }
            case .seek(let start):
                positions[partition] = start
                if !isReported {
                    world.oracle.violated(
                        .lossIsReported,
                        "\(process.name) goes on with \(partition) at \(start) instead of \(offset) without a word")
                }
            }
        }
    }

    // MARK: - For the worker threads

    func setPaused(_ isPaused: Bool, _ partitions: [PartitionID], for reason: PauseReason) {
        // As the runner does: what has gone is not paused.
        let routed = partitions.filter { routes[$0] != nil }
        if isPaused { _ = pauses.pause(routed, for: reason) } else { _ = pauses.resume(routed, for: reason) }
    }

    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) {
        if offsets.isEmpty { return }
        world.oracle.commits(offsets, by: process)
        guard process.perform(.commit, { process.take(.commit, "") }) == nil || process.isAlive else { return }
        let published = world.oracle.publishedLows(offsets.keys)
        // On its way to the broker: with the generation of now, and what the worker does next does not wait for it.
        let (member, generation) = (member, generation)
        world.scheduler.after(world.random.pick(0...20_000)) { [world, broker, place = process.place] in
            guard world.isReachable(place), broker.commit(member, generation: generation, offsets) else {
                return world.reach(.commitRefused)
            }
            world.oracle.committed(offsets, published: published)
        }
    }

    /// The commit at the end of a revoke: waited for.
    private func send(_ offsets: [PartitionID: CommittedOffset]) {
        guard process.perform(.commit, { process.take(.commit, "") }) == nil || process.isAlive,
            world.isReachable(process.place)
        else { return }
        let published = world.oracle.publishedLows(offsets.keys)
        if broker.commit(member, generation: generation, offsets) {
            world.oracle.committed(offsets, published: published)
        }
    }
}
