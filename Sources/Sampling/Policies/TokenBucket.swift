/// A token bucket on stream time, in whole thousandths of a token: the same decisions whenever they are replayed.
///
/// Also keeps how much was asked for and how much was let through of late, which is the probability that it causes.
struct TokenBucket {
    /// Tokens per second.
    let rate: Int64
    /// Most tokens that it holds; it starts full.
    let capacity: Int64
    private(set) var clock = StreamClock()
    /// In thousandths.
    private var level: Int64
    private var meter = ShareMeter()

    /// Rates above would overflow the thousandths; nobody means them.
    static let maximumRate = Int64.max / 1_000_000

    init(rate: Int64, capacity: Int64) {
        self.rate = Swift.min(Swift.max(0, rate), Self.maximumRate)
        self.capacity = Swift.min(Swift.max(0, capacity), Self.maximumRate)
        level = self.capacity * 1000
    }

    /// Takes `amount` tokens if there are so many, or none: never a part.
    mutating func take(_ amount: UInt64, at time: Int64) -> Bool {
        advance(to: time)
        meter.offer(amount)
        guard amount <= UInt64(capacity), Int64(amount) * 1000 <= level else { return false }
        level -= Int64(amount) * 1000
        meter.pass(amount)
        return true
    }

    private mutating func advance(to time: Int64) {
        let elapsed = clock.advance(to: time)
        guard elapsed > 0 else { return }
        // One thousandth per millisecond and token of rate. A pause of any length fills the bucket, no more.
        let (gain, overflow) = elapsed.multipliedReportingOverflow(by: rate)
        let full = capacity * 1000
        level = overflow || gain > full - level ? full : level + gain
        meter.fade(elapsed: elapsed)
    }

    /// The share of what is asked for that it lets through at present.
    var share: Double { meter.share }

    func encode(into encoder: inout StateEncoder) {
        encoder.signed(clock.now)
        encoder.signed(level)
        meter.encode(into: &encoder)
    }

    mutating func restore(from decoder: inout StateDecoder) {
        guard let now = decoder.signed(), let level = decoder.signed(), let meter = ShareMeter(from: &decoder) else {
            return
        }
        clock = StreamClock(now: now)
        // The rate may have been changed since.
        self.level = Swift.min(Swift.max(0, level), capacity * 1000)
        self.meter = meter
    }
}

/// How much of what was asked for was let through of late: the probability that a limiter causes.
struct ShareMeter {
    private var offered: Double = 0
    private var passed: Double = 0

    /// Time in which the past counts half, milliseconds.
    private static let halfLife = 10_000.0

    init() {}

    mutating func offer(_ amount: UInt64) { offered += Double(amount) }

    mutating func pass(_ amount: UInt64) { passed += Double(amount) }

    /// - Parameter elapsed: milliseconds.
    mutating func fade(elapsed: Int64) {
        let factor = PortableMath.halving(elapsed: Double(elapsed), halfLife: Self.halfLife)
        offered *= factor
        passed *= factor
    }

    /// 1 while nothing was asked for.
    var share: Double { offered > 0 ? Swift.min(1, passed / offered) : 1 }

    func encode(into encoder: inout StateEncoder) {
        encoder.double(offered)
        encoder.double(passed)
    }

    init?(from decoder: inout StateDecoder) {
        guard let offered = decoder.double(), let passed = decoder.double(), offered.isFinite, passed.isFinite,
            offered >= 0, passed >= 0
        else { return nil }
        self.offered = offered
        self.passed = passed
    }
}

enum PortableMath {
    /// `2^(-elapsed / halfLife)` by products only: the same bits on every machine, which a library's `exp2` does not promise.
    static func halving(elapsed: Double, halfLife: Double) -> Double {
        var exponent = elapsed / halfLife
        guard exponent < 1000 else { return 0 }
        var result = 1.0
        while exponent >= 1 {
            result *= 0.5
            exponent -= 1
        }
        // 2^-x for 0 <= x < 1: bit by bit, with the roots of one half.
        var root = 0.5
        for _ in 0..<16 {
            root = root.squareRoot()
            exponent *= 2
            if exponent >= 1 {
                result *= root
                exponent -= 1
            }
        }
        return result
    }
}
