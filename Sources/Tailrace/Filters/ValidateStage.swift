import OTLP
import Pipeline

/// Definition of the stage kind `validate`: limits on attributes; spans over them leave as dead letters.
enum ValidateStage {
    static let definition = StageDefinition(
        kind: "validate", role: .filter,
        summary: "Holds spans against limits; a span over them goes to the rejected port with the reason.",
        inputs: [.spans],
        outputs: [
            OutputPort("spans", .spans, summary: "spans within the limits"),
            OutputPort("rejected", .rejects, isSide: true, summary: "spans over a limit, with the reason"),
        ],
        options: [
            StageOption("max_attributes", .integer(0...1_000_000), default: "100", summary: "attributes of a span"),
            StageOption(
                "max_key_length", .integer(1...1_000_000), default: "256", summary: "bytes of an attribute key"),
            StageOption(
                "max_value_length", .integer(1...100_000_000), default: "4096",
                summary: "bytes of a string or bytes value"),
        ],
        make: .filter { settings, _ in
            LimitFilter(
                maximumAttributes: UInt32(clamping: settings.integer("max_attributes") ?? 100),
                maximumKeyLength: Int(settings.integer("max_key_length") ?? 256),
                maximumValueLength: Int(settings.integer("max_value_length") ?? 4096))
        })
}

/// Counts and measures attributes in place.
final class LimitFilter: SpanFilter {
    private let maximumAttributes: UInt32
    private let maximumKeyLength: Int
    private let maximumValueLength: Int

    init(maximumAttributes: UInt32, maximumKeyLength: Int, maximumValueLength: Int) {
        self.maximumAttributes = maximumAttributes
        self.maximumKeyLength = maximumKeyLength
        self.maximumValueLength = maximumValueLength
    }

    func sort(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        into outputs: inout SpanFilterOutputs
    ) {
        for position in 0..<selection.count {
            let index = selection[position]
            if let (code, reason) = violation(batch.heads[Int(index)], batch) {
                outputs.rejected.append((index, code, reason))
            } else {
                outputs.ports[0].append(index)
            }
        }
    }

    private func violation(_ head: SpanHead, _ batch: SpanBatch) -> (String, String)? {
        if head.attributeCount > maximumAttributes {
            return (
                "too_many_attributes", "\(head.attributeCount) attributes, at most \(maximumAttributes) are accepted"
            )
        }
        // Attributes lie in one stretch that is no longer than a value may be: nothing in it can be too long.
        if Int(head.attributes.length) <= min(maximumKeyLength, maximumValueLength) { return nil }
        var found: (String, String)?
        AttributeLookup.forEach(in: batch.bytes(head.attributes), .span) { key, value in
            if key.count > maximumKeyLength {
                found = (
                    "key_too_long", "an attribute key of \(key.count) bytes, at most \(maximumKeyLength) are accepted"
                )
                return false
            }
            let length =
                switch value {
                case .string(let bytes), .bytes(let bytes), .composite(let bytes): bytes.count
                default: 0
                }
            if length > maximumValueLength {
                let name = String(decoding: key.prefix(64), as: UTF8.self)
                found = (
                    "value_too_long",
                    "the value of \(name) has \(length) bytes, at most \(maximumValueLength) are accepted"
                )
                return false
            }
            return true
        }
        return found
    }
}
