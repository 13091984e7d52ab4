import TraceModel

/// Shows what can be read of an OTLP trace request, field by field, up to the place where it breaks.
///
/// Unlike the decoder it keeps what came before a defect. Bounded: it stops after `maximumLines`.
struct ProtobufOutline {
    /// What a field holds, as OTLP's trace.proto says.
    private indirect enum Kind {
        case message(String)
        case text, bytes, varint, time, double
    }

    private struct Field {
        var name: String
        var kind: Kind
    }

    private static let schema: [String: [UInt64: Field]] = [
        "request": [1: Field(name: "resource_spans", kind: .message("resource_spans"))],
        "resource_spans": [
            1: Field(name: "resource", kind: .message("resource")),
            2: Field(name: "scope_spans", kind: .message("scope_spans")), 3: Field(name: "schema_url", kind: .text),
        ],
        "resource": [1: Field(name: "attributes", kind: .message("attribute"))],
        "scope_spans": [
            1: Field(name: "scope", kind: .message("scope")), 2: Field(name: "span", kind: .message("span")),
            3: Field(name: "schema_url", kind: .text),
        ],
        "scope": [
            1: Field(name: "name", kind: .text), 2: Field(name: "version", kind: .text),
            3: Field(name: "attributes", kind: .message("attribute")),
        ],
        "span": [
            1: Field(name: "trace_id", kind: .bytes), 2: Field(name: "span_id", kind: .bytes),
            3: Field(name: "trace_state", kind: .text), 4: Field(name: "parent_span_id", kind: .bytes),
            5: Field(name: "name", kind: .text), 6: Field(name: "kind", kind: .varint),
            7: Field(name: "start_time_unix_nano", kind: .time), 8: Field(name: "end_time_unix_nano", kind: .time),
            9: Field(name: "attributes", kind: .message("attribute")),
            11: Field(name: "events", kind: .message("event")), 13: Field(name: "links", kind: .message("link")),
            15: Field(name: "status", kind: .message("status")),
        ],
        "event": [
            1: Field(name: "time_unix_nano", kind: .time), 2: Field(name: "name", kind: .text),
            3: Field(name: "attributes", kind: .message("attribute")),
        ],
        "link": [
            1: Field(name: "trace_id", kind: .bytes), 2: Field(name: "span_id", kind: .bytes),
            3: Field(name: "trace_state", kind: .text), 4: Field(name: "attributes", kind: .message("attribute")),
        ],
        "status": [2: Field(name: "message", kind: .text), 3: Field(name: "code", kind: .varint)],
        "attribute": [1: Field(name: "key", kind: .text), 2: Field(name: "value", kind: .message("value"))],
        "value": [
            1: Field(name: "string", kind: .text), 2: Field(name: "bool", kind: .varint),
            3: Field(name: "int", kind: .varint), 4: Field(name: "double", kind: .double),
            5: Field(name: "array", kind: .message("array")), 6: Field(name: "kvlist", kind: .message("kvlist")),
            7: Field(name: "bytes", kind: .bytes),
        ],
        "array": [1: Field(name: "values", kind: .message("value"))],
        "kvlist": [1: Field(name: "values", kind: .message("attribute"))],
    ]

    private let bytes: [UInt8]
    private let maximumLines: Int
    private(set) var lines: [String] = []
    /// Byte and reason of the first defect; nil where there is none.
    private(set) var defect: (offset: Int, reason: String)?
    private(set) var isCut = false

    init(_ bytes: [UInt8], maximumLines: Int = 200) {
        self.bytes = bytes
        self.maximumLines = maximumLines
        _ = message("request", 0..<bytes.count, depth: 0)
    }

    /// False where reading must stop.
    private mutating func message(_ type: String, _ range: Range<Int>, depth: Int) -> Bool {
        // OTLP nests values; a record that nests deeper than this is refused by the scanner too.
        guard depth < 100 else { return fail(range.lowerBound, "nested too deep") }
        var position = range.lowerBound
        while position < range.upperBound {
            if lines.count >= maximumLines {
                isCut = true
                return false
            }
            let start = position
            guard let tag = varint(&position, range.upperBound) else {
                return fail(start, "a field's tag is malformed")
            }
            let number = tag >> 3
            let field = Self.schema[type]?[number]
            let name = field?.name ?? "field \(number)"
            guard number > 0 else { return fail(start, "there is no field number 0") }
            switch tag & 7 {
            case 0:
                guard let value = varint(&position, range.upperBound) else {
                    return fail(start, "\(name): the number is malformed or cut off")
                }
                line(start, depth, "\(name): \(value)")
            case 1, 5:
                let size = tag & 7 == 1 ? 8 : 4
                guard range.upperBound - position >= size else {
                    return fail(start, "\(name): \(size) bytes are needed, \(range.upperBound - position) are there")
                }
                var value: UInt64 = 0
                for byte in bytes[position..<position + size].reversed() { value = value << 8 | UInt64(byte) }
                position += size
                if case .double? = field?.kind {
                    line(start, depth, "\(name): \(Double(bitPattern: value))")
                } else {
                    line(start, depth, "\(name): \(value)")
                }
            case 2:
                guard let length = varint(&position, range.upperBound) else {
                    return fail(start, "\(name): the length is malformed or cut off")
                }
                guard length <= UInt64(range.upperBound - position) else {
                    return fail(
                        start, "\(name): says it has \(length) bytes, \(range.upperBound - position) are left")
                }
                let content = position..<position + Int(length)
                position = content.upperBound
                if !show(name, field?.kind, content, start, depth) { return false }
            default: return fail(start, "\(name): wire type \(tag & 7) does not belong in a trace request")
            }
        }
        return true
    }

    private mutating func show(_ name: String, _ kind: Kind?, _ content: Range<Int>, _ start: Int, _ depth: Int) -> Bool
    {
        switch kind {
        case .message(let type):
            line(start, depth, name)
            return message(type, content, depth: depth + 1)
        case .text:
            guard let text = String(validating: bytes[content], as: UTF8.self) else {
                return fail(start, "\(name): is not UTF-8")
            }
            line(start, depth, "\(name): \"\(Self.plain(text.prefix(200)))\"\(text.count > 200 ? "…" : "")")
        default:
            let shown = bytes[content.prefix(32)].map { Self.hex($0) }.joined()
            line(start, depth, "\(name): \(shown)\(content.count > 32 ? "…" : "") (\(content.count) bytes)")
        }
        return true
    }

    private func varint(_ position: inout Int, _ end: Int) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end, shift < 64 {
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    private mutating func line(_ offset: Int, _ depth: Int, _ text: String) {
        lines.append("\(offset)".padded(to: 8) + "  " + String(repeating: "  ", count: depth) + text)
    }

    private mutating func fail(_ offset: Int, _ reason: String) -> Bool {
        if defect == nil { defect = (offset, reason) }
        return false
    }

    /// Without control characters: a dead letter must not steer a terminal.
    static func plain(_ text: some StringProtocol) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "�" : $0 }))
    }

    static func hex(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }

    /// Lines of 16 bytes: offset, hex, text.
    static func hexDump(_ bytes: [UInt8], _ range: Range<Int>) -> [String] {
        stride(from: range.lowerBound, to: range.upperBound, by: 16).map { start in
            let row = bytes[start..<min(start + 16, range.upperBound)]
            let text = String(row.map { (0x20..<0x7f).contains($0) ? Character(UnicodeScalar($0)) : "." })
            let hexText = row.map(hex).joined(separator: " ")
            return "\(start)".padded(to: 8) + "  " + hexText + String(repeating: " ", count: 47 - hexText.count) + "  "
                + text
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
