import Testing

@testable import Sampling

/// Each seed is printed with a failure by the test's argument.
struct PrioritySamplingTests {
    /// The threshold as it is defined: the walk over the others, and the first priority at which they leave too little.
    private static func definedThreshold(
        of item: Int, _ items: [PrioritySampling.Item], capacity: Double
    ) -> Double {
        var used = 0.0
        let others = items.indices.filter { $0 != item }.sorted { items[$0].priority < items[$1].priority }
        for other in others where used + items[other].cost <= capacity {
            used += items[other].cost
            if used + items[item].cost > capacity { return items[other].priority }
        }
        return items[item].cost > capacity ? 0 : .infinity
    }

    @Test("every item's threshold is what the other items alone leave", arguments: 1...300)
    func thresholds(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let items = (0..<Int.random(in: 1...40, using: &random)).map { _ in
            PrioritySampling.Item(
                priority: Double.random(in: 0..<10, using: &random),
                cost: Double(Int.random(in: 1...Int.random(in: 1...30, using: &random), using: &random)))
        }
        let capacity = Double(Int.random(in: 0...120, using: &random))
        var sampling = PrioritySampling()
        var thresholds: [Double] = []
        let used = sampling.sample(items, capacity: capacity, thresholds: &thresholds)
        var kept = 0.0
        for index in items.indices {
            let expected = Self.definedThreshold(of: index, items, capacity: capacity)
            #expect(
                thresholds[index] == expected || (items[index].cost > capacity && thresholds[index] == 0),
                "item \(index) of \(items), capacity \(capacity)")
            if items[index].priority < thresholds[index] { kept += items[index].cost }
        }
        #expect(kept == used)
        #expect(used <= capacity)
    }

    @Test("weights give unbiased sums, also of large and of important traces", arguments: [1, 2, 3])
    func isUnbiased(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        // Few items against the capacity: the harder case.
        let costs: [Double] = [1, 1, 2, 3, 5, 8, 8, 13, 21, 34, 55, 2, 2, 4, 9, 120]
        let importances: [Double] = costs.indices.map { [1, 0.5, 3][$0 % 3] }
        let capacity = 45.5
        let rounds = 60_000
        var sums = [Double](repeating: 0, count: costs.count)
        var tier = TierSampling()
        for _ in 0..<rounds {
            var members = costs.indices.map {
                TierSampling.Member(
                    uniform: 1 - Double.random(in: 0..<1, using: &random), importance: importances[$0], cost: costs[$0])
            }
            _ = tier.sample(&members, capacity: capacity)
            for (index, member) in members.enumerated() where member.isKept { sums[index] += 1 / member.probability }
        }
        for index in costs.indices {
            let mean = sums[index] / Double(rounds)
            // A rare item's weights are large; its mean varies more. Four standard errors of a generous bound.
            #expect(abs(mean - 1) < 4 * (60 / Double(rounds)).squareRoot(), "item \(index) of cost \(costs[index])")
        }
        let total = sums.reduce(0, +) / Double(rounds) / Double(costs.count)
        #expect(abs(total - 1) < 0.01)
    }
}
