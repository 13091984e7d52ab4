import Glibc
import Sampling
import TraceModel

/// Made-up traffic: some operations with Zipf-distributed frequencies, many rare ones, shapes, errors and slow traces.
package struct SyntheticTraffic: SimulatedTraffic {
    package struct Settings: Sendable {
        package var seed: UInt64 = 1
        /// Length in seconds.
        package var duration = 450
        /// Spans per second, by second.
        package var spansPerSecond: @Sendable (_ second: Int) -> Double
        package var operations = 50
        package var zipfExponent = 1.1
        package var rareOperations = 150
        /// Traces per second of each rare operation, whatever the load.
        package var rareRate = 0.02
        package var errorShare: @Sendable (_ second: Int) -> Double = { _ in 0.01 }
        package var meanSpans = 10.0
        package var sigmaSpans = 0.8
        /// Shapes of an operation without errors; the later ones are rarer, each a third of the one before.
        package var shapesPerOperation = 3
        /// Share of traces with a key of their own, as if an id stood in the operation's name.
        package var uniqueKeyShare: @Sendable (_ second: Int) -> Double = { _ in 0 }
        package var tick: Int64 = 1000
        /// Where the first second begins, milliseconds since the Unix epoch; a multiple of a minute.
        package var startTime: Int64 = 1_700_000_040_000

        package init(spansPerSecond: @escaping @Sendable (_ second: Int) -> Double) {
            self.spansPerSecond = spansPerSecond
        }
    }

    package let settings: Settings
    private var random: SeededGenerator
    private var cumulative: [Double] = []
    private var tickNumber = 0
    private var uniqueKeys: UInt64 = 0

    package init(_ settings: Settings) {
        self.settings = settings
        random = SeededGenerator(seed: settings.seed)
        var sum = 0.0
        for rank in 1...max(1, settings.operations) {
            sum += pow(Double(rank), -settings.zipfExponent)
            cumulative.append(sum)
        }
        cumulative = cumulative.map { $0 / sum }
    }

    package var tick: Int64 { settings.tick }

    package mutating func next() -> [SimulatedTrace]? {
        let second = tickNumber * Int(settings.tick) / 1000
        guard second < settings.duration else { return nil }
        tickNumber += 1
        let seconds = Double(settings.tick) / 1000
        let common = random.poisson(settings.spansPerSecond(second) / settings.meanSpans * seconds)
        let rare = random.poisson(Double(settings.rareOperations) * settings.rareRate * seconds)
        var traces: [SimulatedTrace] = []
        traces.reserveCapacity(common + rare)
        for _ in 0..<common {
            let draw = random.uniform()
            traces.append(make(operation: cumulative.lowerBound(of: draw), isRare: false, second: second))
        }
        for _ in 0..<rare {
            let operation = settings.operations + Int(random.next() % UInt64(max(1, settings.rareOperations)))
            traces.append(make(operation: operation, isRare: true, second: second))
        }
        traces.sort { $0.offset < $1.offset }
        return traces
    }

    private mutating func make(operation: Int, isRare: Bool, second: Int) -> SimulatedTrace {
        let spans = max(1, random.lognormal(mean: settings.meanSpans, sigma: settings.sigmaSpans).rounded())
        let isError = random.uniform() < settings.errorShare(second)
        var shape = 0
        while shape < settings.shapesPerOperation - 1, random.uniform() < 1.0 / 3 { shape += 1 }
        var key = UInt64(operation) << 1 | (isError ? 1 : 0)
        if settings.uniqueKeyShare(second) > 0, random.uniform() < settings.uniqueKeyShare(second) {
            uniqueKeys += 1
            key = 1 << 40 | uniqueKeys
        }
        let milliseconds = random.lognormal(mean: 20 + Double(operation % 17) * 10, sigma: 0.6)
        let trace = BudgetTrace(
            traceID: TraceID(high: random.next(), low: random.next()), spanCount: UInt32(min(spans, 1e6)),
            byteCount: UInt64(spans * 400), key: Self.hash(key &+ 1),
            shape: Self.hash(UInt64(operation) << 8 | UInt64(shape) << 1 | (isError ? 1 : 0) | 1 << 50),
            hasError: isError, duration: UInt64(milliseconds * 1e6))
        return SimulatedTrace(
            trace: trace, offset: random.uniform() * Double(settings.tick), operation: operation, isRare: isRare)
    }

    static func hash(_ number: UInt64) -> UInt64 {
        var generator = SeededGenerator(seed: number)
        return generator.next()
    }
}

extension Array where Element: Comparable {
    /// The first index whose element is not below the value, in a sorted array; the last index at most.
    package func lowerBound(of value: Element) -> Int {
        var low = 0
        var high = count - 1
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < value { low = middle + 1 } else { high = middle }
        }
        return Swift.max(0, low)
    }
}
