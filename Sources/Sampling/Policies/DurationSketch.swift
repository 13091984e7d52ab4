/// A distribution of durations in buckets that grow by about 3 %, in which the past fades: bounded, deterministic, mergeable.
///
/// Buckets are 32 to an octave, kept sparsely: an operation's durations fall into some dozens of them. A quantile is off by at
/// most one bucket.
struct DurationSketch {
    struct Bucket: Equatable {
        var index: UInt16
        var count: Double
    }

    /// By index.
    private(set) var buckets: [Bucket] = []
    private(set) var total: Double = 0
    /// Stream time of the last fading, milliseconds.
    private(set) var fadedAt: Int64

    /// Buckets with less than this are forgotten.
    private static let leastCount = 1.0 / 1024

    init(at time: Int64) { fadedAt = time }

    /// The bucket of a duration in nanoseconds.
    static func bucket(_ duration: UInt64) -> UInt16 {
        guard duration >= 32 else { return UInt16(duration) }
        let exponent = 63 - duration.leadingZeroBitCount
        let mantissa = duration >> UInt64(exponent - 5) & 31
        return UInt16(exponent - 4) * 32 + UInt16(mantissa)
    }

    mutating func add(_ duration: UInt64) {
        let index = Self.bucket(duration)
        total += 1
        // Most durations fall near the last ones: a binary search over some dozens.
        var low = 0
        var high = buckets.count
        while low < high {
            let middle = (low + high) / 2
            if buckets[middle].index < index { low = middle + 1 } else { high = middle }
        }
        if low < buckets.count, buckets[low].index == index {
            buckets[low].count += 1
        } else {
            buckets.insert(Bucket(index: index, count: 1), at: low)
        }
    }

    /// Lets the past fade by half for every `halfLife` milliseconds; in steps of a sixteenth of it.
    mutating func fade(to time: Int64, halfLife: Int64) {
        let elapsed = time &- fadedAt
        guard elapsed >= max(1, halfLife / 16) else { return }
        fadedAt = time
        let factor = PortableMath.halving(elapsed: Double(elapsed), halfLife: Double(max(1, halfLife)))
        total = 0
        for position in buckets.indices {
            buckets[position].count *= factor
            total += buckets[position].count
        }
        buckets.removeAll { $0.count < Self.leastCount }
    }

    /// The bucket that holds a quantile, 0…1; nil for an empty sketch.
    func quantile(_ share: Double) -> UInt16? {
        var above = total * (1 - share)
        for bucket in buckets.reversed() {
            // The quantile lies in the first bucket, from above, that holds more than what may lie above it.
            if bucket.count > above { return bucket.index }
            above -= bucket.count
        }
        return buckets.first?.index
    }

    func encode(into encoder: inout StateEncoder) {
        encoder.signed(fadedAt)
        encoder.number(UInt64(buckets.count))
        var last: UInt16 = 0
        for bucket in buckets {
            encoder.number(UInt64(bucket.index &- last))
            // Exact: a restart must not change what follows.
            encoder.double(bucket.count)
            last = bucket.index
        }
        encoder.double(total)
    }

    init?(from decoder: inout StateDecoder) {
        guard let fadedAt = decoder.signed(), let count = decoder.count(ofSize: 9) else { return nil }
        self.fadedAt = fadedAt
        var last: UInt64 = 0
        for position in 0..<count {
            guard let step = decoder.number(), let amount = decoder.double(), amount.isFinite, amount >= 0,
                position == 0 || step > 0, step < 2048, last + step < 2048
            else { return nil }
            last += step
            buckets.append(Bucket(index: UInt16(last), count: amount))
        }
        guard let total = decoder.double(), total.isFinite, total >= 0 else { return nil }
        self.total = total
    }
}
