/// Streaming percentiles of durations, one small histogram per key, all in one array.
///
/// A histogram has 64 buckets of a quarter octave (a bucket's ends are 19 % apart) around its first value; what lies outside
/// counts in the outermost buckets. All counts are halved when a histogram has 8192 values, so that it follows changes.
/// Deterministic: the same values in the same order give the same percentiles. 144 bytes per histogram.
struct DurationSketches {
    static let buckets = 64
    static let bucketsPerOctave = 4.0
    /// Values before a percentile means anything.
    static let minimumCount: UInt32 = 100
    static let halvingCount: UInt32 = 8192

    struct Header: Equatable {
        /// The quarter octave (of nanoseconds) that bucket 0 stands for.
        var base: Int16
        var count: UInt32
    }

    let maximumCount: Int
    private(set) var headers: [Header] = []
    private(set) var counts: [UInt16] = []
    private var free: [Int32] = []

    init(maximumCount: Int) { self.maximumCount = maximumCount }

    /// A new histogram, or nil when there are as many as may be.
    mutating func add() -> Int32? {
        if let index = free.popLast() { return index }
        guard headers.count < maximumCount else { return nil }
        headers.append(Header(base: 0, count: 0))
        counts.append(contentsOf: repeatElement(0, count: Self.buckets))
        return Int32(headers.count - 1)
    }

    mutating func remove(_ index: Int32) {
        headers[Int(index)] = Header(base: 0, count: 0)
        for bucket in 0..<Self.buckets { counts[Int(index) * Self.buckets + bucket] = 0 }
        free.append(index)
    }

    mutating func record(_ duration: UInt64, in index: Int32) {
        let octave = Self.octave(of: duration)
        // The first value lies in the middle: eight octaves on either side.
        if headers[Int(index)].count == 0 { headers[Int(index)].base = Int16(octave - Self.buckets / 2) }
        let bucket = min(max(octave - Int(headers[Int(index)].base), 0), Self.buckets - 1)
        counts[Int(index) * Self.buckets + bucket] += 1
        headers[Int(index)].count += 1
        if headers[Int(index)].count >= Self.halvingCount { halve(index) }
    }

    /// Whether the duration lies in a bucket above the one that holds the percentile.
    func isAbove(_ percentile: Double, _ duration: UInt64, in index: Int32) -> Bool {
        let header = headers[Int(index)]
        guard header.count >= Self.minimumCount else { return false }
        let bucket = Self.octave(of: duration) - Int(header.base)
        let first = Int(index) * Self.buckets
        let allowed = UInt32(Double(header.count) * (1 - percentile))
        var above: UInt32 = 0
        var place = Self.buckets - 1
        while place >= 0 {
            above += UInt32(counts[first + place])
            if above > allowed { return min(bucket, Self.buckets - 1) > place }
            place -= 1
        }
        return false
    }

    private mutating func halve(_ index: Int32) {
        var total: UInt32 = 0
        for place in (Int(index) * Self.buckets)..<((Int(index) + 1) * Self.buckets) {
            counts[place] /= 2
            total += UInt32(counts[place])
        }
        headers[Int(index)].count = total
    }

    /// Quarter octave of a duration in nanoseconds: `floor(4 log2(duration))`, computed on integers so that it is the same on
    /// every machine.
    static func octave(of duration: UInt64) -> Int {
        let value = max(1, duration)
        let exponent = 63 - value.leadingZeroBitCount
        // The mantissa in [2^31, 2^32) against 2^31 times the fourth roots of 2.
        let mantissa = exponent >= 31 ? value >> UInt64(exponent - 31) : value << UInt64(31 - exponent)
        let quarter = mantissa < 2_553_802_834 ? 0 : mantissa < 3_037_000_500 ? 1 : mantissa < 3_611_622_603 ? 2 : 3
        return exponent * 4 + quarter
    }

    var byteCount: Int { headers.capacity * MemoryLayout<Header>.stride + counts.capacity * 2 + free.capacity * 4 }

    // MARK: - State

    func encode(_ index: Int32, to writer: inout StateWriter) {
        let header = headers[Int(index)]
        writer.fixed(UInt16(bitPattern: header.base))
        for bucket in 0..<Self.buckets { writer.varint(UInt64(counts[Int(index) * Self.buckets + bucket])) }
    }

    mutating func decode(into index: Int32, from reader: inout StateReader) throws(StateError) {
        let base = Int16(bitPattern: try reader.fixed(UInt16.self))
        guard (-64...256).contains(base) else { throw StateError.malformed }
        var total: UInt32 = 0
        for bucket in 0..<Self.buckets {
            let count = try reader.varint()
            guard count < UInt64(Self.halvingCount) else { throw StateError.malformed }
            counts[Int(index) * Self.buckets + bucket] = UInt16(count)
            total += UInt32(count)
        }
        headers[Int(index)] = Header(base: base, count: total)
        if total >= Self.halvingCount { throw StateError.malformed }
    }
}
