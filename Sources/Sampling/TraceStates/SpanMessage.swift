import OTLP
import TraceModel

/// Fields of a `Span` message that the scanner does not note, found when they are asked for.
enum SpanMessage {
    /// Numbers of length-delimited fields.
    static let traceStateField: UInt64 = 3
    static let attributeField: UInt64 = 9
    static let eventField: UInt64 = 11
    static let linkField: UInt64 = 13
    static let statusField: UInt64 = 15

    /// Visits the length-delimited fields with a number, until `body` returns false.
    static func forEach(
        _ field: UInt64, in message: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Bool
    ) {
        visit(message) { tag, _, payload in
            tag == field << 3 | WireType.length ? body(payload) : true
        }
    }

    /// The last length-delimited field with a number; empty where there is none.
    static func last(_ field: UInt64, in message: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var found = UnsafeRawBufferPointer(start: nil, count: 0)
        forEach(field, in: message) {
            found = $0
            return true
        }
        return found
    }

    /// The last number in a field, 0 where there is none.
    static func number(_ field: UInt64, in message: UnsafeRawBufferPointer) -> UInt64 {
        guard let start = message.baseAddress else { return 0 }
        var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: message.count)
        var value: UInt64 = 0
        do {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                guard tag >> 3 == field else {
                    try reader.skip(tag: tag)
                    continue
                }
                switch tag & 7 {
                case WireType.varint: value = try reader.varint()
                case WireType.fixed64: value = try reader.fixed64()
                case WireType.fixed32: value = UInt64(try reader.fixed32())
                default: try reader.skip(tag: tag)
                }
            }
        } catch {}
        return value
    }

    static func traceState(_ message: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        last(traceStateField, in: message)
    }

    /// Visits all fields with their tag, the range of the whole field, and (where it is length-delimited) its payload.
    static func visit(
        _ message: UnsafeRawBufferPointer,
        _ body: (_ tag: UInt64, _ field: Range<Int>, _ payload: UnsafeRawBufferPointer) -> Bool
    ) {
        guard let start = message.baseAddress else { return }
        var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: message.count)
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        do {
            while !reader.isAtEnd {
                let first = reader.position
                let tag = try reader.tag()
                var payload = nothing
                if tag & 7 == WireType.length {
                    let range = try reader.lengthDelimited()
                    payload = UnsafeRawBufferPointer(rebasing: message[range.start..<range.end])
                } else {
                    try reader.skip(tag: tag)
                }
                if !body(tag, first..<reader.position, payload) { return }
            }
        } catch {
            // The scanner has accepted the span: what cannot be read is not there.
        }
    }

    /// The trace ids that the span's links name.
    static func forEachLink(in message: UnsafeRawBufferPointer, _ body: (TraceID) -> Bool) {
        forEach(linkField, in: message) { link in
            let id = last(1, in: link)
            guard id.count == 16 else { return true }
            return body(
                TraceID(
                    high: UInt64(bigEndian: id.loadUnaligned(as: UInt64.self)),
                    low: UInt64(bigEndian: id.loadUnaligned(fromByteOffset: 8, as: UInt64.self))))
        }
    }
}
