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
        #expect(estimator.errorCount == .exact(1))
        // Never below what was seen.
        #expect(estimator.count.lower >= 2 && estimator.count.lower < 3)
        #expect(estimator.count.upper > 11 + 1.96 * 90.0.squareRoot())
        #expect(try #require(estimator.percentile(0.5)).value == 10)
        #expect(try #require(estimator.percentile(0.95)).value == 1000)
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
