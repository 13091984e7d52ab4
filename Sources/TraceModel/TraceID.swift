/// A 16-byte trace id, held as two big-endian halves so that comparing and hashing are two integer operations.
public struct TraceID: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// Bytes 0…7, most significant first.
    public var high: UInt64
    /// Bytes 8…15, most significant first.
    public var low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Parses 1 to 32 hex digits of either case; shorter ids are padded with zeros on the left, as Jaeger does.
    public init?(hex: some StringProtocol) {
        let digits = hex.utf8
        guard (1...32).contains(digits.count) else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for digit in digits {
            guard let nibble = hexNibble(digit) else { return nil }
            high = high << 4 | low >> 60
            low = low << 4 | UInt64(nibble)
        }
        self.init(high: high, low: low)
    }

    /// The all-zero id, which OpenTelemetry defines as invalid.
    @inlinable
    public var isZero: Bool { high | low == 0 }

    /// 32 lower-case hex digits.
    public var hex: String { hexString(high) + hexString(low) }

    @inlinable
    public static func < (left: TraceID, right: TraceID) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }

    /// The 16 bytes in wire order.
    public var bytes: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) }
    }
}

extension TraceID: CustomStringConvertible {
    public var description: String { hex }
}
