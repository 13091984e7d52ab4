import Sampling

/// How a worker shares one budget with others, for metrics and health.
struct BudgetStatus: Sendable {
    var sampler: String
    var policy: String
    var unit: String
    /// The whole budget, units per second.
    var rate: Double
    /// This worker's part.
    var share: FleetBudget.Share
    /// What this worker is offered, units per second.
    var demand: Double
    var partitions: Int
    /// Of all workers; nil while it is not known.
    var partitionCount: Int?
    /// Credit or debt of all tasks together, units.
    var balance: Double
    /// Whether the topic should be used and is not.
    var isStale = false
    /// Workers that were silent for too long.
    var expired: UInt64 = 0
    /// Why the topic is not used.
    var problem: String?
}
