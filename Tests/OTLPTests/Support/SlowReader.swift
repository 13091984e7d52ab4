import OTLP

/// Protobuf's wire types.
enum SlowWireType {
    static let varint: UInt64 = 0
    static let fixed64: UInt64 = 1
    static let length: UInt64 = 2
    static let startGroup: UInt64 = 3
    static let endGroup: UInt64 = 4
    static let fixed32: UInt64 = 5
}

/// A reader of protobuf bytes, apart from the product's so that a mistake in one shows.
struct SlowReader {
    let base: UnsafePointer<UInt8>
    var position: Int
    let end: Int

    init(base: UnsafePointer<UInt8>, from position: Int, to end: Int) {
        self.base = base
        self.position = position
        self.end = end
    }

    init(base: UnsafePointer<UInt8>, range: ByteRange) {
        self.init(base: base, from: range.start, to: range.end)
    }

    var isAtEnd: Bool { position >= end }

    mutating func varint() throws(ScanError) -> UInt64 {
        if position < end {
            let byte = base[position]
            if byte < 0x80 {
                position &+= 1
                return UInt64(byte)
            }
        }
        return try longVarint()
    }

    mutating func longVarint() throws(ScanError) -> UInt64 {
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
    mutating func tag() throws(ScanError) -> UInt64 {
        let at = position
        let tag = try varint()
        if tag < 8 || tag > 0xffff_ffff { throw ScanError(.malformedTag, at: at) }
        return tag
    }

    /// A length-delimited field's payload as a range; the position moves behind it.
    mutating func lengthDelimited() throws(ScanError) -> ByteRange {
        let at = position
        let length = try varint()
        // One comparison catches both an overrun and a length that does not fit an Int.
        if length > UInt64(end &- position) { throw ScanError(.lengthPastEnd, at: at) }
        let range = ByteRange(offset: position, length: Int(length))
        position &+= Int(length)
        return range
    }

    mutating func fixed64() throws(ScanError) -> UInt64 {
        if end &- position < 8 { throw ScanError(.truncated, at: position) }
        let value = UnsafeRawPointer(base + position).loadUnaligned(as: UInt64.self)
        position &+= 8
        return UInt64(littleEndian: value)
    }

    mutating func fixed32() throws(ScanError) -> UInt32 {
        if end &- position < 4 { throw ScanError(.truncated, at: position) }
        let value = UnsafeRawPointer(base + position).loadUnaligned(as: UInt32.self)
        position &+= 4
        return UInt32(littleEndian: value)
    }

    /// Skips the value of a field whose tag was just read.
    mutating func skip(tag: UInt64) throws(ScanError) {
        switch tag & 7 {
        case SlowWireType.varint: _ = try varint()
        case SlowWireType.fixed64: _ = try fixed64()
        case SlowWireType.length: _ = try lengthDelimited()
        case SlowWireType.fixed32: _ = try fixed32()
        default: try skipGroup(tag: tag)
        }
    }

    /// Skips a group and everything nested in it; groups nest at most 100 deep.
    mutating func skipGroup(tag: UInt64) throws(ScanError) {
        guard tag & 7 == SlowWireType.startGroup else {
            throw ScanError(tag & 7 == SlowWireType.endGroup ? .unbalancedGroup : .malformedTag, at: position)
        }
        var open: [UInt64] = [tag >> 3]
        while let innermost = open.last {
            if isAtEnd { throw ScanError(.unbalancedGroup, at: position) }
            let next = try self.tag()
            switch next & 7 {
            case SlowWireType.startGroup:
                if open.count == 100 { throw ScanError(.nestedTooDeep, at: position) }
                open.append(next >> 3)
            case SlowWireType.endGroup:
                if next >> 3 != innermost { throw ScanError(.unbalancedGroup, at: position) }
                open.removeLast()
            case SlowWireType.varint: _ = try varint()
            case SlowWireType.fixed64: _ = try fixed64()
            case SlowWireType.length: _ = try lengthDelimited()
            case SlowWireType.fixed32: _ = try fixed32()
            default: throw ScanError(.malformedTag, at: position)
            }
        }
    }
}
