/// Samples the traces of one tier down to a cost, giving each a probability that does not depend on its own random number.
///
/// - Everything fits: all are kept with probability 1.
/// - Else priority sampling, see `PrioritySampling`.
/// - A trace that costs more than three quarters of the capacity could hardly be kept or not at all, which would bias every sum. Such
///   *oversize* traces are taken out first: each is decided by itself with a probability that makes the expected cost of all of
///   them their share of the capacity. What one costs above that is a debt which the caller pays off over the next ticks.
struct TierSampling {
    struct Member {
        /// Uniform in (0, 1], after what samplers upstream did.
        var uniform: Double
        var importance: Double
        var cost: Double
        /// Results.
        var isKept = false
        var probability = 0.0
        var isOversize = false
    }

    private var priority = PrioritySampling()
    private var items: [PrioritySampling.Item] = []
    private var itemMembers: [Int] = []
    private var thresholds: [Double] = []

    /// - Returns: the cost of what is kept; through oversize traces it may be above the capacity.
    mutating func sample(_ members: inout [Member], capacity: Double) -> Double {
        var total = 0.0
        for member in members { total += member.cost }
        if total <= capacity {
            for index in members.indices {
                members[index].isKept = true
                members[index].probability = 1
            }
            return total
        }
        let share = separateOversize(&members, capacity: max(0, capacity))
        let oversizeCost = decideOversize(&members, capacity: share)

        items.removeAll(keepingCapacity: true)
        itemMembers.removeAll(keepingCapacity: true)
        for index in members.indices where !members[index].isOversize {
            let member = members[index]
            items.append(PrioritySampling.Item(priority: member.uniform / member.importance, cost: member.cost))
            itemMembers.append(index)
        }
        // What the oversize traces took or left, without starving the others: the largest of them must still fit with room to
        // spare, since no weight makes up for a trace that could not be kept at all. Whole numbers keep the sums exact; the
        // fraction stays in the caller's balance.
        let largest = items.reduce(0) { max($0, $1.cost) }
        let least = min(capacity - share, max((capacity - share) / 2, largest / 0.75))
        let room = (max(capacity - oversizeCost, least) + 1e-9).rounded(.down)
        let used = priority.sample(items, capacity: room, thresholds: &thresholds)
        for (item, index) in itemMembers.enumerated() {
            members[index].isKept = items[item].priority < thresholds[item]
            members[index].probability = min(1, members[index].importance * thresholds[item])
        }
        return used + oversizeCost
    }

    /// Marks the members that are too large for priority sampling, and returns their part of the capacity. Looks at costs and
    /// importances only, never at the random numbers.
    private func separateOversize(_ members: inout [Member], capacity: Double) -> Double {
        var limit = capacity * 0.75
        var share = 0.0
        for round in 0..<20 {
            // Should the limit not settle, all are decided by themselves: less even, and as unbiased.
            if round == 19 { limit = 0 }
            var largeWeight = 0.0
            var smallWeight = 0.0
            var smallCost = 0.0
            var largestSmall = 0.0
            for index in members.indices {
                let cost = members[index].cost
                members[index].isOversize = cost > limit
                if cost > limit {
                    largeWeight += members[index].importance * limit
                } else {
                    smallWeight += members[index].importance * cost
                    smallCost += cost
                    largestSmall = max(largestSmall, cost)
                }
            }
            if smallCost == 0 { return capacity }
            if largeWeight == 0 { return 0 }
            share = max(capacity * largeWeight / (largeWeight + smallWeight), capacity - smallCost)
            let room = capacity - share
            if largestSmall <= max(room * 0.75, smallCost <= room ? largestSmall : 0) { return share }
            limit = min(limit * 0.75, max(room * 0.75, 0))
        }
        return share
    }

    /// Decides each oversize member by itself; returns the cost of those kept.
    private func decideOversize(_ members: inout [Member], capacity: Double) -> Double {
        var weight = 0.0
        for member in members where member.isOversize { weight += member.importance }
        guard weight > 0 else { return 0 }
        var kept = 0.0
        for index in members.indices where members[index].isOversize {
            let member = members[index]
            let probability = min(1, capacity * member.importance / (weight * member.cost))
            members[index].probability = probability
            members[index].isKept = member.uniform <= probability
            if members[index].isKept { kept += member.cost }
        }
        return kept
    }
}
