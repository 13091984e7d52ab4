import OTLP
import Scrubbing
import Testing

/// An attribute value as the tests write and read it.
indirect enum Value: Equatable, Sendable {
    case string(String)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case bytes([UInt8])
    case array([Value])
    case map([Entry])
    case none
}

struct Entry: Equatable, Sendable {
    var key: String
    var value: Value

    init(_ key: String, _ value: Value) {
        self.key = key
        self.value = value
    }
}

/// A span with something in every place that is scrubbed.
struct TestSpan: Equatable {
    var name = "GET /cart"
    var attributes: [Entry] = []
    var eventName = "exception"
    var eventAttributes: [Entry] = []
    var linkAttributes: [Entry] = []
    var statusMessage = "all well"

    var bytes: [UInt8] {
        var writer = ProtobufWriter()
        writer.bytesField(1, [UInt8](repeating: 0xa1, count: 16))
        writer.bytesField(2, [UInt8](repeating: 0xb2, count: 8))
        writer.stringField(3, "vendor=1")
        writer.stringField(5, name)
        writer.varintField(6, 2)
        writer.fixed64Field(7, 1_700_000_000_000_000_000)
        writer.fixed64Field(8, 1_700_000_000_500_000_000)
        for entry in attributes { write(entry, field: 9, to: &writer) }
        writer.varintField(10, 3)
        writer.messageField(11) { event in
            event.fixed64Field(1, 1_700_000_000_100_000_000)
            event.stringField(2, eventName)
            for entry in eventAttributes { write(entry, field: 3, to: &event) }
        }
        writer.messageField(13) { link in
            link.bytesField(1, [UInt8](repeating: 0xc3, count: 16))
            for entry in linkAttributes { write(entry, field: 4, to: &link) }
        }
        writer.messageField(15) { status in
            status.stringField(2, statusMessage)
            status.varintField(3, 2)
        }
        writer.fixed32Field(16, 0x101)
        // A field of a later version.
        writer.stringField(99, "unknown")
        return writer.bytes
    }

    init() {}

    /// Reads what matters to the tests; every other field must parse.
    init(_ bytes: [UInt8]) throws {
        attributes = []
        name = ""
        try forEachField(bytes) { field, body in
            switch field {
            case 5: name = try string(body)
            case 9: attributes.append(try entry(body))
            case 11:
                try forEachField(body) { field, body in
                    if field == 2 { eventName = try string(body) }
                    if field == 3 { eventAttributes.append(try entry(body)) }
                }
            case 13: try forEachField(body) { if $0 == 4 { linkAttributes.append(try entry($1)) } }
            case 15: try forEachField(body) { if $0 == 2 { statusMessage = try string($1) } }
            default: break
            }
        }
    }
}

func write(_ entry: Entry, field: Int, to writer: inout ProtobufWriter) {
    writer.messageField(field) {
        $0.stringField(1, entry.key)
        if entry.value != .none { write(entry.value, field: 2, to: &$0) }
    }
}

private func write(_ value: Value, field: Int, to writer: inout ProtobufWriter) {
    writer.messageField(field) { writer in
        switch value {
        case .string(let text): writer.stringField(1, text)
        case .bool(let flag): writer.varintField(2, flag ? 1 : 0)
        case .int(let number): writer.varintField(3, UInt64(bitPattern: number))
        case .double(let number): writer.fixed64Field(4, number.bitPattern)
        case .bytes(let bytes): writer.bytesField(7, bytes)
        case .array(let values):
            writer.messageField(5) { for value in values { write(value, field: 1, to: &$0) } }
        case .map(let entries):
            writer.messageField(6) { for entry in entries { write(entry, field: 1, to: &$0) } }
        case .none: break
        }
    }
}

/// The body of a message whose only content is attributes in `field`: a resource (1) or a scope (3).
func attributesMessage(_ entries: [Entry], field: Int) -> [UInt8] {
    var writer = ProtobufWriter()
    if field == 3 { writer.stringField(1, "instrumentation") }
    for entry in entries { write(entry, field: field, to: &writer) }
    writer.varintField(field + 1, 5)
    return writer.bytes
}

