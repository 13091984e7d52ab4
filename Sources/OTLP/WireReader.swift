/// Protobuf's wire types. 3 and 4 are the deprecated groups, which are skipped.
package enum WireType {
    package static let varint: UInt64 = 0
    package static let fixed64: UInt64 = 1
    package static let length: UInt64 = 2
    package static let startGroup: UInt64 = 3
    package static let endGroup: UInt64 = 4
    package static let fixed32: UInt64 = 5
}

/// A forward reader over protobuf bytes: every read is checked against `end`, nothing is copied or allocated.
///
/// Unsafe by construction (it borrows memory), safe by contract: `base` must stay valid for `end` bytes while the reader
/// lives, and no read goes past `end`. Offsets in errors are relative to `base`.
/// Follows https://protobuf.dev/programming-guides/encoding/.
package struct WireReader {
    @usableFromInline package let base: UnsafePointer<UInt8>
    @usableFromInline package var position: Int
    @usableFromInline package let end: Int

    @inlinable
    package init(base: UnsafePointer<UInt8>, from position: Int, to end: Int) {
        self.base = base
        self.position = position
        self.end = end
    }

    @inlinable
    package init(base: UnsafePointer<UInt8>, range: ByteRange) {
        self.init(base: base, from: range.start, to: range.end)
    }

    @inlinable
    package var isAtEnd: Bool { position >= end }

    @inlinable @inline(__always)
    package mutating func varint() throws(ScanError) -> UInt64 {
        if position < end {
            let byte = base[position]
            if byte < 0x80 {
                position &+= 1
                return UInt64(byte)
            }
        }
        return try longVarint()
    }

    @inlinable
    package mutating func longVarint() throws(ScanError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end {
            let byte = base[position]
            position &+= 1
            value |= UInt64(byte & 0x7f) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
            if shift > 63 { throw ScanError(.malformedVarint, at: position) }
        }
        throw ScanError(.truncated, at: position)
    }

    /// A field tag: (field number << 3 | wire type).
    @inlinable @inline(__always)
    package mutating func tag() throws(ScanError) -> UInt64 {
        let at = position
        let tag = try varint()
        if tag < 8 || tag > 0xffff_ffff { throw ScanError(.malformedTag, at: at) }
        return tag
    }

    /// A length-delimited field's payload as a range; the position moves behind it.
    @inlinable @inline(__always)
    package mutating func lengthDelimited() throws(ScanError) -> ByteRange {
        let at = position
        let length = try varint()
        // One comparison catches both an overrun and a length that does not fit an Int.
        if length > UInt64(end &- position) { throw ScanError(.lengthPastEnd, at: at) }
        let range = ByteRange(offset: position, length: Int(length))
        position &+= Int(length)
        return range
    }

    @inlinable @inline(__always)
    package mutating func fixed64() throws(ScanError) -> UInt64 {
        if end &- position < 8 { throw ScanError(.truncated, at: position) }
        let value = UnsafeRawPointer(base + position).loadUnaligned(as: UInt64.self)
        position &+= 8
        return UInt64(littleEndian: value)
    }

    @inlinable @inline(__always)
    package mutating func fixed32() throws(ScanError) -> UInt32 {
        if end &- position < 4 { throw ScanError(.truncated, at: position) }
        let value = UnsafeRawPointer(base + position).loadUnaligned(as: UInt32.self)
        position &+= 4
        return UInt32(littleEndian: value)
    }

    /// Skips the value of a field whose tag was just read.
    @inlinable @inline(__always)
    package mutating func skip(tag: UInt64) throws(ScanError) {
        switch tag & 7 {
        case WireType.varint: _ = try varint()
        case WireType.fixed64: _ = try fixed64()
        case WireType.length: _ = try lengthDelimited()
        case WireType.fixed32: _ = try fixed32()
        default: try skipGroup(tag: tag)
        }
    }

    /// Skips a group and everything nested in it; groups nest at most 100 deep.
    @inlinable
    package mutating func skipGroup(tag: UInt64) throws(ScanError) {
        guard tag & 7 == WireType.startGroup else {
            throw ScanError(tag & 7 == WireType.endGroup ? .unbalancedGroup : .malformedTag, at: position)
        }
        var open: [UInt64] = [tag >> 3]
        while let innermost = open.last {
            if isAtEnd { throw ScanError(.unbalancedGroup, at: position) }
            let next = try self.tag()
            switch next & 7 {
            case WireType.startGroup:
                if open.count == 100 { throw ScanError(.nestedTooDeep, at: position) }
                open.append(next >> 3)
            case WireType.endGroup:
                if next >> 3 != innermost { throw ScanError(.unbalancedGroup, at: position) }
                open.removeLast()
            case WireType.varint: _ = try varint()
            case WireType.fixed64: _ = try fixed64()
            case WireType.length: _ = try lengthDelimited()
            case WireType.fixed32: _ = try fixed32()
            default: throw ScanError(.malformedTag, at: position)
            }
        }
    }
}
