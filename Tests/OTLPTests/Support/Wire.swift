import OTLP

/// Protobuf written by hand, also where it is wrong.
enum Wire {
    static func varint(_ value: Int) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.varint(UInt64(value))
        return writer.bytes
    }

    static func field(_ tag: UInt8, _ body: [UInt8]) -> [UInt8] { [tag] + varint(body.count) + body }

    /// An attribute of a span; `value` is the body of its `AnyValue`.
    static func attribute(_ key: [UInt8], _ value: [UInt8]) -> [UInt8] {
        field(0x4a, field(0x0a, key) + field(0x12, value))
    }

    /// Ids, a name, a kind and times.
    static let spanHead: [UInt8] = {
        var bytes = field(0x0a, [UInt8](repeating: 0x81, count: 16))
        bytes += field(0x12, [UInt8](repeating: 0xfe, count: 8))
        bytes += field(0x2a, Array("GET".utf8))
        bytes += [0x30, 0x02, 0x39] + [UInt8](repeating: 0x8f, count: 8)
        bytes += [0x41] + [UInt8](repeating: 0x90, count: 8)
        return bytes
    }()

    /// A request with one span.
    static func request(span: [UInt8]) -> [UInt8] { field(0x0a, field(0x12, field(0x12, span))) }
}
