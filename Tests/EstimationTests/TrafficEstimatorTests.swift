import Estimation
import Testing

struct TrafficEstimatorTests {
    @Test("without sampling everything is exact")
    func exact() throws {
        var estimator = TrafficEstimator()
        for number in 1...100 {
            estimator.add(probability: 1, isError: number <= 5, duration: UInt64(number), spanCount: 3)
        }
        #expect(estimator.count == .exact(100))
        #expect(estimator.errorCount == .exact(5))
        #expect(estimator.spanCount == .exact(300))
        #expect(estimator.errorRate == .exact(0.05))
        #expect(try #require(estimator.percentile(0.5)) == .exact(50))
        #expect(try #require(estimator.percentile(0.99)) == .exact(99))
    }

    @Test("a trace counts as often as its probability says")
    func weights() throws {
        var estimator = TrafficEstimator()
        estimator.add(probability: 0.1, isError: false, duration: 10)
        estimator.add(probability: 1, isError: true, duration: 1000)
        #expect(abs(estimator.count.value - 11) < 1e-9)
        // The sampled trace has none, but the others that it stands for may.
        #expect(estimator.errorCount.value == 1 && estimator.errorCount.lower == 1)
        #expect(estimator.errorCount.upper > 20 && estimator.errorCount.upper < estimator.count.upper)
        // Never below what was seen.
        #expect(estimator.count.lower >= 2 && estimator.count.lower < 3)
        #expect(estimator.count.upper > 11 + 1.96 * 90.0.squareRoot())
        #expect(try #require(estimator.percentile(0.5)).value == 10)
        #expect(try #require(estimator.percentile(0.95)).value == 1000)
    }

    @Test("that nothing was dropped is within the interval where the sample does not speak against it")
    func nothingDropped() {
        var estimator = TrafficEstimator()
        estimator.add(probability: 1, isError: false, duration: 1, spanCount: 20)
        estimator.add(probability: 0.25, isError: false, duration: 1, spanCount: 4)
        #expect(estimator.count.lower == 2 && estimator.spanCount.lower == 24)
        estimator.add(probability: 0.9, isError: false, duration: 1, spanCount: 7)
        #expect(estimator.count.lower == 3 && estimator.spanCount.lower == 31)
        for _ in 0..<100 { estimator.add(probability: 0.25, isError: false, duration: 1, spanCount: 4) }
        #expect(estimator.count.lower > 300 && estimator.spanCount.lower > 1200)
    }

    @Test("errors that were all sure to be kept are exact where chance would have sampled some")
    func errorsKeptOnPurpose() throws {
        var estimator = TrafficEstimator()
        for number in 0..<20 {
            estimator.add(probability: number < 3 ? 1 : 0.05, isError: number < 2, duration: 1)
        }
        // 3 of 20 are certain: that both errors are among them has a chance of 3/20 * 2/19 = 1.6 %.
        #expect(estimator.errorCount == .exact(2))
        #expect(try #require(estimator.errorRate).lower < 2 / estimator.count.value)
        estimator = TrafficEstimator()
        for number in 0..<20 {
            estimator.add(probability: number < 8 ? 1 : 0.05, isError: number < 2, duration: 1)
        }
        // 8/20 * 7/19 = 15 %.
        #expect(estimator.errorCount.upper > 20)
    }

    @Test("a part with light traces only allows for the weights of all traffic, and less so the more it has")
    func population() {
        var all = SampledPopulation()
        for _ in 0..<100 { all.add(probability: 0.02, spanCount: 3) }
        func estimate(_ count: Int, in population: SampledPopulation?) -> Estimate {
            var estimator = TrafficEstimator()
            for _ in 0..<count { estimator.add(probability: 0.5, isError: false, duration: 1, spanCount: 3) }
            return (population.map { estimator.part(of: $0) } ?? estimator).count
        }
        #expect(estimate(5, in: nil).upper < 20)
        #expect(estimate(5, in: all).upper > 100)
        #expect(estimate(5, in: all).value == 10 && estimate(5, in: all).lower <= estimate(5, in: nil).lower + 1)
        let (many, alone) = (estimate(20_000, in: all), estimate(20_000, in: nil))
        #expect(abs(many.upper - alone.upper) < 0.01 * (alone.upper - alone.value) + 60)
        #expect(many.upper - many.value < 1.25 * (alone.upper - alone.value))
    }

    @Test("weights beyond all numbers make no interval that cannot be printed")
    func enormousWeights() throws {
        var estimator = TrafficEstimator()
        estimator.add(probability: 1e-200, isError: true, duration: 1, spanCount: .max)
        estimator.add(probability: 0.5, isError: false, duration: 1)
        estimator.add(probability: .leastNonzeroMagnitude, isError: false, duration: 1)
        for estimate in [estimator.count, estimator.errorCount, estimator.spanCount, estimator.errorRate] {
            let estimate = try #require(estimate)
            #expect(!estimate.lower.isNaN && !estimate.upper.isNaN && estimate.lower >= 0)
        }
    }

    @Test("with many traces an interval is 1.96 standard errors wide on either side")
    func largeSample() {
        var estimator = TrafficEstimator()
        for number in 0..<20_000 { estimator.add(probability: 0.1, isError: number % 100 == 0, duration: 1) }
        // w (w - 1) = 90 each.
        let half = 1.96 * (90.0 * 20_000).squareRoot()
        #expect(abs(estimator.count.upper - 200_000 - half) < half * 0.02)
        #expect(abs(200_000 - half - estimator.count.lower) < half * 0.02)
        #expect(estimator.errorRate.map { $0.contains(0.01) && $0.upper < 0.0125 && $0.lower > 0.008 } == true)
    }

    @Test("a percentile beyond what a small sample can say has no upper end")
    func smallSample() throws {
        var estimator = TrafficEstimator()
        for number in 1...20 { estimator.add(probability: 0.05, isError: false, duration: UInt64(number)) }
        #expect(try #require(estimator.percentile(0.99)).upper == .infinity)
        #expect(try #require(estimator.percentile(0.5)).upper < 20)
    }

    @Test("no traces give no rate and no percentile, and senseless probabilities count once")
    func empty() {
        var estimator = TrafficEstimator()
        #expect(estimator.count == .exact(0))
        #expect(estimator.errorRate == nil)
        #expect(estimator.percentile(0.5) == nil)
        for probability in [0, -1, 2, Double.nan, .infinity] {
            estimator.add(probability: probability, isError: false, duration: .max)
        }
        #expect(estimator.count == .exact(5))
    }
}
