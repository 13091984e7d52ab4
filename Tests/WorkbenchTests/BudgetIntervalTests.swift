import Estimation
import Glibc
import Sampling
import Testing
import Workbench

/// Intervals of small groups of what a budget sampler kept: some traces for sure, the others with a probability by their key,
/// size and tick.
struct BudgetIntervalTests {
    private struct Group {
        var sample = TrafficEstimator()
        var traces = 0.0
        var errors = 0.0
        var spans = 0.0
        var durations: [UInt64] = []

        var exact: [Double] {
            let sorted = durations.sorted()
            return [traces, errors, spans, errors / traces]
                + [0.5, 0.95].map { Double(sorted[NearestRank.index($0, of: sorted.count)]) }
        }

        mutating func add(_ trace: BudgetTrace, _ decision: BudgetDecision) {
            traces += 1
            spans += Double(trace.spanCount)
            if trace.hasError { errors += 1 }
            durations.append(trace.duration)
            guard decision.isKept else { return }
            sample.add(
                probability: decision.probability, isError: trace.hasError, duration: trace.duration,
                spanCount: Int(trace.spanCount))
        }
    }

    private struct Coverage {
        var groups = 0
        var sampled = 0
        /// True values below and above the interval, in the order of `names`.
        var below = [Int](repeating: 0, count: names.count)
        var above = [Int](repeating: 0, count: names.count)

        func share(_ index: Int) -> Double { 1 - Double(below[index] + above[index]) / Double(max(1, groups)) }

        mutating func add(_ group: Group, _ sample: TrafficEstimator) {
            guard sample.sampledCount > 0, let errorRate = sample.errorRate else { return }
            groups += 1
            sampled += sample.sampledCount
            let estimates =
                [sample.count, sample.errorCount, sample.spanCount, errorRate]
                + sample.percentiles([0.5, 0.95]).map { $0 ?? .exact(0) }
            for (index, (exact, estimate)) in zip(group.exact, estimates).enumerated() {
                if exact < estimate.lower * (1 - 1e-9) { below[index] += 1 }
                if exact > estimate.upper * (1 + 1e-9) { above[index] += 1 }
            }
        }
    }

    private static let names = ["traces", "errors", "spans", "error rate", "p50", "p95"]
    /// Operations by their frequency.
    private static let ranks = [0..<3, 3..<10, 10..<25, 25..<50]

    /// Of every class of operations.
    private static func measure(rate: Double, seeds: ClosedRange<UInt64>, inPopulation: Bool = true) -> [Coverage] {
        var coverage = [Coverage](repeating: Coverage(), count: ranks.count)
        for seed in seeds {
            var settings = SyntheticTraffic.Settings { _ in 20_000 }
            settings.seed = seed
            settings.duration = 4
            settings.errorShare = { _ in 0.03 }
            var traffic = SyntheticTraffic(settings)
            var sampler = BudgetSampler(settings: BudgetSettings(rate: rate))
            var time = settings.startTime
            var groups = [Group](repeating: Group(), count: settings.operations)
            var population = SampledPopulation()
            while let batch = traffic.next() {
                time += traffic.tick
                for (item, decision) in zip(batch, sampler.decide(batch.map(\.trace), at: time)) where !item.isRare {
                    groups[item.operation].add(item.trace, decision)
                    guard decision.isKept else { continue }
                    population.add(probability: decision.probability, spanCount: Int(item.trace.spanCount))
                }
            }
            for (rank, group) in groups.enumerated() where group.traces > 0 {
                guard let index = ranks.firstIndex(where: { $0.contains(rank) }) else { continue }
                coverage[index].add(group, inPopulation ? group.sample.part(of: population) : group.sample)
            }
        }
        return coverage
    }

    private static func show(_ rate: Double, _ coverage: [Coverage]) {
        for (range, result) in zip(ranks, coverage) where result.groups > 0 {
            let shares = names.indices.map { index in
                "\(names[index]) \((result.share(index) * 1000).rounded() / 10) "
                    + "(below \(result.below[index]), above \(result.above[index]))"
            }
            print(
                "\(Int(rate)) spans/s, operations \(range.lowerBound + 1) to \(range.upperBound), \(result.groups) groups of "
                    + "\((Double(result.sampled) / Double(result.groups) * 10).rounded() / 10) sampled traces: "
                    + shares.joined(separator: ", "))
        }
    }

    @Test(
        "intervals of operations hold in what a budget sampler kept, of 1 to 50 sampled traces each",
        arguments: [400.0, 2000.0])
    func operations(rate: Double) {
        let coverage = Self.measure(rate: rate, seeds: 1...10)
        print("seeds 1 to 10")
        Self.show(rate, coverage)
        for result in coverage where result.groups >= 100 {
            for (index, name) in Self.names.enumerated() { #expect(result.share(index) >= 0.9, "\(name)") }
        }
    }

    /// For docs/adaptive-sampling.md: with more seeds, and without what all traffic tells of an operation.
    @Test("table", .enabled(if: getenv("TAILRACE_INTERVAL_TABLE") != nil), arguments: [400.0, 2000.0])
    func table(rate: Double) {
        Self.show(rate, Self.measure(rate: rate, seeds: 1...60))
        print("each operation by itself")
        Self.show(rate, Self.measure(rate: rate, seeds: 1...60, inPopulation: false))
    }
}
