/// An attribute value still in its bytes: what a policy compares without decoding.
public enum RawAttributeValue {
    case string(UnsafeRawBufferPointer)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case bytes(UnsafeRawBufferPointer)
    /// An array or map: the `AnyValue` message.
    case composite(UnsafeRawBufferPointer)
    case empty
}

/// Finds attributes by key in the bytes of a span, resource, scope, event or link.
public enum AttributeLookup {
    /// Where the attributes of a message are.
    public enum Message: UInt64, Sendable {
        case resource = 1
        /// Scopes and events.
        case scopeOrEvent = 3
        case link = 4
        case span = 9
    }

    /// The value of the first attribute with this key, or nil. Malformed bytes count as absent: the scanner has reported them.
    ///
    /// - Parameter bytes: the body of the message; borrowed, and so is what is returned.
    public static func value(
        of key: [UInt8], in bytes: UnsafeRawBufferPointer, _ message: Message
    ) -> RawAttributeValue? {
        var found: RawAttributeValue?
        forEachField(in: bytes, message) { field, range in
            if startsWithAnotherKey(range, key, bytes) { return true }
            guard let (candidate, value) = try? keyValue(field, bytes) else { return false }
            guard candidate.count == key.count, candidate.elementsEqual(key) else { return true }
            found = value
            return false
        }
        return found
    }

    /// Whether an attribute has the shape that exporters write, the key first, and a key of another length or beginning: its
    /// value need not be decoded.
    @inline(__always)
    private static func startsWithAnotherKey(
        _ range: ByteRange, _ key: [UInt8], _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        guard range.length >= 3, bytes[range.start] == 1 << 3 | UInt8(WireType.length) else { return false }
        let length = bytes[range.start &+ 1]
        guard length > 0, length < 0x80 else { return false }
        return Int(length) != key.count || bytes[range.start &+ 2] != key[0]
    }

    /// The value of an attribute whose key was read, where nothing but one value follows, as exporters write it. Nil for
    /// anything else: `forEach` reads that.
    ///
    /// - Parameters:
    ///   - reader: behind the key, to the end of the attribute.
    ///   - bytes: what the reader's positions refer to.
    package static func value(behindKey reader: WireReader, in bytes: UnsafeRawBufferPointer) -> RawAttributeValue? {
        var reader = reader
        do {
            guard !reader.isAtEnd, try reader.tag() == 2 << 3 | WireType.length else { return nil }
            let range = try reader.lengthDelimited()
            guard reader.isAtEnd else { return nil }
            return try anyValue(WireReader(base: reader.base, range: range), range, bytes)
        } catch {
            return nil
        }
    }

    /// Visits every attribute in order until `body` returns false.
    public static func forEach(
        in bytes: UnsafeRawBufferPointer, _ message: Message,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: RawAttributeValue) -> Bool
    ) {
        forEachField(in: bytes, message) { field, _ in
            guard let (key, value) = try? keyValue(field, bytes) else { return false }
            return body(key, value)
        }
    }

    /// Visits the attributes undecoded, each with a reader of its bytes and where these are, until `body` returns false.
    @inline(__always)
    private static func forEachField(
        in bytes: UnsafeRawBufferPointer, _ message: Message, _ body: (WireReader, ByteRange) -> Bool
    ) {
        guard let start = bytes.baseAddress else { return }
        var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: bytes.count)
        let wanted = message.rawValue << 3 | WireType.length
        do {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                guard tag == wanted else {
                    try reader.skip(tag: tag)
                    continue
                }
                let range = try reader.lengthDelimited()
                if !body(WireReader(base: reader.base, range: range), range) { return }
            }
        } catch {}
    }

    /// The value in an `AnyValue` message; malformed bytes count as empty.
    package static func value(ofMessage message: UnsafeRawBufferPointer) -> RawAttributeValue {
        guard let start = message.baseAddress else { return .empty }
        let range = ByteRange(offset: 0, length: message.count)
        let reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), range: range)
        do { return try anyValue(reader, range, message) } catch { return .empty }
    }

    private static func keyValue(
        _ reader: WireReader, _ bytes: UnsafeRawBufferPointer
    ) throws(ScanError) -> (UnsafeRawBufferPointer, RawAttributeValue) {
        var reader = reader
        var key = UnsafeRawBufferPointer(start: nil, count: 0)
        var value = RawAttributeValue.empty
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | WireType.length: key = slice(try reader.lengthDelimited(), bytes)
            case 2 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                value = try anyValue(WireReader(base: reader.base, range: range), range, bytes)
            default: try reader.skip(tag: tag)
            }
        }
        return (key, value)
    }

    private static func anyValue(
        _ reader: WireReader, _ range: ByteRange, _ bytes: UnsafeRawBufferPointer
    ) throws(ScanError) -> RawAttributeValue {
        var reader = reader
        var value = RawAttributeValue.empty
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | WireType.length: value = .string(slice(try reader.lengthDelimited(), bytes))
            case 2 << 3 | WireType.varint: value = .bool(try reader.varint() != 0)
            case 3 << 3 | WireType.varint: value = .int(Int64(bitPattern: try reader.varint()))
            case 4 << 3 | WireType.fixed64: value = .double(Double(bitPattern: try reader.fixed64()))
            case 7 << 3 | WireType.length: value = .bytes(slice(try reader.lengthDelimited(), bytes))
            case 5 << 3 | WireType.length, 6 << 3 | WireType.length:
                _ = try reader.lengthDelimited()
                value = .composite(slice(range, bytes))
            default: try reader.skip(tag: tag)
            }
        }
        return value
    }

    @inline(__always)
    private static func slice(_ range: ByteRange, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range.start..<range.end])
    }
}
