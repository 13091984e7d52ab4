/// The spans of one record, as found by the scanner. Reused from record to record: in steady state it allocates nothing.
///
/// The batch borrows the record's bytes: they must outlive every use of the batch, and ranges taken from it mean nothing
/// after the next `scan`. Owned by one thread; not `Sendable`.
public final class SpanBatch {
    /// What a scan finds. The scanner takes it once per record, since each access to a class's property has a cost.
    @usableFromInline package struct Found {
        /// Heads in the order of the record.
        @usableFromInline package var heads: UnsafeMutablePointer<SpanHead>
        @usableFromInline package var capacity = 256
        @usableFromInline package var count = 0
        @usableFromInline package var units: [SpanUnit] = []

        init() { heads = .allocate(capacity: capacity) }

        /// The place of the next head, to be filled in place and then counted.
        @inline(__always)
        mutating func nextHead() -> UnsafeMutablePointer<SpanHead> {
            if count == capacity { grow() }
            return heads + count
        }

        private mutating func grow() {
            let larger = UnsafeMutablePointer<SpanHead>.allocate(capacity: capacity * 2)
            larger.update(from: heads, count: count)
            heads.deallocate()
            heads = larger
            capacity *= 2
        }
    }

    @usableFromInline package var found = Found()
    @inlinable public var count: Int { found.count }
    /// Resource and scope per run of spans.
    @inlinable public var units: [SpanUnit] { found.units }
    /// The record's bytes, borrowed.
    public internal(set) var record = UnsafeRawBufferPointer(start: nil, count: 0)

    public init() {}

    deinit {
        found.heads.deallocate()
        owned?.deallocate()
    }

    /// Bytes that the batch itself holds, where the record was not as it came.
    private var owned: UnsafeMutableRawBufferPointer?

    /// Copies bytes that have no other owner; the batch's record is the copy until the next scan or `forget`.
    package func adopt(_ bytes: [UInt8]) {
        forget()
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 8)
        copy.copyBytes(from: bytes)
        owned = copy
        record = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(copy)[..<bytes.count])
    }

    /// Lets go of the record: no spans, no bytes.
    package func forget() {
        reset(record: UnsafeRawBufferPointer(start: nil, count: 0))
        owned?.deallocate()
        owned = nil
    }

    /// The heads found by the last scan.
    @inlinable
    public var heads: UnsafeBufferPointer<SpanHead> {
        UnsafeBufferPointer(start: found.heads, count: found.count)
    }

    /// The bytes of a range of this record.
    ///
    /// - Precondition: the range comes from this batch; a range that does not lie inside the record yields nothing.
    @inlinable
    public func bytes(_ range: ByteRange) -> UnsafeRawBufferPointer {
        guard range.end <= record.count, !range.isEmpty else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: record[range.start..<range.end])
    }

    /// A range as text; invalid UTF-8 is repaired.
    public func string(_ range: ByteRange) -> String {
        String(decoding: bytes(range), as: UTF8.self)
    }

    /// Empties the batch and points it at a new record.
    func reset(record: UnsafeRawBufferPointer) {
        self.record = record
        found.count = 0
        found.units.removeAll(keepingCapacity: true)
    }
}
