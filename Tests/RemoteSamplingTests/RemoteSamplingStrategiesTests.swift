import Glibc
import Testing

@testable import RemoteSampling

/// A made-up service whose clients follow the strategies they are told.
private struct SimulatedTraffic {
    /// How the clients' spans tell their probability.
    enum Marks { case told, untold }

    var random: SeededGenerator
    var strategies: RemoteSamplingStrategies
    let key = OperationKey(service: "shop", operation: "GET /")
    let marks: Marks
    /// Each instance's answer and when it asks next, milliseconds.
    private var instances: [(probability: Double, asksAt: Int64)] = []
    private(set) var now: Int64 = 0
    /// Sampled traces per second of the intervals that are over.
    private(set) var sampledRates: [Double] = []
    /// After each calculation.
    private(set) var probabilities: [Double] = []

    init(seed: UInt64, marks: Marks, settings: RemoteSamplingSettings = RemoteSamplingSettings()) {
        random = SeededGenerator(seed: seed)
        strategies = RemoteSamplingStrategies(settings: settings, now: 0)
        self.marks = marks
        for index in 0..<20 {
            instances.append((settings.initialSamplingProbability, Int64(index) * settings.pollingInterval / 20))
        }
    }

    /// Runs one calculation interval of traffic, in steps of a second.
    mutating func run(rate: (_ second: Int) -> Double) {
        let settings = strategies.settings
        var sampled = 0.0
        for second in 0..<Int(settings.calculationInterval / 1000) {
            var counts = RootSpanCounts()
            for index in instances.indices {
                if instances[index].asksAt <= now {
                    let answer = strategies.strategy(for: key.service, now: now)
                    instances[index].probability =
                        answer.operations.first { $0.name == key.operation }?.probability ?? answer.defaultProbability
                    instances[index].asksAt += settings.pollingInterval
                }
                let probability = instances[index].probability
                let count = random.poisson(rate(second) / Double(instances.count) * probability)
                for _ in 0..<count { counts.add(marks == .told ? .probability(probability) : .none, to: key) }
                sampled += Double(count)
            }
            now += 1000
            strategies.add(counts, time: now - 1, now: now - 1)
        }
        strategies.advance(to: now)
        sampledRates.append(sampled / Double(settings.calculationInterval / 1000))
        probabilities.append(strategies.rates[key]?.probability ?? settings.initialSamplingProbability)
    }

    mutating func run(rate: Double, intervals: Int) {
        for _ in 0..<intervals { run { _ in rate } }
    }
}

struct RemoteSamplingStrategiesTests {
    private static let seeds: [UInt64] = Array(1...40)

    @Test("without traffic a service gets the initial probability, and asking makes it take no place")
    func initialAnswer() {
        var strategies = RemoteSamplingStrategies(now: 0)
        let answer = strategies.strategy(for: "nobody", now: 1)
        #expect(answer.defaultProbability == 0.001)
        #expect(answer.operations.isEmpty)
        for number in 0..<5000 { _ = strategies.strategy(for: "service \(number)", now: Int64(number)) }
        #expect(strategies.requests.count <= RemoteSamplingStrategies.maxServices)
        #expect(strategies.serviceCount == 0)
    }

