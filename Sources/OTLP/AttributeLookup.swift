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
        guard var cursor = AttributeCursor(bytes, message) else { return nil }
        let length = AttributeCursor.bit(ofKeyLength: key.count)
        while let attribute = cursor.next(keyLengths: length) {
            if attribute.key.count == key.count, attribute.key.elementsEqual(key) { return attribute.value }
        }
        return nil
    }

    /// Visits every attribute in order until `body` returns false.
    public static func forEach(
        in bytes: UnsafeRawBufferPointer, _ message: Message,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: RawAttributeValue) -> Bool
    ) {
        guard var cursor = AttributeCursor(bytes, message) else { return }
        while let attribute = cursor.next() {
            if !body(attribute.key, attribute.value) { return }
        }
    }

    /// The value in an `AnyValue` message; malformed bytes count as empty.
    package static func value(ofMessage message: UnsafeRawBufferPointer) -> RawAttributeValue {
        guard let start = message.baseAddress else { return .empty }
        // A short string and nothing else is what most values are.
        if message.count >= 2, message[0] == 0x0a, message[1] < 0x80, Int(message[1]) &+ 2 == message.count {
            return .string(UnsafeRawBufferPointer(rebasing: message[2...]))
        }
        let range = ByteRange(offset: 0, length: message.count)
        let reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), range: range)
        do { return try anyValue(reader, range, message) } catch { return .empty }
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
