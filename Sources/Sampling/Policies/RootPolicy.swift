import OTLP
import TraceModel

/// `root`: keeps traces whose root span meets conditions, all of them by the same span.
public final class RootPolicy: SamplingPolicy {
    public let name: String
    public let conditions: [any SpanCondition]

    init(name: String, _ condition: RootCondition) {
        self.name = name
        conditions = [condition]
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        matched[0] ? .keep(probability: 1) : .pass(probability: 0)
    }
}

/// A span without parent meets all of some conditions. Other spans cost one comparison.
final class RootCondition: SpanCondition {
    private static let serviceNameKey = Array("service.name".utf8)

    /// What a root must be; empty lists and nil ask nothing.
    struct Wanted {
        var services: [String] = []
        var names: [String] = []
        var namePattern: StringTest?
        var kinds: [UInt8] = []
        var statuses: [UInt8] = []
        /// Nanoseconds, exclusive.
        var longerThan: UInt64?
        /// Attributes of the span or its resource, and their values as text.
        var attributes: [(key: String, value: String)] = []
    }

    private let services: StringTest?
    private let names: StringTest?
    private let attributes: [(key: [UInt8], value: [UInt8])]
    private let wanted: Wanted

    init(_ wanted: Wanted) {
        self.wanted = wanted
        services = wanted.services.isEmpty ? nil : StringTest(exact: wanted.services)
        names = wanted.names.isEmpty ? nil : StringTest(exact: wanted.names)
        attributes = wanted.attributes.map { (Array($0.key.utf8), Array($0.value.utf8)) }
    }

    func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool {
        guard span.isRoot else { return false }
        if !wanted.kinds.isEmpty, !wanted.kinds.contains(span.kind) { return false }
        if !wanted.statuses.isEmpty, !wanted.statuses.contains(span.status) { return false }
        if let longerThan = wanted.longerThan, span.endTime &- span.startTime <= longerThan { return false }
        let name = batch.bytes(span.name)
        if let names, !names.accepts(name) { return false }
        if let pattern = wanted.namePattern, !pattern.accepts(name) { return false }
        let resource = batch.bytes(batch.units[Int(span.unit)].resource)
        if let services {
            guard case .string(let service)? = AttributeLookup.value(of: Self.serviceNameKey, in: resource, .resource),
                services.accepts(service)
            else { return false }
        }
        let message = batch.bytes(span.message)
        return attributes.allSatisfy { key, value in
            let found =
                AttributeLookup.value(of: key, in: message, .span)
                ?? AttributeLookup.value(of: key, in: resource, .resource)
            return found.map { AttributeText.areEqual($0, value) } ?? false
        }
    }
}

/// Attribute values as people write them.
enum AttributeText {
    static func areEqual(_ value: RawAttributeValue, _ text: [UInt8]) -> Bool {
        switch value {
        case .string(let bytes): text.withUnsafeBytes { StringTest.areEqual(bytes, $0) }
        case .bool(let flag): text.elementsEqual((flag ? "true" : "false").utf8)
        case .int(let number): text.elementsEqual(String(number).utf8)
        case .double(let number): Double(String(decoding: text, as: UTF8.self)) == number
        case .bytes, .composite, .empty: false
        }
    }
}
