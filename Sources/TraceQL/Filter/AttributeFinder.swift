import Glibc
import OTLP

/// Finds attributes in OTLP bytes by key, decoding nothing but the value that is wanted.
///
/// Agrees with `AttributeLookup` on everything that the scanner accepts; this one compares keys before it looks at values,
/// since a filter asks for one key among many.
enum AttributeFinder {
    /// The value of the first attribute with this key. Malformed bytes count as absent: the scanner has reported them.
    ///
    /// - Parameters:
    ///   - field: number of the attributes in the message.
    ///   - bytes: the body of the message, or the part of it that holds the attributes; borrowed, as is the result.
    static func value(
        of key: UnsafeRawBufferPointer, field: UInt64, in bytes: UnsafeRawBufferPointer
    ) -> FieldValue {
        guard var reader = MessageReader(bytes) else { return .absent }
        let wanted = field << 3 | MessageReader.lengthDelimited
        while let tag = reader.next() {
            if tag == wanted, let value = value(of: key, reader.payload) { return value }
        }
        return .absent
    }

    /// The value of one `KeyValue`, or nil where it has another key.
    @inline(__always)
    private static func value(
        of key: UnsafeRawBufferPointer, _ attribute: UnsafeRawBufferPointer
    ) -> FieldValue? {
        // What every encoder writes: the key, then the value, both once. Only lengths below 128 are tried here.
        if attribute.count >= 4, attribute[0] == 0x0a, attribute[1] < 0x80 {
            let valueTag = 2 &+ Int(attribute[1])
            if valueTag &+ 2 <= attribute.count, attribute[valueTag] == 0x12, attribute[valueTag &+ 1] < 0x80,
                valueTag &+ 2 &+ Int(attribute[valueTag &+ 1]) == attribute.count
            {
                let candidate = UnsafeRawBufferPointer(rebasing: attribute[2..<valueTag])
                guard isEqual(candidate, key) else { return nil }
                return FieldValue(anyValue: UnsafeRawBufferPointer(rebasing: attribute[(valueTag &+ 2)...]))
            }
        }
        return slowValue(of: key, attribute)
    }

    private static func slowValue(of key: UnsafeRawBufferPointer, _ attribute: UnsafeRawBufferPointer) -> FieldValue? {
        guard var reader = MessageReader(attribute) else { return key.isEmpty ? .absent : nil }
        var isWanted = key.isEmpty
        var value = FieldValue.absent
        while let tag = reader.next() {
            switch tag {
            case 1 << 3 | MessageReader.lengthDelimited: isWanted = isEqual(reader.payload, key)
            case 2 << 3 | MessageReader.lengthDelimited: value = FieldValue(anyValue: reader.payload)
            default: break
            }
        }
        return isWanted ? value : nil
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
