import Testing

@testable import Sampling

struct DynamicSamplerTests {
    /// Traces of ten keys, each half as frequent as the one before; returns what is kept per second.
    private static func keptPerSecond(
        _ sampler: inout DynamicSampler, seconds: Int, from: Int = 0, perSecond: Double
    ) -> Double {
        var kept = 0.0
        for second in from..<(from + seconds) {
            for key in 0..<10 {
                let count = perSecond / Double(2 << key)
                // Ten batches per second, so that a burst is seen within the second.
                for part in 0..<10 {
                    let time = Int64(second * 1000 + part * 100)
                    kept += count / 10 / sampler.rate(of: UInt64(key), count: count / 10, at: time)
                }
            }
        }
        return kept / Double(seconds)
    }

    @Test("ema_throughput settles at its goal after a step, and overshoots until then, as Refinery does")
    func throughput() {
        var sampler = DynamicSampler(.movingThroughput(goal: 100, initialRate: 10, .init()))
        _ = Self.keptPerSecond(&sampler, seconds: 120, perSecond: 1000)
        #expect(abs(Self.keptPerSecond(&sampler, seconds: 30, from: 120, perSecond: 1000) / 100 - 1) < 0.1)
        let firstSeconds = Self.keptPerSecond(&sampler, seconds: 5, from: 150, perSecond: 10_000)
        #expect(firstSeconds > 300)
        _ = Self.keptPerSecond(&sampler, seconds: 100, from: 155, perSecond: 10_000)
        #expect(abs(Self.keptPerSecond(&sampler, seconds: 30, from: 255, perSecond: 10_000) / 100 - 1) < 0.1)
    }

    @Test("dynamic and ema_dynamic keep one event in their goal's rate")
    func goalRate() {
        for algorithm in [
            DynamicSampler.Algorithm.average(goalRate: 20, interval: 30_000), .movingAverage(goalRate: 20, .init()),
        ] {
            var sampler = DynamicSampler(algorithm)
            _ = Self.keptPerSecond(&sampler, seconds: 120, perSecond: 4000)
            let kept = Self.keptPerSecond(&sampler, seconds: 60, from: 120, perSecond: 4000)
            #expect(abs(kept / 200 - 1) < 0.1, "\(algorithm): \(kept)")
        }
    }

    @Test("the throughput samplers with equal parts stay below their goal, since small keys leave theirs unused")
    func equalParts() {
        for algorithm in [
            DynamicSampler.Algorithm.total(goal: 100, interval: 30_000),
            .windowed(goal: 100, update: 1000, lookback: 30_000),
        ] {
            var sampler = DynamicSampler(algorithm)
            _ = Self.keptPerSecond(&sampler, seconds: 60, perSecond: 1000)
            let kept = Self.keptPerSecond(&sampler, seconds: 60, from: 60, perSecond: 1000)
            #expect(kept > 30 && kept < 90, "\(algorithm): \(kept)")
        }
    }

    @Test("keys beyond the limit share a bucket that is sampled, and are never kept whole")
    func manyKeys() {
        for algorithm in [
            DynamicSampler.Algorithm.average(goalRate: 10, interval: 10_000), .movingAverage(goalRate: 10, .init()),
            .movingThroughput(goal: 100, initialRate: 10, .init()), .total(goal: 100, interval: 10_000),
            .windowed(goal: 100, update: 1000, lookback: 10_000),
        ] {
            var sampler = DynamicSampler(algorithm, maximumKeys: 50)
            var kept = 0.0
            for number in 0..<200_000 {
                // A thousand per second, each with a key of its own.
                let rate = sampler.rate(of: UInt64(number) + 1, count: 1, at: Int64(number))
                if number >= 150_000 { kept += 1 / rate }
            }
            #expect(kept / 50_000 < 0.35, "\(algorithm): \(kept / 50_000)")
            #expect(sampler.rates.count <= 51 && sampler.averages.count <= 51 && sampler.counts.count <= 51)
        }
    }

    @Test("an explosion of keys is sampled from its first second on, not kept whole until the next update")
    func suddenlyManyKeys() {
        for algorithm in [
            DynamicSampler.Algorithm.average(goalRate: 10, interval: 30_000), .movingAverage(goalRate: 10, .init()),
            .movingThroughput(goal: 100, initialRate: 10, .init()), .total(goal: 100, interval: 30_000),
            .windowed(goal: 100, update: 1000, lookback: 30_000),
        ] {
            var sampler = DynamicSampler(algorithm, maximumKeys: 50)
            _ = Self.keptPerSecond(&sampler, seconds: 95, perSecond: 100)
            for second in 95..<125 {
                var kept = 0.0
                for number in 0..<1000 {
                    let time = Int64(second * 1000 + number)
                    kept += 1 / sampler.rate(of: UInt64(time) + 1000, count: 1, at: time)
                }
                // Half, since moving averages come behind a burst, as in Refinery; the bucket itself is never kept whole.
                #expect(kept < 500, "\(algorithm), second \(second): \(kept)")
            }
        }
    }

    @Test("a saved state goes on as if nothing had happened")
    func state() {
        for algorithm in [
            DynamicSampler.Algorithm.average(goalRate: 10, interval: 10_000), .movingAverage(goalRate: 10, .init()),
            .movingThroughput(goal: 100, initialRate: 10, .init()), .total(goal: 100, interval: 10_000),
            .windowed(goal: 100, update: 1000, lookback: 10_000),
        ] {
            var sampler = DynamicSampler(algorithm)
            _ = Self.keptPerSecond(&sampler, seconds: 47, perSecond: 500)
            var encoder = StateEncoder()
            sampler.encode(into: &encoder)
            var continued = DynamicSampler(algorithm)
            var decoder = StateDecoder(encoder.bytes)
            continued.restore(from: &decoder)
            let expected = Self.keptPerSecond(&sampler, seconds: 40, from: 47, perSecond: 500)
            let actual = Self.keptPerSecond(&continued, seconds: 40, from: 47, perSecond: 500)
            #expect(abs(expected - actual) < 1e-9 * expected)
        }
    }

    @Test("small keys leave what they do not need to the larger ones, and the goal is met to within a key's one event")
    func allocation() {
        let counts: [UInt64: Double] = [1: 1, 2: 2, 3: 50, 4: 1000, 5: 9000]
        let rates = DynamicSampler.logarithmic(counts, goal: 500)
        #expect(rates[1] == 1 && rates[2] == 1)
        let kept = counts.reduce(0) { $0 + $1.value / (rates[$1.key] ?? 1) }
        #expect(abs(kept - 500) <= 1 + 1e-6)
    }
}
