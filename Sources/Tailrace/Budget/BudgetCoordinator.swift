import Kafka
import Pipeline
import Sampling
import Synchronization

/// Shares the budgets of a worker's samplers: with the other workers through the budgets' topic, and among its own tasks.
///
/// A thread that looks at the tasks' figures a few times per second, asks `FleetBudget` for the worker's part, divides it among
/// its tasks by what each is offered, and hands it to the worker threads.
final class BudgetCoordinator: @unchecked Sendable {
    // @unchecked: what changes is the thread's own or in a mutex. `thread` is set once by `start` and read by `stop`, which the
    // worker calls one after the other.

    private struct Budget {
        var sampler: String
        var policy: String
        var settings: BudgetSettings
        /// Nil where the worker shares with nobody, or by partitions.
        var fleet: BudgetFleet?

        var name: String { "\(sampler)/\(policy)" }
    }

    /// A task with what its sampler says.
    private struct Member {
        var key: BudgetShares.Key
        var gauge: BudgetGauge
        var demand: Double

        /// In the topic.
        var name: String { "\(key.partition.topic)/\(key.partition.partition)" }
    }

    private static let interval = 200
    /// Part of a worker's share that its tasks have evenly: enough for one whose traffic begins.
    private static let taskFloor = 0.05

    private let runner: PipelineRunner
    private let worker: String
    private let log: @Sendable (String) -> Void
    private let isStopping = Atomic(false)
    private let published = Mutex<[BudgetStatus]>([])
    private var thread: NamedThread?

    // The thread's.
    private var configured: UInt32?
    private var budgets: [Budget] = []
    private var fleets: [BudgetTopic.Place: BudgetFleet] = [:]
    /// Seconds of budget that tasks owe since they came.
    private var debts: [BudgetShares.Key: Double] = [:]
    private var meter = DemandMeter<BudgetShares.Key>()

    init(runner: PipelineRunner, worker: String, log: @escaping @Sendable (String) -> Void) {
        self.runner = runner
        self.worker = worker
        self.log = log
    }

    func start() throws {
        thread = try NamedThread(name: "budget") { [unowned self] in run() }
    }

    /// Leaves the fleets. To be called when the partitions are given back.
    func stop() {
        isStopping.store(true, ordering: .relaxed)
        thread?.join()
        thread = nil
        for fleet in fleets.values { fleet.stop() }
        fleets = [:]
    }

    /// As of the last look, a fraction of a second ago.
    var statuses: [BudgetStatus] { published.withLock { $0 } }

    // MARK: - The thread

    private func run() {
        while !isStopping.load(ordering: .relaxed) {
            step(at: WallClock.monotonic())
            NamedThread.pause(milliseconds: Self.interval)
        }
    }

    private func step(at now: Int64) {
        let plan = runner.plan
        if plan.configurationHash != configured { configure(plan, at: now) }
        if budgets.isEmpty { return }
        let members = budgets.map { self.members(of: $0, at: now) }
        meter.keep(Set(members.joined().map(\.key)))
        for fleet in fleets.values {
            let demands = zip(budgets, members).filter { $0.0.fleet === fleet }.map { budget, members in
                FleetEntry.Demand(
                    budget: budget.name,
                    partitions: members.map { FleetEntry.Partition(name: $0.name, demand: $0.demand) })
            }
            fleet.report(demands, at: now)
        }
        var shares: [BudgetShares.Key: Double] = [:]
        var statuses: [BudgetStatus] = []
        for (budget, members) in zip(budgets, members) {
            let status = status(of: budget, members, at: now)
            let parts = DemandShare.shares(members.map(\.demand), floor: Self.taskFloor)
            for (member, part) in zip(members, parts) { shares[member.key] = status.share.value * part }
            statuses.append(status)
        }
        debts = debts.filter { shares[$0.key] != nil }
        for (budget, members) in zip(budgets, members) {
            let owed = budget.fleet?.takeDebts(of: budget.name) ?? [:]
            for member in members {
                guard let milliseconds = owed[member.name] else { continue }
                debts[member.key, default: 0] += Double(milliseconds) / 1000
            }
            if let longest = owed.values.max(), longest >= 1000 {
                log(
                    "budget \(budget.name): the parts of \(owed.count) partitions were spent by others for up to "
                        + "\(longest / 1000) s; it is paid back")
            }
        }
        runner.share(shares, debts: debts)
        published.withLock { $0 = statuses }
    }

