/// An 8-byte span id as one big-endian integer. Zero means "no span" (the parent of a root).
public struct SpanID: Hashable, Comparable, Sendable {
    public var value: UInt64

    @inlinable
    public init(_ value: UInt64) { self.value = value }

    /// Parses 1 to 16 hex digits of either case.
    public init?(hex: some StringProtocol) {
        let digits = hex.utf8
        guard (1...16).contains(digits.count) else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard let nibble = hexNibble(digit) else { return nil }
            value = value << 4 | UInt64(nibble)
        }
        self.value = value
    }

    @inlinable
    public var isZero: Bool { value == 0 }

    /// 16 lower-case hex digits.
    public var hex: String { hexString(value) }

    @inlinable
    public static func < (left: SpanID, right: SpanID) -> Bool { left.value < right.value }

    /// The 8 bytes in wire order.
    public var bytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) } }
}

extension SpanID: CustomStringConvertible {
    public var description: String { hex }
}
