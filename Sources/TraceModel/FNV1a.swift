/// FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/. The hash of the Collector's probabilistic policy, and ours
/// where a hash must stay the same for ever.
public enum FNV1a {
    public static let offsetBasis: UInt64 = 0xcbf2_9ce4_8422_2325

    @inlinable @inline(__always)
    public static func add(_ byte: UInt8, to hash: UInt64) -> UInt64 {
        (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }

    public static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(offsetBasis) { add($1, to: $0) }
    }
}
