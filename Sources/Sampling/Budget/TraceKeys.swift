import CXXHash
import OTLP
import Pipeline

/// Computes the key of a trace from its root span (or its first span while no root came), in place on the bytes.
final class TraceKeys {
    /// One part of a key.
    enum Field: Equatable, Sendable {
        case resource(key: [UInt8])
        case span(key: [UInt8])
        /// A span attribute, else a resource attribute.
        case either(key: [UInt8])
        case name
        case kind
        case status
        /// Whether some span of the trace has an error.
        case error

        /// `service` and `operation` stand for `resource.service.name` and `name`; a bare attribute name is looked for in the
        /// span, then in the resource.
        init(_ text: String) {
            switch text {
            case "service": self = .resource(key: Array("service.name".utf8))
            case "name", "operation": self = .name
            case "kind": self = .kind
            case "status": self = .status
            case "error": self = .error
            default:
                if text.hasPrefix("resource.") {
                    self = .resource(key: Array(text.dropFirst("resource.".count).utf8))
                } else if text.hasPrefix("span.") {
                    self = .span(key: Array(text.dropFirst("span.".count).utf8))
                } else {
                    self = .either(key: Array((text.hasPrefix(".") ? String(text.dropFirst()) : text).utf8))
                }
            }
        }

        /// The attribute that the field reads, as scrubbers name it; nil where it reads none.
        var attributeKey: String? {
            switch self {
            case .resource(let key), .span(let key), .either(let key): String(decoding: key, as: UTF8.self)
            case .name, .kind, .status, .error: nil
            }
        }
    }

    /// Texts remembered for people; of keys beyond them only the hash is shown.
    private static let maximumTexts = 4096

    private let fields: [Field]
    /// Texts are of scrubbed values: they go into decisions, which people read.
    private var scrubbers = ScrubberChain([])
    private var texts: [UInt64: String] = [:]

    init(_ fields: [Field]) { self.fields = fields }

    func use(_ scrubbers: ScrubberChain) {
        self.scrubbers = scrubbers
        texts.removeAll()
    }

    func key(of root: TraceSpan, hasError: Bool) -> UInt64 {
        let span = SpanFields(root.span)
        var hash: UInt64 = 0x6275_6467_6574
        for field in fields { hash = add(field, root, span, hasError, to: hash) }
        if texts.count < Self.maximumTexts, texts[hash] == nil {
            texts[hash] = scrubbers.withScrubbed(root) { text(of: $0, SpanFields($0.span), hasError) }
        }
        return hash
    }

    /// The key's values for people; nil where there were too many to remember.
    func knownText(of key: UInt64) -> String? { texts[key] }

    /// The key's values for people, or its hash.
    func text(of key: UInt64) -> String {
        if let text = texts[key] { return text }
        let digits = String(key, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private func add(_ field: Field, _ root: TraceSpan, _ span: SpanFields, _ hasError: Bool, to hash: UInt64) -> UInt64
    {
        switch field {
        case .name: return Self.hash(span.name, seed: hash &* 31 &+ 1)
        case .kind: return hash &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(span.kind)
        case .status: return hash &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(span.status)
        case .error: return hash &* 0x9e37_79b9_7f4a_7c15 &+ (hasError ? 1 : 0)
        case .resource, .span, .either:
            guard let value = value(of: field, root) else { return hash &* 31 &+ 7 }
            return Self.add(value, to: hash)
        }
    }

    private func value(of field: Field, _ root: TraceSpan) -> RawAttributeValue? {
        switch field {
        case .resource(let key): AttributeLookup.value(of: key, in: root.resource, .resource)
        case .span(let key): AttributeLookup.value(of: key, in: root.span, .span)
        case .either(let key):
            AttributeLookup.value(of: key, in: root.span, .span)
                ?? AttributeLookup.value(of: key, in: root.resource, .resource)
        case .name, .kind, .status, .error: nil
        }
    }

    private static func add(_ value: RawAttributeValue, to hash: UInt64) -> UInt64 {
        switch value {
        case .string(let bytes): Self.hash(bytes, seed: hash &* 31 &+ 2)
        case .bytes(let bytes), .composite(let bytes): Self.hash(bytes, seed: hash &* 31 &+ 3)
        case .int(let number): hash &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(bitPattern: number) &+ 4
        case .double(let number): hash &* 0x9e37_79b9_7f4a_7c15 ^ number.bitPattern &+ 5
        case .bool(let flag): hash &* 0x9e37_79b9_7f4a_7c15 &+ (flag ? 9 : 8)
        case .empty: hash &* 31 &+ 6
        }
    }

    private func text(of root: TraceSpan, _ span: SpanFields, _ hasError: Bool) -> String {
        fields.map { field -> String in
            switch field {
            case .name: return String(decoding: span.name.prefix(200), as: UTF8.self)
            case .kind: return "kind \(span.kind)"
            case .status: return "status \(span.status)"
            case .error: return hasError ? "error" : "ok"
            case .resource, .span, .either:
                switch value(of: field, root) {
                case .string(let bytes): return String(decoding: bytes.prefix(200), as: UTF8.self)
                case .int(let number): return "\(number)"
                case .double(let number): return "\(number)"
                case .bool(let flag): return "\(flag)"
                case .bytes, .composite: return "…"
                case .empty, nil: return "-"
                }
            }
        }.joined(separator: " ")
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        guard let start = bytes.baseAddress else { return seed }
        return XXH3_64bits_withSeed(start, bytes.count, seed)
    }
}