func attributes(in message: [UInt8], field: Int) throws -> [Entry] {
    var entries: [Entry] = []
    try forEachField(message) { if $0 == field { entries.append(try entry($1)) } }
    return entries
}

/// Reads one `AnyValue`; numbers come as their raw bits in `forEachField`'s body.
private func value(_ bytes: [UInt8]) throws -> Value {
    var result = Value.none
    try forEachField(bytes) { field, body in
        let raw = body.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch field {
        case 1: result = .string(try string(body))
        case 2: result = .bool(raw != 0)
        case 3: result = .int(Int64(bitPattern: raw))
        case 4: result = .double(Double(bitPattern: raw))
        case 7: result = .bytes(body)
        case 5:
            var values: [Value] = []
            try forEachField(body) { _, body in values.append(try value(body)) }
            result = .array(values)
        case 6:
            var entries: [Entry] = []
            try forEachField(body) { _, body in entries.append(try entry(body)) }
            result = .map(entries)
        default: break
        }
    }
    return result
}

private func entry(_ bytes: [UInt8]) throws -> Entry {
    var result = Entry("", .none)
    try forEachField(bytes) { field, body in
        if field == 1 { result.key = try string(body) }
        if field == 2 { result.value = try value(body) }
    }
    return result
}

private func string(_ bytes: [UInt8]) throws -> String {
    try #require(String(validating: bytes, as: UTF8.self), "a string is no UTF-8")
}

/// Calls `body` with each field's number and payload; varints and fixed numbers as 8 little-endian bytes.
func forEachField(_ bytes: [UInt8], _ body: (Int, [UInt8]) throws -> Void) throws {
    try bytes.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        var reader = WireReader(base: base, from: 0, to: buffer.count)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            var number: UInt64 = 0
            switch tag & 7 {
            case WireType.length:
                let range = try reader.lengthDelimited()
                try body(Int(tag >> 3), Array(bytes[range.start..<range.end]))
                continue
            case WireType.varint: number = try reader.varint()
            case WireType.fixed64: number = try reader.fixed64()
            case WireType.fixed32: number = UInt64(try reader.fixed32())
            default: try reader.skip(tag: tag)
            }
            try body(Int(tag >> 3), (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * $0)) })
        }
    }
}

extension Scrubber {
    init(_ rules: ScrubRule...) throws { self.init(rules: try ScrubRules(rules: rules)) }

    mutating func scrub(_ span: TestSpan) throws -> TestSpan {
        let bytes = try scrubbed(span.bytes)
        return try TestSpan(bytes)
    }

    /// The scrubbed span, appended behind a prefix that must stay.
    mutating func scrubbed(_ span: [UInt8]) throws -> [UInt8] {
        var output: [UInt8] = [1, 2, 3]
        _ = try span.withUnsafeBytes { try scrubSpan($0, into: &output) }
        #expect(output.prefix(3) == [1, 2, 3])
        return Array(output.dropFirst(3))
    }

    mutating func scrub(resource: [UInt8]) throws -> [UInt8] {
        var output: [UInt8] = []
        _ = try resource.withUnsafeBytes { try scrubResource($0, into: &output) }
        return output
    }

    mutating func scrub(scope: [UInt8]) throws -> [UInt8] {
        var output: [UInt8] = []
        _ = try scope.withUnsafeBytes { try scrubScope($0, into: &output) }
        return output
    }

    /// The value of one attribute after scrubbing; nil when it is gone.
    mutating func scrub(_ key: String, _ value: Value) throws -> Value? {
        var span = TestSpan()
        span.attributes = [Entry("before", .int(1)), Entry(key, value), Entry("after", .bool(true))]
        let result = try scrub(span)
        #expect(result.attributes.first == Entry("before", .int(1)))
        #expect(result.attributes.last == Entry("after", .bool(true)))
        return result.attributes.dropFirst().dropLast().first?.value
    }
}

extension [UInt8] {
    func contains(_ text: String) -> Bool {
        let needle = Array(text.utf8)
        return indices.contains { self[$0...].starts(with: needle) }
    }
}

/// SplitMix64: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
