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
    }

    private struct Coverage {
        var groups = 0
        /// Below and above the interval: traces, errors, spans, error rate.
        var below = [Int](repeating: 0, count: 4)
        var above = [Int](repeating: 0, count: 4)

        var widths = [[Double]](repeating: [], count: 4)
        func share(_ index: Int) -> Double { 1 - Double(below[index] + above[index]) / Double(max(1, groups)) }
    }

    private static let names = ["traces", "errors", "spans", "error rate"]
    /// Sampled traces of a group, those kept for sure not counted.
    private static let sizes = [1..<5, 5..<15, 15..<50, 50..<Int.max]

    /// Of every size.
    private static func measure(
        rate: Double, seeds: ClosedRange<UInt64>, pooled: Bool, group: @escaping (Int) -> Int
    ) -> [Coverage] {
        var coverage = [Coverage](repeating: Coverage(), count: sizes.count)
        for seed in seeds {
            var settings = SyntheticTraffic.Settings { _ in 20_000 }
            settings.seed = seed
            settings.duration = 4
            settings.errorShare = { _ in 0.03 }
            var traffic = SyntheticTraffic(settings)
            var sampler = BudgetSampler(settings: BudgetSettings(rate: rate))
            var time = settings.startTime
            var groups: [Int: Group] = [:]
            var whole = TrafficEstimator()
            while let batch = traffic.next() {
                time += traffic.tick
                for (item, decision) in zip(batch, sampler.decide(batch.map(\.trace), at: time)) where !item.isRare {
                    let trace = item.trace
                    groups[group(item.operation), default: Group()].traces += 1
                    groups[group(item.operation), default: Group()].spans += Double(trace.spanCount)
                    if trace.hasError { groups[group(item.operation), default: Group()].errors += 1 }
                    guard decision.isKept else { continue }
                    whole.add(
                        probability: decision.probability, isError: trace.hasError, duration: trace.duration,
                        spanCount: Int(trace.spanCount))
                    groups[group(item.operation), default: Group()].sample.add(
                        probability: decision.probability, isError: trace.hasError, duration: trace.duration,
                        spanCount: Int(trace.spanCount))
                }
            }
            for group in groups.values {
                let sample = pooled ? group.sample.part(of: whole) : group.sample
                guard let size = sizes.firstIndex(where: { $0.contains(sample.sampledCount) }),
                    let errorRate = sample.errorRate
                else { continue }
                coverage[size].groups += 1
                let exact = [group.traces, group.errors, group.spans, group.errors / group.traces]
                for (index, estimate) in [sample.count, sample.errorCount, sample.spanCount, errorRate].enumerated() {
                    if exact[index] < estimate.lower * (1 - 1e-9) { coverage[size].below[index] += 1 }
                    coverage[size].widths[index].append((estimate.upper - estimate.lower) / max(1e-9, exact[index]))
                    if exact[index] > estimate.upper * (1 + 1e-9) { coverage[size].above[index] += 1 }
                }
            }
        }
        return coverage
    }

    @Test(
        "intervals of operations and services hold in what a budget sampler kept, from five sampled traces on",
        arguments: [400.0, 2000.0])
    func smallGroups(rate: Double) {
        // A multiple of the seeds for a table that can be relied on to a tenth.
        let seeds: UInt64 = getenv("TAILRACE_INTERVAL_TABLE") == nil ? 12 : 100
        for (name, group) in [("operation", { $0 }), ("ten operations", { $0 % 5 })] as [(String, (Int) -> Int)] {
          for pooled in [false, true] {
            print("pooled", pooled)
            let coverage = Self.measure(rate: rate, seeds: 1...seeds, pooled: pooled, group: group)
            for (size, result) in zip(Self.sizes, coverage) where result.groups > 0 {
                let shares = Self.names.indices.map { index in
                    "\(Self.names[index]) \((result.share(index) * 1000).rounded() / 10) % "
                        + "(below \(result.below[index]), above \(result.above[index]))" + " w \((result.widths[index].sorted()[result.widths[index].count / 2] * 100).rounded() / 100)"
                }
                print(
                    "\(Int(rate)) spans/s, by \(name), \(size.lowerBound) to \(size.upperBound == Int.max ? "∞" : "\(size.upperBound - 1)")"
                        + " sampled, \(result.groups) groups: \(shares.joined(separator: ", "))")
            }
          }
        }
    }
}
