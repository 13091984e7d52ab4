/// Writes a policy's state as bytes: little-endian base-128 numbers, lengths before texts.
public struct StateEncoder {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func number(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Small for numbers near zero on either side.
    public mutating func signed(_ value: Int64) { number(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    /// Eight bytes: for hashes, which are never small.
    public mutating func word(_ value: UInt64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    public mutating func double(_ value: Double) { word(value.bitPattern) }

    public mutating func text(_ value: String) { blob(Array(value.utf8)) }

    public mutating func blob(_ value: [UInt8]) {
        number(UInt64(value.count))
        bytes.append(contentsOf: value)
    }
}

/// Reads what a `StateEncoder` wrote. Reading past the end, or what no encoder writes, gives nil, and so does everything
/// after it.
public struct StateDecoder {
    private let bytes: [UInt8]
    private var position = 0
    private let end: Int

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        end = bytes.count
    }

    public var isAtEnd: Bool { position >= end }

    public mutating func number() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end, shift < 64 {
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return fail()
    }

    public mutating func signed() -> Int64? {
        number().map { Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1) }
    }

    public mutating func word() -> UInt64? {
        guard end - position >= 8 else { return fail() }
        var value: UInt64 = 0
        for index in 0..<8 { value |= UInt64(bytes[position + index]) << UInt64(8 * index) }
        position += 8
        return value
    }

    public mutating func double() -> Double? { word().map { Double(bitPattern: $0) } }

    public mutating func blob() -> [UInt8]? {
        guard let count = number(), count <= UInt64(end - position) else { return fail() }
        defer { position += Int(count) }
        return Array(bytes[position..<(position + Int(count))])
    }

    public mutating func text() -> String? { blob().map { String(decoding: $0, as: UTF8.self) } }

    /// A number of elements that each take at least `size` bytes: no more than can follow.
    public mutating func count(ofSize size: Int) -> Int? {
        guard let count = number(), count <= UInt64((end - position) / max(1, size)) else { return fail() }
        return Int(count)
    }

    private mutating func fail<Value>() -> Value? {
        position = end
        return nil
    }
}

/// Time as stateful policies see it: the decisions' stream time, which never goes back.
///
/// Decisions of one tick are made in order of time, but one that was made early to free memory may lie after the next tick's
/// first; going back would refill a bucket twice.
public struct StreamClock {
    /// Milliseconds since the Unix epoch; `Int64.min` before the first decision.
    public private(set) var now: Int64 = .min

    public init(now: Int64 = .min) { self.now = now }

    /// Moves to a decision's time and returns the milliseconds since the one before, 0 for the first.
    public mutating func advance(to time: Int64) -> Int64 {
        guard time > now else { return 0 }
        let elapsed = now == .min ? 0 : time &- now
        now = time
        return max(0, elapsed)
    }
}