    @Test(
        "steady traffic is sampled at the target rate, whether spans tell their probability or not",
        arguments: [true, false])
    func steady(isTold: Bool) {
        var mean = 0.0
        for seed in Self.seeds {
            var traffic = SimulatedTraffic(seed: seed, marks: isTold ? .told : .untold)
            traffic.run(rate: 100, intervals: 14)
            let rates = traffic.sampledRates.suffix(6)
            for rate in rates { #expect(abs(rate - 1) < 0.75, "seed \(seed): \(rate)") }
            mean += rates.reduce(0, +) / Double(rates.count) / Double(Self.seeds.count)
        }
        #expect(abs(mean - 1) < 0.06, "mean \(mean)")
    }

    /// Distances (logarithms) of the calculated probabilities from the right one, the interval of the step first.
    private func distances(seed: UInt64, isTold: Bool, factor: Double) -> [Double] {
        var traffic = SimulatedTraffic(seed: seed, marks: isTold ? .told : .untold)
        traffic.run(rate: 200, intervals: 12)
        // In the middle of an interval, at a second of the seed's choice.
        let moment = Int(seed) * 7 % 60
        traffic.run { $0 < moment ? 200 : 200 * factor }
        traffic.run(rate: 200 * factor, intervals: 12)
        return traffic.probabilities.suffix(13).map { log($0 * 200 * factor) }
    }

    @Test(
        "after a step of 10 up the probability is right within 3 intervals, and does not fall below what is right",
        arguments: [true, false])
    func stepUp(isTold: Bool) {
        var settled = 0
        var worst: [Double] = []
        for seed in Self.seeds {
            let distances = distances(seed: seed, isTold: isTold, factor: 10)
            if distances[2...].allSatisfy({ abs($0) < log(1.5) }) { settled += 1 }
            let below = exp(-(distances.min() ?? 0))
            worst.append(below)
            #expect(below < 1.5, "seed \(seed): \(distances.map(exp))")
        }
        #expect(settled == Self.seeds.count)
        // Half of the runs stay within noise of 60 spans per interval.
        #expect(worst.sorted()[worst.count / 2] < 1.13, "\(worst)")
    }

    /// In the first whole interval after the drop there are six spans at first: nobody could tell the rate within a third.
    @Test(
        "after a step of 10 down the probability is within a factor of 2 in 3 intervals, and never above twice what is right",
        arguments: [true, false])
    func stepDown(isTold: Bool) {
        var settled = 0
        for seed in Self.seeds {
            let distances = distances(seed: seed, isTold: isTold, factor: 0.1)
            if distances[2...].allSatisfy({ abs($0) < log(2) }) { settled += 1 }
            #expect((distances.max() ?? 0) < log(2), "seed \(seed): \(distances.map(exp))")
        }
        #expect(settled == Self.seeds.count)
    }

    @Test("an operation whose traffic stops gets more and more of it, and is forgotten in the end")
    func silence() {
        var traffic = SimulatedTraffic(seed: 5, marks: .told)
        traffic.run(rate: 1000, intervals: 6)
        let before = traffic.probabilities.last ?? 0
        traffic.run(rate: 0, intervals: 8)
        #expect((traffic.probabilities.last ?? 0) > 50 * before)
        #expect(traffic.strategies.operationCount == 1)
        traffic.run(rate: 0, intervals: RemoteSamplingStrategies.forgetAfter)
        #expect(traffic.strategies.operationCount == 0)
    }

    @Test("services that never ask are not taken to follow: their spans count once each")
    func notFollowing() {
        var strategies = RemoteSamplingStrategies(now: 0)
        let key = OperationKey(service: "loud", operation: "work")
        for minute in 0..<10 {
            var counts = RootSpanCounts()
            for _ in 0..<6000 { counts.add(.none, to: key) }
            let now = Int64(minute) * 60_000 + 30_000
            strategies.add(counts, time: now, now: now)
        }
        strategies.advance(to: 600_000)
        let probability = strategies.rates[key]?.probability ?? 0
        #expect(abs(probability / 0.01 - 1) < 0.05, "\(probability)")
    }

    @Test("somebody who only looks at the answer changes nothing, also after a restart")
    func looking() {
        var strategies = RemoteSamplingStrategies(now: 0)
        let key = OperationKey(service: "loud", operation: "work")
        var random = SeededGenerator(seed: 12)
        for second in 0..<1800 {
            let now = Int64(second) * 1000
            var counts = RootSpanCounts()
            for _ in 0..<random.poisson(100) { counts.add(.none, to: key) }
            strategies.add(counts, time: now, now: now)
            strategies.advance(to: now)
            if second == 1000 {
                let bytes = strategies.encoded(now: now)
                strategies = RemoteSamplingStrategies(now: now)
                let isRestored = strategies.restore(bytes, now: now)
                #expect(isRestored)
            }
            guard second >= 500, second % 40 == 0 else { continue }
            let answer = strategies.strategy(for: "loud", now: now).operations.first?.probability ?? 0
            #expect(abs(answer / 0.01 - 1) < 0.1, "second \(second): \(answer)")
        }
    }

    @Test(
        "clients that begin to follow one after the other are taken to follow once most of them do", arguments: [1, 5])
    func adopting(intervals: Int) {
        var strategies = RemoteSamplingStrategies(now: 0)
        let key = OperationKey(service: "shop", operation: "GET /")
        var random = SeededGenerator(seed: 13)
        var told = 1.0
        var probability = 0.0
        for second in 0..<3600 {
            let now = Int64(second) * 1000
            // Sixty instances with a hundred traces per second together, each of which asks in a second of its own.
            let adopted = max(0, min(1, Double(second - 600) / Double(60 * intervals)))
            if adopted > 0, Double(second % 60) < adopted * 60 {
                told = strategies.strategy(for: "shop", now: now).operations.first?.probability ?? 0.001
                probability = told
            }
            var counts = RootSpanCounts()
            let rate = 100 * (1 - adopted + adopted * told)
            for _ in 0..<random.poisson(rate) { counts.add(.none, to: key) }
            strategies.add(counts, time: now, now: now)
            strategies.advance(to: now)
        }
        #expect(strategies.unsampled.isEmpty)
        #expect(abs(probability / 0.01 - 1) < 0.5, "\(probability)")
    }

    @Test("one client that claims an absurd probability does not move the others' rate much")
    func absurdMark() {
        var traffic = SimulatedTraffic(seed: 9, marks: .told)
        traffic.run(rate: 100, intervals: 8)
        let before = traffic.probabilities.last ?? 0
        var counts = RootSpanCounts()
        counts.add(.probability(1e-12), to: traffic.key)
        traffic.strategies.add(counts, time: traffic.now, now: traffic.now)
        traffic.run(rate: 100, intervals: 1)
        let after = traffic.probabilities.last ?? 0
        #expect(after > before / 2, "\(before) became \(after)")
    }

    @Test("of N workers each sees a part of the traffic, and answers for all of it")
    func share() {
        var strategies = RemoteSamplingStrategies(now: 0)
        let key = OperationKey(service: "shop", operation: "GET /")
        for second in 0..<600 {
            var counts = RootSpanCounts()
            // A quarter of 40 per second.
            for _ in 0..<10 { counts.add(.probability(1), to: key) }
            let now = Int64(second) * 1000
            strategies.add(counts, time: now, share: 0.25, now: now)
        }
        strategies.advance(to: 600_000)
        let probability = strategies.rates[key]?.probability ?? 0
        #expect(abs(probability / 0.025 - 1) < 0.05, "\(probability)")
    }

    @Test("old spans of a backlog say nothing about present traffic")
    func backlog() {
        var traffic = SimulatedTraffic(seed: 3, marks: .told)
        traffic.run(rate: 100, intervals: 8)
        let before = traffic.probabilities.last ?? 0
        for _ in 0..<3 {
            var counts = RootSpanCounts()
            for _ in 0..<100_000 { counts.add(.probability(1), to: traffic.key) }
            traffic.strategies.add(counts, time: traffic.now - 3_600_000, now: traffic.now)
            traffic.run(rate: 100, intervals: 1)
        }
        #expect(traffic.probabilities.last == before)
        #expect(traffic.strategies.counters.skippedIntervals == 3)
    }

    @Test("operations beyond the limit share a probability that keeps them together at the target")
    func overflow() {
        var settings = RemoteSamplingSettings()
        settings.maxOperations = 10
        var strategies = RemoteSamplingStrategies(settings: settings, now: 0)
        for second in 0..<600 {
            var counts = RootSpanCounts()
            for number in 0..<100 {
                counts.add(.probability(1), to: OperationKey(service: "ids", operation: "GET /\(number)"))
            }
            let now = Int64(second) * 1000
            strategies.add(counts, time: now, now: now)
        }
        let answer = strategies.strategy(for: "ids", now: 600_000)
        #expect(answer.operations.count == 10)
        // 90 of 100 per second.
        #expect(abs(answer.defaultProbability * 90 - 1) < 0.05, "\(answer.defaultProbability)")
        #expect(strategies.counters.overflowSpans == 54_000)
    }

    @Test("after a restart the probabilities go on; what is damaged, newer or too old is left")
    func restart() {
        var traffic = SimulatedTraffic(seed: 2, marks: .untold)
        traffic.run(rate: 100, intervals: 8)
        let bytes = traffic.strategies.encoded(now: traffic.now)
        var next = RemoteSamplingStrategies(now: traffic.now + 5000)
        let isRestored = next.restore(bytes, now: traffic.now + 5000)
        #expect(isRestored)
        #expect(next.rates[traffic.key]?.probability == traffic.probabilities.last)
        #expect(next.requests == traffic.strategies.requests)

        var late = RemoteSamplingStrategies(now: 0)
        let isLateRestored = late.restore(bytes, now: traffic.now + 7_200_000)
        let isNothingRestored = late.restore([], now: traffic.now)
        #expect(!isLateRestored && !isNothingRestored)
        for length in stride(from: 0, to: bytes.count, by: 7) {
            late.restore(Array(bytes[..<length]), now: traffic.now)
        }
        var random = SeededGenerator(seed: 77)
        for _ in 0..<2000 {
            var damaged = bytes
            damaged[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            var strategies = RemoteSamplingStrategies(now: 0)
            strategies.restore(damaged, now: traffic.now)
            let answer = strategies.strategy(for: "shop", now: traffic.now + 61_000)
            for operation in answer.operations { #expect(operation.probability > 0 && operation.probability <= 1) }
        }
    }

    @Test("the calculated probability stays within its limits for any rate")
    func limits() {
        var settings = RemoteSamplingSettings()
        settings.minSamplingProbability = 0.01
        settings.maxSamplingProbability = 0.5
        for (rate, limit) in [(100_000, 0.01), (1, 0.5)] {
            var strategies = RemoteSamplingStrategies(settings: settings, now: 0)
            let key = OperationKey(service: "s", operation: "o")
            for minute in 0..<20 {
                var counts = RootSpanCounts()
                for _ in 0..<rate { counts.add(.probability(1), to: key) }
                strategies.add(counts, time: Int64(minute) * 60_000, now: Int64(minute) * 60_000)
            }
            strategies.advance(to: 1_200_000)
            #expect(strategies.rates[key]?.probability == limit)
        }
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    mutating func poisson(_ mean: Double) -> Int {
        guard mean > 0 else { return 0 }
        if mean > 200 {
            // The normal distribution is near enough.
            let one = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &self)
            let two = Double.random(in: 0..<1, using: &self)
            return max(0, Int((mean + mean.squareRoot() * (-2 * log(one)).squareRoot() * cos(2 * .pi * two)).rounded()))
        }
        let limit = exp(-mean)
        var product = 1.0
        var count = -1
        repeat {
            product *= Double.random(in: 0..<1, using: &self)
            count += 1
        } while product > limit
        return count
    }
}
