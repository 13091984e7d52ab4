/// One attribute in its bytes, which it borrows. The value is decoded where it is asked for.
package struct RawAttribute {
    package let key: UnsafeRawBufferPointer
    /// The `AnyValue` message; empty where there is none.
    package let message: UnsafeRawBufferPointer

    package var value: RawAttributeValue { AttributeLookup.value(ofMessage: message) }
}

/// Walks over the attributes of a message in its bytes, one after the other.
///
/// Borrows the bytes. Malformed bytes end the walk: the scanner has reported them.
package struct AttributeCursor {
    private let base: UnsafeRawPointer
    private let end: Int
    private var position = 0
    /// What the first four bytes of an attribute of the usual shape are, without the lengths: the field's tag, a length, the
    /// key's tag, the key's length. Both lengths are below 128.
    private let opening: UInt32
    private static let openingMask: UInt32 = 0x80ff_80ff

    /// Nil where there are no bytes.
    ///
    /// - Parameter bytes: the body of the message, or the part of it that holds the attributes.
    package init?(_ bytes: UnsafeRawBufferPointer, _ message: AttributeLookup.Message) {
        guard let base = bytes.baseAddress else { return nil }
        self.base = base
        end = bytes.count
        opening = 0x000a_0000 | UInt32(truncatingIfNeeded: message.rawValue << 3 | WireType.length)
    }

    /// The bit of `keyLengths` that keys of a length have: bit 63 is for 63 bytes and more.
    @inline(__always)
    package static func bit(ofKeyLength length: Int) -> UInt64 { 1 &<< UInt64(min(length, 63)) }

    /// The next attribute whose key has a wanted length, or nil.
    ///
    /// - Parameter keyLengths: bit `n` is set where a key of `n` bytes is wanted, bit 63 for all longer ones.
    package mutating func next(keyLengths: UInt64 = .max) -> RawAttribute? {
        // A copy, so that it stays in registers.
        var cursor = self
        defer { position = cursor.position }
        while true {
            while let attribute = cursor.nextOfUsualShape() {
                if keyLengths & Self.bit(ofKeyLength: attribute.key.count) != 0 { return attribute }
            }
            if cursor.position >= cursor.end { return nil }
            guard let attribute = cursor.nextOfAnyShape() else { return nil }
            if keyLengths & Self.bit(ofKeyLength: attribute.key.count) != 0 { return attribute }
        }
    }

    /// `field length 0a length key 12 length value`, lengths of one byte and nothing behind: what exporters write for all but
    /// long values.
    @inline(__always)
    private mutating func nextOfUsualShape() -> RawAttribute? {
        guard end &- position >= 8 else { return nil }
        let opening = load(UInt32.self, position)
        let length = Int(opening &>> 8 & 0xff)
        let keyLength = Int(opening &>> 24)
        guard opening & Self.openingMask == self.opening, position &+ 2 &+ length <= end, keyLength &+ 4 <= length
        else { return nil }
        let key = position &+ 4
        let value = load(UInt16.self, key &+ keyLength)
        let valueLength = Int(value &>> 8)
        guard value & 0x80ff == 0x12, keyLength &+ 4 &+ valueLength == length else { return nil }
        position &+= 2 &+ length
        return RawAttribute(
            key: UnsafeRawBufferPointer(start: base + key, count: keyLength),
            message: UnsafeRawBufferPointer(start: base + (key &+ keyLength &+ 2), count: valueLength))
    }

    @inline(__always)
    private func load<Word: FixedWidthInteger & BitwiseCopyable>(_ type: Word.Type, _ offset: Int) -> Word {
        Word(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: type))
    }

    /// The next attribute, read field by field: of fields that occur twice the last counts, as in a protobuf library.
    @inline(never)
    private mutating func nextOfAnyShape() -> RawAttribute? {
        var reader = WireReader(base: base.assumingMemoryBound(to: UInt8.self), from: position, to: end)
        do {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                guard tag == UInt64(opening & 0xff) else {
                    try reader.skip(tag: tag)
                    continue
                }
                let range = try reader.lengthDelimited()
                position = reader.position
                return try attribute(WireReader(base: reader.base, range: range))
            }
        } catch {}
        position = end
        return nil
    }

    private func attribute(_ reader: WireReader) throws(ScanError) -> RawAttribute {
        var reader = reader
        var key = ByteRange.empty
        var message = ByteRange.empty
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | WireType.length: key = try reader.lengthDelimited()
            case 2 << 3 | WireType.length: message = try reader.lengthDelimited()
            default: try reader.skip(tag: tag)
            }
        }
        return RawAttribute(key: slice(key), message: slice(message))
    }

    private func slice(_ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + range.start, count: Int(range.length))
    }
}
