import OTLP
import TraceModel

/// A value in the result of a query; owns its memory.
package enum QueryValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    /// Nanoseconds.
    case duration(Int64)
    case status(StatusCode)
    case kind(SpanKind)
    case string(String)
    case array([QueryValue])
    /// A map or bytes, as people read them.
    case other(String)

    init(_ value: FieldValue) {
        switch value {
        case .absent: self = .null
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(value)
        case .double(let value): self = .double(value)
        case .duration(let value): self = .duration(value)
        case .status(let value): self = .status(StatusCode(rawValue: value) ?? .unset)
        case .kind(let value): self = .kind(SpanKind(rawValue: value) ?? .unspecified)
        case .string(let text): self = .string(String(decoding: text, as: UTF8.self))
        case .traceID(let id): self = .string(id.hex)
        case .spanID(let id): self = .string(id.hex)
        case .array(let elements):
            var values: [QueryValue] = []
            FieldValue.forEachElement(of: elements) { element in
                // Arrays in arrays would recurse as deep as a sender likes.
                if case .array(let nested) = element {
                    values.append(.other("[\(nested.count) bytes]"))
                } else {
                    values.append(QueryValue(element))
                }
                return true
            }
            self = .array(values)
        case .opaque(let anyValue):
            let decoded = try? OTLPDecoder.decodeValue(anyValue)
            self = .other(decoded?.text ?? "")
        }
    }

    /// The value as people read it.
    package var text: String {
        switch self {
        case .null: "nil"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .double(let value): String(value)
        case .duration(let value): DurationText.text(value)
        case .status(.unset): "unset"
        case .status(.ok): "ok"
        case .status(.error): "error"
        case .kind(let kind): kind.name
        case .string(let text), .other(let text): text
        case .array(let values): "[" + values.map(\.text).joined(separator: ", ") + "]"
        }
    }
}
