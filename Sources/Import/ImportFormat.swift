package import Pipeline

/// The kinds of files that `tailrace import` reads.
package enum ImportFormat: String, CaseIterable, Sendable {
    /// A configuration of the OpenTelemetry Collector.
    case collector = "otelcol"
    /// The sampling rules of Honeycomb's Refinery.
    case refineryRules = "refinery-rules"
    /// The main configuration file of Refinery, which has no rules.
    case refineryConfiguration = "refinery-config"

    /// What a file is, by its top-level keys; nil where they are of neither kind.
    package static func detect(_ root: ConfigValue) -> ImportFormat? {
        let keys = Set(root.entries.map(\.key))
        if RefineryRulesImport.rules(in: root) != nil { return .refineryRules }
        let sections: Set = ["receivers", "processors", "exporters", "connectors", "service", "extensions"]
        if !keys.isDisjoint(with: sections) { return .collector }
        if CollectorEnvelope.open(root) != nil { return .collector }
        return RefineryConfigurationImport.configuration(in: root) == nil ? nil : .refineryConfiguration
    }

    /// In words, for messages.
    package var title: String {
        switch self {
        case .collector: "an OpenTelemetry Collector configuration"
        case .refineryRules: "Refinery sampling rules"
        case .refineryConfiguration: "a Refinery configuration"
        }
    }
}
