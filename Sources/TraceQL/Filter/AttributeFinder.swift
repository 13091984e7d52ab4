import Glibc
import OTLP

/// Finds attributes in OTLP bytes by key, decoding nothing but the value that is wanted.
enum AttributeFinder {
    /// The value of the first attribute with this key. Malformed bytes count as absent: the scanner has reported them.
    ///
    /// - Parameters:
    ///   - message: what the bytes are.
    ///   - bytes: the body of the message, or the part of it that holds the attributes; borrowed, as is the result.
    ///   - keys: which it can have.
    static func value(
        of key: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer, _ message: AttributeLookup.Message,
        keys: UInt64 = AttributeKeyFilter.anything
    ) -> FieldValue {
        if keys != AttributeKeyFilter.anything, keys & AttributeKeyFilter.bit(of: key) == 0 { return .absent }
        guard var cursor = AttributeCursor(bytes, message) else { return .absent }
        let length = AttributeCursor.bit(ofKeyLength: key.count)
        while let attribute = cursor.next(keyLengths: length) {
            if isEqual(attribute.key, key) { return FieldValue(anyValue: attribute.message) }
        }
        return .absent
    }

    @inline(__always)
    private static func isEqual(_ candidate: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer) -> Bool {
        guard candidate.count == key.count else { return false }
        guard let left = candidate.baseAddress, let right = key.baseAddress else { return true }
        return memcmp(left, right, key.count) == 0
    }
}

/// Finds the repeated and nested messages of a span: events, links, the status's message, the scope's name.
enum MessageFinder {
    /// Visits every message of a field until `body` returns false.
    static func forEach(
        field: UInt64, in bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Bool
    ) {
        guard var reader = MessageReader(bytes) else { return }
        let wanted = field << 3 | MessageReader.lengthDelimited
        while let tag = reader.next() {
            if tag == wanted, !body(reader.payload) { return }
        }
    }

    /// The last string, bytes or message of a field: what a protobuf library would return. Empty where there is none.
    static func bytes(field: UInt64, in message: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var found = UnsafeRawBufferPointer(start: nil, count: 0)
        forEach(field: field, in: message) { bytes in
            found = bytes
            return true
        }
        return found
    }

    static func fixed64(field: UInt64, in message: UnsafeRawBufferPointer) -> UInt64 {
        guard let start = message.baseAddress else { return 0 }
        var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: message.count)
        var value: UInt64 = 0
        do {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                if tag == field << 3 | WireType.fixed64 {
                    value = try reader.fixed64()
                } else {
                    try reader.skip(tag: tag)
                }
            }
        } catch {}
        return value
    }
}
