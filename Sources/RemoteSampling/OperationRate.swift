import Glibc

/// The estimated rate of one operation's root spans before any sampling, and the probability that follows from it.
///
/// A Kalman filter on the logarithm of the rate: an observation counts by its own precision (many spans, much) and by how
/// uncertain the estimate is, so that noise is damped and the first observations are taken over at once. An observation that
/// noise cannot explain is a step of the traffic: the estimate starts anew there. The rate is measured and does not depend on
/// the probability in force, so there is no loop that could swing.
struct OperationRate: Sendable, Equatable {
    /// One interval's observation.
    struct Observation {
        /// Estimated root spans per second.
        var rate = 0.0
        /// Of the rate, relative; of a rate of 0 without meaning.
        var variance = 0.0
        /// Of the probability that the clients are taken to have used, relative.
        var probabilityVariance = 0.0
        /// Observed spans, those that say the same counted as one.
        var effectiveCount = 0.0
        /// What one more span would have added to the rate.
        var grain = 0.0
    }

    /// Natural logarithm of root spans per second.
    private(set) var level: Double
    /// Of `level`.
    private(set) var variance: Double
    /// Those that were answered in the intervals before, newest first: clients follow them with a delay.
    private(set) var probabilities: [Double]
    /// Intervals without a span, one after the other.
    private(set) var idleIntervals = 0

    /// How many former probabilities are remembered.
    static let historyLimit = 12
    /// Real rates wander by about 5 % from one interval to the next.
    private static let drift = 0.0025
    /// A probability grows at most so much per interval: what was not seen may come back.
    private static let largestIncrease = 4.0
    /// Standard deviations that noise does not reach.
    private static let surprise = 3.0

    var probability: Double { probabilities[0] }
    var rate: Double { exp(level) }

    init(_ observation: Observation, answered: Double, settings: RemoteSamplingSettings) {
        level = log(max(observation.rate, observation.grain / 2))
        variance = max(observation.variance, 1e-6)
        probabilities = [answered]
        publish(settings)
    }

    init(level: Double, variance: Double, probability: Double) {
        self.level = level
        self.variance = variance
        probabilities = [probability]
    }

    /// Time has passed without observations.
    mutating func age(intervals: Double) { variance = min(4, variance + Self.drift * max(0, intervals)) }

    mutating func update(_ observation: Observation, settings: RemoteSamplingSettings) {
        age(intervals: 1)
        idleIntervals = observation.effectiveCount > 0 ? 0 : idleIntervals + 1
        let expected = rate
        // Both in spans: how many were expected, and how far off they may be.
        let missing = expected - observation.rate
        let noise = expected * observation.grain + expected * expected * variance
        if isStepUp(observation) {
            startAnew(from: observation)
        } else if missing > Self.surprise * noise.squareRoot() {
            startAnew(from: observation)
        } else {
            combine(with: observation)
        }
        publish(settings)
    }

    /// What was known before says nothing any more. Half a span more than was seen (Jeffreys' prior) makes none a rate too.
    private mutating func startAnew(from observation: Observation) {
        level = log((observation.effectiveCount + 0.5) * observation.grain)
        variance = 1 / (observation.effectiveCount + 0.5) + observation.probabilityVariance
    }

    /// The gamma distribution after an interval: `1 / variance` spans seen before, in the time in which the rate gives so many,
    /// and those of the interval, in its time. Where it is uncertain how clients sampled, the interval counts for less.
    private mutating func combine(with observation: Observation) {
        let before = 1 / variance
        let expected = max(observation.effectiveCount, rate / observation.grain)
        let trust = 1 / (1 + expected * observation.probabilityVariance)
        let spans = before + trust * observation.effectiveCount
        let time = before / rate + trust / observation.grain
        level = log(spans / time)
        variance = 1 / spans
    }

    private func isStepUp(_ observation: Observation) -> Bool {
        // Of one or two spans any rate could be read.
        guard observation.effectiveCount >= 4 else { return false }
        let difference = log(observation.rate) - level
        return difference > Self.surprise * (variance + observation.variance).squareRoot()
    }

    /// The same probability goes on for one more interval.
    mutating func hold() { remember(probability) }

    private mutating func publish(_ settings: RemoteSamplingSettings) {
        let wanted = settings.targetSamplesPerSecond / rate
        let limited = min(wanted, probability * Self.largestIncrease)
        remember(min(settings.maxSamplingProbability, max(settings.minSamplingProbability, limited)))
    }

    private mutating func remember(_ probability: Double) {
        probabilities.insert(probability, at: 0)
        if probabilities.count > Self.historyLimit { probabilities.removeLast() }
    }

    /// What clients sampled with on average over the interval that ends now, and how uncertain that is (the variance of its
    /// logarithm), when each took over an answer at some moment of the last polling interval.
    func probabilityInUse(_ settings: RemoteSamplingSettings) -> (probability: Double, variance: Double) {
        let lag = Double(settings.pollingInterval) / Double(max(1, settings.calculationInterval))
        var sum = 0.0
        var logarithms = 0.0
        var squares = 0.0
        var total = 0.0
        // The present answer was given since the start of the interval, the one before since an interval earlier, and so on.
        for (age, answered) in probabilities.enumerated() {
            let isOldest = age == probabilities.count - 1
            let share = Self.shareInUse(age: Double(age), lag: lag, isOldest: isOldest)
            let logarithm = log(answered)
            sum += share * answered
            logarithms += share * logarithm
            squares += share * logarithm * logarithm
            total += share
        }
        guard total > 0 else { return (probability, 0) }
        let mean = logarithms / total
        return (sum / total, max(0, squares / total - mean * mean))
    }

    /// The part of an interval's client time in which the answer `age` intervals before the present one was followed.
    private static func shareInUse(age: Double, lag: Double, isOldest: Bool) -> Double {
        guard lag > 0 else { return age == 0 ? 1 : 0 }
        // Averaged over moments s of the interval: the client asked between s - lag and s, evenly.
        let steps = 20
        var share = 0.0
        for step in 0..<steps {
            let moment = (Double(step) + 0.5) / Double(steps)
            let newest = age == 0 ? 0 : moment + age - 1
            let oldest = isOldest ? .infinity : moment + age
            share += max(0, min(lag, oldest) - min(lag, newest)) / lag
        }
        return share / Double(steps)
    }
}
