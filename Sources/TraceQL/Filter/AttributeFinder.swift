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
        guard let start = bytes.baseAddress else { return .absent }
        let base = start.assumingMemoryBound(to: UInt8.self)
        let wanted = field << 3 | WireType.length
        var reader = WireReader(base: base, from: 0, to: bytes.count)
        do {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                guard tag == wanted else {
                    try reader.skip(tag: tag)
                    continue
                }
                let range = try reader.lengthDelimited()
                if let value = try value(of: key, WireReader(base: base, range: range), bytes) { return value }
            }
        } catch {}
        return .absent
    }

    /// The value of one `KeyValue`, or nil where it has another key.
    @inline(__always)
    private static func value(
        of key: UnsafeRawBufferPointer, _ attribute: WireReader, _ bytes: UnsafeRawBufferPointer
    ) throws(ScanError) -> FieldValue? {
        let start = attribute.position
        let base = attribute.base
        let end = attribute.end
        // What every encoder writes: the key, then the value, both once. Only lengths below 128 are tried here.
        if end &- start >= 4, base[start] == 0x0a, base[start &+ 1] < 0x80 {
            let valueTag = start &+ 2 &+ Int(base[start &+ 1])
            if valueTag &+ 2 <= end, base[valueTag] == 0x12, base[valueTag &+ 1] < 0x80,
                valueTag &+ 2 &+ Int(base[valueTag &+ 1]) == end
            {
                guard Int(base[start &+ 1]) == key.count, isEqual(base + (start &+ 2), key) else { return nil }
                return FieldValue(anyValue: UnsafeRawBufferPointer(rebasing: bytes[(valueTag &+ 2)..<end]))
            }
        }
        return try slowValue(of: key, attribute, bytes)
    }

    private static func slowValue(
        of key: UnsafeRawBufferPointer, _ attribute: WireReader, _ bytes: UnsafeRawBufferPointer
    ) throws(ScanError) -> FieldValue? {
        var reader = attribute
        var isWanted = key.isEmpty
        var value = FieldValue.absent
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                isWanted = Int(range.length) == key.count && isEqual(reader.base + range.start, key)
            case 2 << 3 | WireType.length:
                value = FieldValue(anyValue: FieldValue.slice(try reader.lengthDelimited(), bytes))
            default: try reader.skip(tag: tag)
            }
        }
        return isWanted ? value : nil
    }

    @inline(__always)
    private static func isEqual(_ candidate: UnsafePointer<UInt8>, _ key: UnsafeRawBufferPointer) -> Bool {
        guard let start = key.baseAddress else { return true }
        return memcmp(candidate, start, key.count) == 0
    }
}

/// Finds the repeated and nested messages of a span: events, links, the status's message, the scope's name.
enum MessageFinder {
    /// Visits every message of a field until `body` returns false.
    static func forEach(
        field: UInt64, in bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Bool
    ) {
        guard let start = bytes.baseAddress else { return }
        var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: bytes.count)
        let wanted = field << 3 | WireType.length
        do {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                guard tag == wanted else {
                    try reader.skip(tag: tag)
                    continue
                }
                if !body(FieldValue.slice(try reader.lengthDelimited(), bytes)) { return }
            }
        } catch {}
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
