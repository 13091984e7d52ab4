/// Priority sampling under a cost budget: keeps the items of the lowest priority that fit, and says for every item below which
/// priority it would have been kept.
///
/// Items are visited in ascending order of `priority` (a uniform number divided by the item's importance). One that fits into
/// what is left of the capacity is kept, one that does not is skipped, and the walk goes on to the end.
///
/// An item's threshold is what its own priority does not influence: the priority at which the *other* items alone leave less
/// than its cost. So `P(kept | others) = P(priority < threshold)`, and the inverse is an unbiased weight
/// (Duffield, Lund, Thorup 2007; Ting 2017, "Adaptive threshold sampling"). For a kept item *i* the walk without it is the
/// walk with it up to the first skipped item *j* behind *i* that would have fitted into *i*'s place: there
/// `used + cost(j) - cost(i) <= capacity`. So the threshold is the priority of the first skipped item behind *i* whose overflow
/// `used + cost(j) - capacity` is not larger than `cost(i)`.
///
/// Costs and capacity must be whole numbers below 2^53, so that sums are exact.
struct PrioritySampling {
    struct Item {
        var priority: Double
        var cost: Double
    }

    private var order: [(priority: Double, index: Int)] = []
    private var keptPriority: [Double] = []
    /// Sum of the costs up to and with the kept item.
    private var keptUsed: [Double] = []
    /// By position in `order`: how much the item was too large, 0 for a kept one.
    private var overflow: [Double] = []
    private var skipped: [(overflow: Double, priority: Double)] = []

    /// - Returns: the cost of what is kept. `thresholds[i]` is infinite where the item is kept in any case; an item is kept iff
    ///   its priority is below its threshold.
    mutating func sample(_ items: [Item], capacity: Double, thresholds: inout [Double]) -> Double {
        thresholds.removeAll(keepingCapacity: true)
        thresholds.append(contentsOf: repeatElement(.infinity, count: items.count))
        sort(items)
        keptPriority.removeAll(keepingCapacity: true)
        keptUsed.removeAll(keepingCapacity: true)
        overflow.removeAll(keepingCapacity: true)
        var used = 0.0
        for entry in order {
            let cost = items[entry.index].cost
            let excess = used + cost - capacity
            if excess > 0 {
                overflow.append(excess)
            } else {
                used += cost
                keptPriority.append(entry.priority)
                keptUsed.append(used)
                overflow.append(0)
            }
        }
        setThresholds(items, capacity: capacity, &thresholds)
        return used
    }

    private mutating func sort(_ items: [Item]) {
        order.removeAll(keepingCapacity: true)
        for index in items.indices { order.append((items[index].priority, index)) }
        order.sort { $0.priority == $1.priority ? $0.index < $1.index : $0.priority < $1.priority }
    }

    private mutating func setThresholds(_ items: [Item], capacity: Double, _ thresholds: inout [Double]) {
        // Backwards, so that `skipped` holds what lies behind: nearest last, and only those that overflow less than every
        // nearer one. Overflows ascend towards the end.
        skipped.removeAll(keepingCapacity: true)
        for position in order.indices.reversed() {
            let (priority, index) = order[position]
            let cost = items[index].cost
            if overflow[position] > 0 {
                while let last = skipped.last, last.overflow >= overflow[position] { skipped.removeLast() }
                skipped.append((overflow[position], priority))
                let first = keptUsed.partitioningIndex { $0 > capacity - cost }
                thresholds[index] = cost > capacity || first == keptPriority.count ? 0 : keptPriority[first]
            } else {
                let end = skipped.partitioningIndex { $0.overflow > cost }
                thresholds[index] = end > 0 ? skipped[end - 1].priority : .infinity
            }
        }
    }
}

extension Array {
    /// The first index whose element meets the condition, where no element behind it fails it; `count` for none.
    func partitioningIndex(where condition: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if condition(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
