import TraceModel

/// Reads messages in the shape that nearly every exporter writes: fields in the order of their numbers, ids of the right
/// length, short strings and attributes with plain values.
///
/// A shortcut, never the authority: a message is taken only where the scanner and the validator would accept it with the
/// same result. Anything else, every defect included, is left to them, so the reason and the offset of an error come from
/// one place. No read goes past the `end` that is passed in.
enum CommonShape {
    /// How it is known that the strings are UTF-8.
    enum Strings {
        /// The caller compares the message's bytes above 0x7f with those that `Cursor.highBytes` accounts for.
        case counted
        /// Each is checked when it is read.
        case checked
    }

    /// A place in a message and what was seen on the way to it.
    struct Cursor {
        let base: UnsafePointer<UInt8>
        var position: Int
        let end: Int
        /// Bytes above 0x7f outside of strings.
        var highBytes = 0

        @inline(__always)
        init(_ reader: WireReader) {
            base = reader.base
            position = reader.position
            end = reader.end
        }

        @inline(__always) var remaining: Int { end &- position }

        @inline(__always)
        func byte(_ offset: Int) -> UInt8 { base[position &+ offset] }

        @inline(__always)
        func load<Word: FixedWidthInteger & BitwiseCopyable>(_ type: Word.Type, _ offset: Int) -> Word {
            Word(littleEndian: UnsafeRawPointer(base).loadUnaligned(fromByteOffset: position &+ offset, as: type))
        }
    }

    /// Attributes one behind the other.
    struct Attributes {
        /// The position behind the last one; where there is none, the position before.
        var end: Int
        var count: UInt32 = 0
        /// Bytes above 0x7f in the values of numbers.
        var highBytes = 0
        /// See `AttributeKeyFilter`.
        var keys = AttributeKeyFilter.nothing
    }

    /// Reads attributes while they have the shape
    /// `field length 0a length key 12 length (0a length string | 10 varint | 18 varint | 21 double)`, lengths of one byte.
    @inline(never)
    static func skipAttributes(_ cursor: Cursor, field: UInt8, strings: Strings) -> Attributes {
        var cursor = cursor
        var attributes = Attributes(end: cursor.position)
        // The shortest such attribute has 8 bytes: an empty key and a value of two bytes.
        while cursor.remaining >= 8 {
            let opening = cursor.load(UInt32.self, 0)
            let length = Int(opening &>> 8 & 0xff)
            let keyLength = Int(opening &>> 24)
            // The last condition makes room for the first four bytes of the value.
            guard opening & 0x80ff_80ff == 0x000a_0000 | UInt32(field), length &+ 2 <= cursor.remaining,
                keyLength &+ 6 <= length
            else { break }
            let value = cursor.load(UInt32.self, keyLength &+ 4)
            let valueLength = Int(value &>> 8 & 0xff)
            guard value & 0x80ff == 0x12, keyLength &+ 4 &+ valueLength == length else { break }
            let type = UInt8(truncatingIfNeeded: value &>> 16)
            if type == 0x0a {
                guard Int(value &>> 24) &+ 2 == valueLength else { break }
                if strings == .checked,
                    !isValidUTF8(cursor.base + (cursor.position &+ keyLength &+ 8), valueLength &- 2)
                {
                    break
                }
            } else {
                // The value's bytes are the last of the attribute, which has at least eight.
                let tail = cursor.load(UInt64.self, length &- 6)
                if type == 0x18 || type == 0x10 {
                    let count = valueLength &- 1
                    // A varint of up to eight bytes: all but the last have the high bit.
                    guard count <= 8,
                        (tail & 0x8080_8080_8080_8080) &>> UInt64(64 &- 8 &* count)
                            == 0x0080_8080_8080_8080 &>> UInt64(64 &- 8 &* count)
                    else { break }
                    attributes.highBytes &+= count &- 1
                } else {
                    guard type == 0x21, valueLength == 9 else { break }
                    attributes.highBytes &+= HighBytes.count(tail)
                }
            }
            if strings == .checked, !isValidUTF8(cursor.base + (cursor.position &+ 4), keyLength) { break }
            // For an empty key this is its length, which is zero.
            attributes.keys |= AttributeKeyFilter.bit(length: keyLength, last: cursor.byte(keyLength &+ 3))
            cursor.position &+= length &+ 2
            attributes.count &+= 1
        }
        attributes.end = cursor.position
        return attributes
    }
}
