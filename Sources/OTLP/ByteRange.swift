/// A range of bytes inside a record, relative to the record's first byte. 32 bits suffice: Kafka's records are smaller.
public struct ByteRange: Hashable, Sendable {
    public var offset: UInt32
    public var length: UInt32

    @inlinable
    public init(offset: Int, length: Int) {
        self.offset = UInt32(truncatingIfNeeded: offset)
        self.length = UInt32(truncatingIfNeeded: length)
    }

    /// A range of nothing; what an absent field has.
    public static let empty = ByteRange(offset: 0, length: 0)

    @inlinable
    public var isEmpty: Bool { length == 0 }

    @inlinable
    public var start: Int { Int(offset) }

    @inlinable
    public var end: Int { Int(offset) + Int(length) }
}
