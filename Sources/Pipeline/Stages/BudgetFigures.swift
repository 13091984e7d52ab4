/// A budget that the tasks of a pipeline hold together, as one task's sampler sees it.
public struct BudgetGauge: Sendable, Equatable {
    /// Name of the policy.
    public var policy: String
    /// What the budget is counted in: spans, bytes or traces.
    public var unit: String
    /// The whole budget, units per second.
    public var rate: Double
    /// This task's part of it, 0…1.
    public var share: Double
    /// What the task is offered, units per second of stream time: the moving average of about 5 s.
    public var demand: Double
    /// Units offered since the task began: changes while there is traffic.
    public var offeredCost: Double
    /// Units left over from the ticks before (positive) or owed (negative).
    public var balance: Double

    public init(
        policy: String, unit: String, rate: Double, share: Double, demand: Double, offeredCost: Double, balance: Double
    ) {
        self.policy = policy
        self.unit = unit
        self.rate = rate
        self.share = share
        self.demand = demand
        self.offeredCost = offeredCost
        self.balance = balance
    }
}

/// What a budget has done: totals since the task began. Costs are in the budget's unit.
public struct BudgetFigures: Sendable, Equatable {
    public struct Tier: Sendable, Equatable {
        public var name: String
        public var offeredTraces: UInt64
        public var keptTraces: UInt64
        public var keptCost: Double

        public init(name: String, offeredTraces: UInt64, keptTraces: UInt64, keptCost: Double) {
            self.name = name
            self.offeredTraces = offeredTraces
            self.keptTraces = keptTraces
            self.keptCost = keptCost
        }
    }

    /// What the budget is counted in: spans, bytes or traces.
    public var unit: String
    public var tiers: [Tier] = []
    public var offeredCost = 0.0
    /// Of spans that came after their trace was kept.
    public var lateCost = 0.0
    /// Traces of which only the outline was kept, and what the rest of them would have cost.
    public var outlines: UInt64 = 0
    public var leftOutCost = 0.0
    /// Traces too large for their tier's budget.
    public var oversizeKept: UInt64 = 0
    public var oversizeDropped: UInt64 = 0
    /// Ticks in which there were more new keys and shapes than coverage may take.
    public var coverageSuspendedTicks: UInt64 = 0
    /// Ticks in which there were more errors than may be kept whole.
    public var mustKeepSampledTicks: UInt64 = 0
    /// Traces that a dry run kept although the budget would have dropped them.
    public var dryRunKept: UInt64 = 0
    /// Traces that met a rule, also one that is only tried, by the rule's name.
    public var ruleMatches: [String: UInt64] = [:]

    public init(unit: String) { self.unit = unit }

    /// Adds what another task has counted of the same budget.
    package mutating func add(_ other: BudgetFigures) {
        for tier in other.tiers {
            guard let index = tiers.firstIndex(where: { $0.name == tier.name }) else {
                tiers.append(tier)
                continue
            }
            tiers[index].offeredTraces &+= tier.offeredTraces
            tiers[index].keptTraces &+= tier.keptTraces
            tiers[index].keptCost += tier.keptCost
        }
        offeredCost += other.offeredCost
        lateCost += other.lateCost
        outlines &+= other.outlines
        leftOutCost += other.leftOutCost
        oversizeKept &+= other.oversizeKept
        oversizeDropped &+= other.oversizeDropped
        coverageSuspendedTicks &+= other.coverageSuspendedTicks
        mustKeepSampledTicks &+= other.mustKeepSampledTicks
        dryRunKept &+= other.dryRunKept
        ruleMatches.merge(other.ruleMatches) { $0 &+ $1 }
    }
}

/// Who has which part of the budgets that tasks hold together.
package struct BudgetShares: Sendable, Equatable {
    package struct Key: Hashable, Sendable {
        package var sampler: String
        package var policy: String
        package var partition: PartitionID

        package init(sampler: String, policy: String, partition: PartitionID) {
            self.sampler = sampler
            self.policy = policy
            self.partition = partition
        }
    }

    package var shares: [Key: Double] = [:]
    /// By sampler: the part of a task that is not in `shares` yet. One of the partitions of the topic.
    package var newcomers: [String: Double] = [:]
    /// Seconds of its part that a task owes, since it came: others had them.
    package var debts: [Key: Double] = [:]

    package init() {}

    package func share(sampler: String, policy: String, partition: PartitionID) -> Double {
        shares[Key(sampler: sampler, policy: policy, partition: partition)] ?? newcomers[sampler] ?? 1
    }
}