    /// The tasks that the budget is for, as they last told.
    private func members(of budget: Budget, at now: Int64) -> [Member] {
        var found: [BudgetShares.Key: Member] = [:]
        for partition in runner.snapshots.flatMap(\.partitions) {
            for (sampler, gauges) in partition.budgets where sampler == budget.sampler {
                guard let gauge = gauges.first(where: { $0.policy == budget.policy }) else { continue }
                let key = BudgetShares.Key(sampler: sampler, policy: gauge.policy, partition: partition.id)
                found[key] = Member(
                    key: key, gauge: gauge,
                    demand: meter.demand(of: key, average: gauge.demand, offered: gauge.offeredCost, at: now))
            }
        }
        return found.values.sorted { $0.key.partition < $1.key.partition }
    }

    private func status(of budget: Budget, _ members: [Member], at now: Int64) -> BudgetStatus {
        let count = runner.partitionCount(ofSampler: budget.sampler)
        let partitionShare = min(1, Double(members.count) / Double(max(1, count ?? members.count)))
        var status = BudgetStatus(
            sampler: budget.sampler, policy: budget.policy, unit: budget.settings.unit.name, rate: budget.settings.rate,
            share: FleetBudget.Share(value: partitionShare, basis: .partitions),
            demand: members.reduce(0) { $0 + $1.demand }, partitions: members.count, partitionCount: count,
            balance: members.reduce(0) { $0 + $1.gauge.balance })
        guard let fleet = budget.fleet else { return status }
        fleet.describe(&status, budget: budget.name, partitions: members.map(\.name), at: now)
        return status
    }

    // MARK: - Configuration

    private func configure(_ plan: PipelinePlan, at now: Int64) {
        configured = plan.configurationHash
        var needed: [BudgetTopic.Place: BudgetFleet] = [:]
        budgets = []
        for sampler in plan.samplers where plan.stages[sampler].kind == TailSamplerStage.definition.kind {
            let stage = plan.stages[sampler]
            for (policy, settings) in BudgetSettings.all(in: stage.settings) {
                var budget = Budget(sampler: stage.name, policy: policy, settings: settings)
                if settings.fleet.isByDemand, let place = place(of: sampler, topic: settings.fleet.topic, plan) {
                    budget.fleet = needed[place] ?? fleet(at: place, settings.fleet.settings, now: now)
                    needed[place] = budget.fleet
                }
                budgets.append(budget)
            }
        }
        for (place, fleet) in fleets where needed[place] == nil { fleet.stop() }
        fleets = needed
    }

    /// The one that is there goes on, unless it was told otherwise. Two at one place would speak with the same name.
    private func fleet(at place: BudgetTopic.Place, _ settings: FleetBudget.Settings, now: Int64) -> BudgetFleet? {
        if let fleet = fleets[place] {
            if fleet.settings == settings { return fleet }
            fleet.stop()
            fleets[place] = nil
        }
        let fleet = BudgetFleet(place, worker: worker, settings: settings, at: now, log: log)
        do {
            try fleet.start()
            return fleet
        } catch {
            log("budgets are shared by partitions: \(error)")
            return nil
        }
    }

    /// Where the workers that read the sampler's topic meet: its cluster. Nil where its spans come from no topic.
    private func place(of sampler: Int, topic: String, _ plan: PipelinePlan) -> BudgetTopic.Place? {
        let source = plan.sources.first { source in
            plan.stages[source].kind == KafkaSourceStage.definition.kind
                && TaskPlan(plan: plan, source: source).stages.contains(sampler)
        }
        guard let source else { return nil }
        let settings = plan.stages[source].settings
        let client = KafkaOptions.client(settings)
        return BudgetTopic.Place(
            brokers: client.brokers, options: client.options, topic: topic,
            fleet: "\(settings.string("group") ?? "")/\(plan.name)")
    }
}
