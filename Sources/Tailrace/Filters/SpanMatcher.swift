import OTLP
import Pipeline
import Sampling
import TraceModel

/// Conditions on one span, all of which must hold: the `match:` of the filter and route stages.
struct SpanMatcher {
    static let options: [StageOption] = [
        StageOption("service", .list(.string), summary: "service.name is one of these"),
        StageOption("name", .list(.string), summary: "the span's name is one of these"),
        StageOption(
            "kind", .list(.enumeration(SpanKind.allCases.map(\.name))), summary: "the span's kind is one of these"),
        StageOption("error", .boolean, summary: "the span's status is (not) ERROR"),
        StageOption("attributes", .map(.string), summary: "span or resource attributes with exactly these values"),
        StageOption(
            "ottl", .list(.string), summary: "one of these conditions holds, in the language of ottl_condition policies"
        ),
    ]

    private var services: Set<String>
    private var names: Set<String>
    private var kinds: Set<UInt8>
    private var isError: Bool?
    private var attributes: [(key: [UInt8], value: String)]
    private var conditions: SpanConditions

    init(_ settings: StageSettings) {
        services = Set(settings.strings("service"))
        names = Set(settings.strings("name"))
        let wanted = Set(settings.strings("kind"))
        kinds = Set(SpanKind.allCases.filter { wanted.contains($0.name) }.map(\.rawValue))
        isError = settings.isSet("error") ? settings.boolean("error") : nil
        attributes = (settings.value["attributes"]?.entries ?? []).compactMap { entry in
            entry.value.scalar.map { (Array(entry.key.utf8), $0) }
        }
        conditions = SpanConditions(settings.strings("ottl"))
    }

    /// Reports conditions that cannot be read.
    static func check(_ settings: StageSettings, _ diagnostics: inout Diagnostics) {
        guard let list = settings.value["ottl"] else { return }
        for value in list.scalar == nil ? list.elements : [list] {
            guard let text = value.scalar, let problem = SpanConditions.problem(in: text) else { continue }
            diagnostics.error("ottl condition \(Wording.quoted(text)): \(problem)", at: value.location)
        }
    }

    /// Attribute keys that settings of this form read; nil where they may read any.
    static func keysRead(_ settings: StageSettings) -> [String]? {
        guard let read = SpanConditions.attributeKeys(of: settings.strings("ottl")) else { return nil }
        return (settings.isSet("service") ? ["service.name"] : [])
            + (settings.value["attributes"]?.entries ?? []).map(\.key) + read
    }

    private static let serviceName = Array("service.name".utf8)

    func matches(_ head: SpanHead, _ batch: SpanBatch) -> Bool {
        if let isError, head.isError != isError { return false }
        if !kinds.isEmpty, !kinds.contains(head.kind) { return false }
        if !names.isEmpty, !names.contains(batch.string(head.name)) { return false }
        let resource = batch.bytes(batch.units[Int(head.unit)].resource)
        if !services.isEmpty {
            guard case .string(let name)? = AttributeLookup.value(of: Self.serviceName, in: resource, .resource),
                services.contains(String(decoding: name, as: UTF8.self))
            else { return false }
        }
        for (key, value) in attributes {
            let found =
                AttributeLookup.value(of: key, in: batch.bytes(head.attributes), .span)
                ?? AttributeLookup.value(of: key, in: resource, .resource)
            guard let found, Self.text(found) == value else { return false }
        }
        return conditions.isEmpty || conditions.matches(head, in: batch)
    }

    private static func text(_ value: RawAttributeValue) -> String? {
        switch value {
        case .string(let bytes): String(decoding: bytes, as: UTF8.self)
        case .bool(let bool): bool ? "true" : "false"
        case .int(let int): String(int)
        case .double(let double): String(double)
        case .bytes, .composite, .empty: nil
        }
    }
}
