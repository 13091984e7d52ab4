import OTLP
import Pipeline
import TraceModel

/// Reads the scrubbed payload of a kept trace: what is indexed has been scrubbed too.
///
/// In place: of a kept trace's attributes a few are searchable, and only those become values. Owned by one task.
final class AttributeIndexer: TraceStage {
    private struct Key {
        var bytes: [UInt8]
        var name: String
    }

    /// Sorted by name, as the values of a trace are.
    private let keys: [Key]
    /// Bit `n`: some key has `n` bytes (63: 63 or more).
    private let lengths: UInt64
    private let maximumValues: Int
    /// A longer value is found by nobody; it would only fill the index.
    private static let maximumValueLength = 256
    private static let serviceName = Array("service.name".utf8)

    private var scanner = OTLPScanner()
    private let batch = SpanBatch()

    init(keys: [String], maximumValues: Int) {
        self.keys = Set(keys).sorted().map { Key(bytes: Array($0.utf8), name: $0) }
        lengths = keys.reduce(0) { $0 | 1 << UInt64(min($1.utf8.count, 63)) }
        self.maximumValues = maximumValues
    }

    func process(_ trace: inout KeptTrace) -> Bool {
        var operations: Set<IndexedOperation> = []
        var values = [Set<String>](repeating: [], count: keys.count)
        trace.payload.withUnsafeBytes { payload in
            // The payload was put together from accepted spans; one that cannot be read is stored all the same, unindexed.
            do { try scanner.scan(payload, into: batch) } catch { return }
            defer { batch.forget() }
            let units = batch.units
            var unit = UInt32.max
            var service = ""
            for head in batch.heads {
                if head.unit != unit {
                    unit = head.unit
                    let resource = batch.bytes(units[Int(unit)].resource)
                    service = Self.service(of: resource)
                    collect(from: resource, .resource, &values)
                }
                let kind = SpanKind(rawValue: head.kind) ?? .unspecified
                operations.insert(
                    IndexedOperation(service: service, operation: batch.string(head.name), kind: kind))
                collect(from: batch.bytes(head.attributes), .span, &values)
            }
        }
        trace.operations = operations.sorted {
            ($0.service, $0.operation, $0.kind.rawValue) < ($1.service, $1.operation, $1.kind.rawValue)
        }
        trace.attributes = zip(keys, values).flatMap { key, values in
            values.sorted().map { IndexedAttribute(key: key.name, value: $0) }
        }
        return true
    }

    private static func service(of resource: UnsafeRawBufferPointer) -> String {
        guard case .string(let name)? = AttributeLookup.value(of: serviceName, in: resource, .resource) else {
            return ""
        }
        return String(decoding: name, as: UTF8.self)
    }

    private func collect(
        from message: UnsafeRawBufferPointer, _ kind: AttributeLookup.Message, _ values: inout [Set<String>]
    ) {
        AttributeLookup.forEach(in: message, kind) { key, value in
            guard lengths >> UInt64(min(key.count, 63)) & 1 != 0,
                let index = keys.firstIndex(where: { $0.bytes.count == key.count && $0.bytes.elementsEqual(key) })
            else { return true }
            for text in Self.texts(of: value) where text.utf8.count <= Self.maximumValueLength {
                if values[index].count < maximumValues { values[index].insert(text) }
            }
            return true
        }
    }

    /// The elements of an array are found one by one.
    private static func texts(of value: RawAttributeValue) -> [String] {
        switch value {
        case .string(let bytes): [String(decoding: bytes, as: UTF8.self)]
        case .bool(let value): [AttributeValue.bool(value).text]
        case .int(let value): [AttributeValue.int(value).text]
        case .double(let value): [AttributeValue.double(value).text]
        case .bytes(let bytes): [AttributeValue.bytes(Array(bytes)).text]
        case .composite(let bytes):
            switch try? OTLPDecoder.decodeValue(bytes) {
            case .array(let elements)?: elements.map(\.text)
            case let other?: [other.text]
            case nil: []
            }
        case .empty: [""]
        }
    }
}
