import Pipeline
import Sampling
import Synchronization

/// A budgets' topic with what is known from it: entries come in on the topic's thread, questions from the coordinator's.
final class BudgetFleet: Sendable {
    /// What both threads use.
    private final class State: Sendable {
        let budget: Mutex<FleetBudget>

        init(_ budget: FleetBudget) { self.budget = Mutex(budget) }
    }

    private let worker: String
    let settings: FleetBudget.Settings
    private let state: State
    private let topic: BudgetTopic
    /// Monotonic milliseconds.
    private let startedAt: Int64

    init(
        _ place: BudgetTopic.Place, worker: String, settings: FleetBudget.Settings, at now: Int64,
        log: @escaping @Sendable (String) -> Void
    ) {
        self.worker = worker
        self.settings = settings
        startedAt = now
        let state = State(FleetBudget(worker: worker, settings: settings))
        self.state = state
        topic = BudgetTopic(
            place,
            onEntry: { entry, isBacklog in
                state.budget.withLock { $0.receive(entry, at: WallClock.monotonic(), isBacklog: isBacklog) }
            },
            onDeparture: { worker in state.budget.withLock { $0.receiveDeparture(of: worker) } }, log: log)
    }

    func start() throws { try topic.start() }

    func stop() { topic.stop(worker: worker) }

    /// Tells the others when it is time to.
    func report(_ demands: [FleetEntry.Demand], at now: Int64) {
        if let entry = state.budget.withLock({ $0.report(demands, at: now) }) { topic.publish(entry) }
    }

    /// Fills in this worker's part of a budget, and with whom it shares.
    func describe(_ status: inout BudgetStatus, budget: String, partitions: [String], at now: Int64) {
        let partitionCount = status.partitionCount ?? partitions.count
        (status.share, status.expired) = state.budget.withLock {
            ($0.share(of: budget, partitions: partitions, partitionCount: partitionCount, at: now), $0.expired)
        }
        // The first entries need a moment.
        status.isStale = status.share.basis == .partitions && now - startedAt > settings.staleAfter
        status.problem = topic.lastProblem
    }

    func takeDebts(of budget: String) -> [String: Int64] { state.budget.withLock { $0.takeDebts(of: budget) } }
}
