import Glibc

/// Refinery's dynamic samplers (dynsampler-go), for people who come from there: a sample rate per key, learned from the
/// traffic before. One trace in `rate` is kept.
///
/// The published algorithms with three differences: rates are fractions instead of whole numbers (rounding undershoots by up to
/// a half); keys beyond `maximumKeys` share one bucket with a rate of its own (there they are kept whole); in the logarithmic
/// allocation the keys' leftovers flow from the small keys to the large (there in the order of their names).
///
/// A pure state machine on stream time, in milliseconds. One instance per task, used by one thread.
package struct DynamicSampler {
    package enum Algorithm: Sendable, Equatable {
        /// `dynamic`: a mean sample rate, allocated by the logarithm of the keys' counts in the last interval.
        case average(goalRate: Double, interval: Int64)
        /// `ema_dynamic`: the same on moving averages.
        case movingAverage(goalRate: Double, Moving)
        /// `ema_throughput`: events per second instead of a sample rate.
        case movingThroughput(goal: Double, initialRate: Double, Moving)
        /// `total_throughput`: events per second in equal parts, from the last interval.
        case total(goal: Double, interval: Int64)
        /// `windowed_throughput`: events per second in equal parts, from a sliding window.
        case windowed(goal: Double, update: Int64, lookback: Int64)
    }

    /// Settings of the exponential moving averages.
    package struct Moving: Sendable, Equatable {
        package var interval: Int64 = 15_000
        /// Weight of the newest interval, 0…1.
        package var weight = 0.5
        /// Averages below it are forgotten.
        package var ageOut = 0.5
        /// Counts above this many times the average's sum are a burst, and update the rates at once; 0 for none.
        package var burstMultiple = 2.0
        /// Intervals before bursts count.
        package var burstDelay = 3

        package init() {}
    }

    /// The key that keys beyond the limit share.
    static let sharedKey: UInt64 = .max

    package let algorithm: Algorithm
    let maximumKeys: Int
    var counts: [UInt64: Double] = [:]
    var averages: [UInt64: Double] = [:]
    var rates: [UInt64: Double] = [:]
    /// The window's blocks, oldest first, with the time at which each began.
    var blocks: [(start: Int64, counts: [UInt64: Double])] = []
    var nextUpdate = Int64.min
    var hasRates = false
    var burstSum = 0.0
    var burstThreshold = 0.0
    var completedIntervals = 0
    /// Keys of `counts` that have no rate.
    private var newKeys = 0

    package init(_ algorithm: Algorithm, maximumKeys: Int = 500) {
        self.algorithm = algorithm
        self.maximumKeys = max(1, maximumKeys)
    }

    var interval: Int64 {
        switch algorithm {
        case .average(_, let interval), .total(_, let interval): max(1, interval)
        case .movingAverage(_, let moving), .movingThroughput(_, _, let moving): max(1, moving.interval)
        case .windowed(_, let update, _): max(1, update)
        }
    }

    /// Counts events (spans) of a key and returns its sample rate, at least 1.
    package mutating func rate(of key: UInt64, count: Double, at time: Int64) -> Double {
        advance(to: time)
        let key = hasPlace(key) ? key : Self.sharedKey
        if counts[key] == nil, rates[key] == nil { newKeys += 1 }
        counts[key, default: 0] += count
        detectBurst(count, at: time)
        if hasRates { return max(1, rates[key] ?? (key == Self.sharedKey ? rateOfNewBucket : 1)) }
        switch algorithm {
        case .average(let goal, _), .movingAverage(let goal, _): return max(1, goal)
        case .movingThroughput(_, let initial, _): return max(1, initial)
        case .total, .windowed: return key == Self.sharedKey ? rateOfNewBucket : 1
        }
    }

    /// Whether a key is counted by itself. Of the window's limit keys of earlier updates take their part: otherwise every
    /// update could begin with a limit's worth of keys that nothing is known of, and that are kept whole.
    private func hasPlace(_ key: UInt64) -> Bool {
        if counts[key] != nil { return true }
        guard case .windowed = algorithm else { return counts.count < maximumKeys }
        return rates[key] != nil || rates.count + newKeys < maximumKeys
    }

    /// The shared bucket's rate until the next update knows it: a mean rate's goal, or what leaves it one key's part of the
    /// throughput. A new key is kept whole, since it is one; the bucket stands for any number of them.
    private var rateOfNewBucket: Double {
        let goal: Double
        switch algorithm {
        case .average(let goalRate, _), .movingAverage(let goalRate, _): return max(1, goalRate)
        case .movingThroughput(let perSecond, _, _), .total(let perSecond, _):
            goal = perSecond * Double(interval) / 1000
        case .windowed(let perSecond, _, let lookback): goal = perSecond * Double(lookback) / 1000
        }
        return max(1, (counts[Self.sharedKey] ?? 0) / max(1, goal / Double(maximumKeys)))
    }

    private mutating func advance(to time: Int64) {
        if nextUpdate == .min { nextUpdate = time &+ interval }
        // After a long gap every further update would be the same.
        var left = 64
        while time >= nextUpdate, left > 0 {
            update(at: nextUpdate)
            completedIntervals &+= 1
            nextUpdate &+= interval
            left -= 1
        }
        if time >= nextUpdate { nextUpdate = time &+ interval }
    }

    private mutating func detectBurst(_ count: Double, at time: Int64) {
        guard case .some(let moving) = moving, moving.burstMultiple > 0 else { return }
        burstSum += count
        guard burstThreshold > 0, burstSum >= burstThreshold, completedIntervals >= moving.burstDelay else { return }
        update(at: time)
        nextUpdate = time &+ interval
    }

    private var moving: Moving? {
        switch algorithm {
        case .movingAverage(_, let moving), .movingThroughput(_, _, let moving): moving
        case .average, .total, .windowed: nil
        }
    }

    /// After the counts or the rates have changed as a whole.
    mutating func countNewKeys() { newKeys = counts.keys.count { rates[$0] == nil } }

    // MARK: - Updates

    private mutating func update(at time: Int64) {
        burstSum = 0
        defer { countNewKeys() }
        let seconds = Double(interval) / 1000
        switch algorithm {
        case .average(let goalRate, _):
            let sum = counts.values.reduce(0, +)
            rates = Self.logarithmic(counts, goal: sum / max(1, goalRate))
            hasRates = !counts.isEmpty
            counts.removeAll(keepingCapacity: true)
        case .movingAverage(let goalRate, let moving):
            guard average(moving) else { return }
            let sum = averages.values.reduce(0) { $0 + max(1, $1) }
            rates = Self.logarithmic(averages, goal: sum / max(1, goalRate))
        case .movingThroughput(let goal, _, let moving):
            guard average(moving) else { return }
            rates = Self.logarithmic(averages, goal: goal * seconds)
        case .total(let goal, _):
            rates = Self.equal(counts, goal: goal * seconds)
            hasRates = !counts.isEmpty
            counts.removeAll(keepingCapacity: true)
        case .windowed(let goal, _, let lookback):
            blocks.append((time, counts))
            counts.removeAll(keepingCapacity: true)
            blocks.removeAll { $0.start <= time &- lookback }
            var sums: [UInt64: Double] = [:]
            for block in blocks {
                for (key, count) in block.counts {
                    sums[sums[key] != nil || sums.count < maximumKeys ? key : Self.sharedKey, default: 0] += count
                }
            }
            rates = Self.equal(sums, goal: goal * Double(lookback) / 1000)
            hasRates = !sums.isEmpty
        }
    }

    /// Folds the interval into the averages; false where there was no traffic.
    private mutating func average(_ moving: Moving) -> Bool {
        guard !counts.isEmpty else { return false }
        for key in Array(averages.keys) where counts[key] == nil { averages[key, default: 0] *= 1 - moving.weight }
        for (key, count) in counts {
            averages[key] = moving.weight * count + (1 - moving.weight) * (averages[key] ?? 0)
        }
        averages = averages.filter { $0.value >= moving.ageOut }
        if averages.count > maximumKeys { foldSmallAverages() }
        counts.removeAll(keepingCapacity: true)
        burstThreshold = moving.burstMultiple * averages.values.reduce(0) { $0 + max(1, $1) }
        hasRates = true
        return true
    }

    /// Keys of several intervals can be more than may be: the smallest share the bucket.
    private mutating func foldSmallAverages() {
        let sorted = averages.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
        for (key, value) in sorted.dropFirst(maximumKeys) where key != Self.sharedKey {
            averages[key] = nil
            averages[Self.sharedKey, default: 0] += value
        }
    }

    /// Each key's part of the goal grows with the logarithm of its count; what small keys do not need goes to the larger.
    static func logarithmic(_ counts: [UInt64: Double], goal: Double) -> [UInt64: Double] {
        let sorted = counts.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value < $1.value }
        let sum = sorted.reduce(0) { $0 + log10(max(1, $1.value)) }
        let ratio = sum > 0 ? goal / sum : 0
        var extra = 0.0
        var remaining = Double(sorted.count)
        var rates: [UInt64: Double] = [:]
        for (key, count) in sorted {
            let count = max(1, count)
            let part = max(1, log10(count) * ratio) + extra / remaining
            extra -= extra / remaining
            remaining -= 1
            if count <= part {
                rates[key] = 1
                extra += part - count
            } else {
                // A fraction keeps exactly the part: nothing is left over.
                rates[key] = count / part
            }
        }
        return rates
    }

    /// Every key may have the same part of the goal, and at least one event.
    static func equal(_ counts: [UInt64: Double], goal: Double) -> [UInt64: Double] {
        guard !counts.isEmpty else { return [:] }
        let part = max(1, goal / Double(counts.count))
        return counts.mapValues { max(1, $0 / part) }
    }
}
