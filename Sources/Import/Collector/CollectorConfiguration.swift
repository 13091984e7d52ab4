internal import Pipeline

/// A configuration of the OpenTelemetry Collector, as far as its form goes: components by section, pipelines by name.
///
/// https://opentelemetry.io/docs/collector/configuration/
struct CollectorConfiguration {
    enum Section: String, CaseIterable {
        case receivers, processors, exporters, connectors, extensions
    }

    /// One configured component, for example `filter/health` of the processors.
    struct Component {
        var section: Section
        var id: String
        var settings: ConfigValue
        var location: SourceLocation

        /// The part before the slash, which says what it is.
        var type: String { CollectorConfiguration.type(of: id) }
        /// As notes call it.
        var subject: String { "\(section.rawValue)::\(id)" }
    }

    /// A component's id where a pipeline or the service names it.
    struct Reference {
        var id: String
        var location: SourceLocation
    }

    struct Pipeline {
        /// `traces/2`
        var id: String
        var receivers: [Reference] = []
        var processors: [Reference] = []
        var exporters: [Reference] = []
        var location: SourceLocation

        /// `traces`, `metrics`, `logs` or `profiles`.
        var signal: String { CollectorConfiguration.type(of: id) }
    }

    var components: [Component] = []
    var pipelines: [Pipeline] = []
    /// Extensions that the service starts.
    var extensions: [Reference] = []
    var telemetry: ConfigEntry?
    /// Keys of no section, at the top and in `service`.
    var unknownEntries: [(path: String, location: SourceLocation)] = []
    /// False for a part of a configuration, as documentation shows them.
    var hasService = false

    static func type(of id: String) -> String { String(id.prefix { $0 != "/" }) }

    func component(_ section: Section, _ id: String) -> Component? {
        components.first { $0.section == section && $0.id == id }
    }
}

extension CollectorConfiguration {
    /// Reads the sections; what does not have the right form is reported.
    init(_ root: ConfigValue, _ diagnostics: inout Diagnostics) {
        for entry in root.entries {
            if entry.key == "service" {
                readService(entry, &diagnostics)
            } else if let section = Section(rawValue: entry.key) {
                readSection(section, entry, &diagnostics)
            } else if !entry.key.hasPrefix("x-") {
                unknownEntries.append((entry.key, entry.keyLocation))
            }
        }
    }

    private mutating func readSection(_ section: Section, _ entry: ConfigEntry, _ diagnostics: inout Diagnostics) {
        switch entry.value.content {
        case .null: return
        case .map(let entries):
            for component in entries {
                components.append(
                    Component(
                        section: section, id: component.key.filter { $0 != " " }, settings: component.value,
                        location: component.keyLocation))
            }
        default:
            diagnostics.error(
                "\(entry.key): expected a map of components, found \(Wording.kind(of: entry.value))",
                at: entry.keyLocation)
        }
    }

    private mutating func readService(_ entry: ConfigEntry, _ diagnostics: inout Diagnostics) {
        for part in entry.value.entries {
            switch part.key {
            case "extensions": extensions = references(part.value)
            case "telemetry": telemetry = part
            case "pipelines":
                hasService = true
                guard case .map(let entries) = part.value.content else {
                    if part.value.content != .null {
                        diagnostics.error(
                            "service::pipelines: expected a map of pipelines, found \(Wording.kind(of: part.value))",
                            at: part.keyLocation)
                    }
                    continue
                }
                pipelines = entries.map { pipeline($0) }
            default: unknownEntries.append(("service::\(part.key)", part.keyLocation))
            }
        }
    }

    private mutating func pipeline(_ entry: ConfigEntry) -> Pipeline {
        var pipeline = Pipeline(id: entry.key, location: entry.keyLocation)
        for part in entry.value.entries {
            switch part.key {
            case "receivers": pipeline.receivers = references(part.value)
            case "processors": pipeline.processors = references(part.value)
            case "exporters": pipeline.exporters = references(part.value)
            default: unknownEntries.append(("service::pipelines::\(entry.key)::\(part.key)", part.keyLocation))
            }
        }
        return pipeline
    }

    private func references(_ value: ConfigValue) -> [Reference] {
        let values = value.scalar == nil ? value.elements : [value]
        return values.compactMap { value in
            value.scalar.map { Reference(id: $0.filter { $0 != " " }, location: value.location) }
        }
    }
}

/// Files that carry a configuration inside, or a part of one: what people have at hand is often a Kubernetes object, or an
/// example.
enum CollectorEnvelope {
    /// The configuration inside a Kubernetes `OpenTelemetryCollector` or `ConfigMap`, or a Helm chart's values; processors
    /// that stand alone in their section; nil for all else.
    static func open(_ root: ConfigValue) -> ConfigValue? {
        if let snippet = snippet(root) { return snippet }
        switch root["kind"]?.scalar {
        case "OpenTelemetryCollector": return root["spec"]?["config"].flatMap(content)
        case "ConfigMap":
            let entries = root["data"]?.entries ?? []
            return entries.lazy.compactMap { content($0.value) }.first { isConfiguration($0) }
        default:
            for path in [
                ["config"], ["opentelemetry-collector", "config"], ["alternateConfig"], ["collector", "config"],
            ] {
                let value = path.reduce(ConfigValue?.some(root)) { value, key in value?[key] }
                if let value = value.flatMap(content), isConfiguration(value) { return value }
            }
            return nil
        }
    }

    /// Processors that say by their names alone what they are, as examples show them without the section around them; or the
    /// body of a `tail_sampling`.
    private static func snippet(_ root: ConfigValue) -> ConfigValue? {
        func section(_ entries: [ConfigEntry]) -> ConfigValue {
            ConfigValue(
                .map([
                    ConfigEntry(
                        key: "processors", keyLocation: root.location,
                        value: ConfigValue(.map(entries), at: root.location))
                ]), at: root.location)
        }
        let known: Set = ["tail_sampling", "probabilistic_sampler", "redaction", "filter", "attributes", "resource"]
        if !root.entries.isEmpty, root.entries.allSatisfy({ known.contains(CollectorConfiguration.type(of: $0.key)) }) {
            return section(root.entries)
        }
        guard root["policies"] != nil, root["stages"] == nil, root["kind"] == nil else { return nil }
        return section([ConfigEntry(key: "tail_sampling", keyLocation: root.location, value: root)])
    }

    private static func isConfiguration(_ value: ConfigValue) -> Bool {
        value["service"] != nil || value["receivers"] != nil
    }

    /// The value, or what its text holds as YAML. Places in such a text are those of the file where that is known.
    private static func content(_ value: ConfigValue) -> ConfigValue? {
        guard let text = value.scalar else { return value }
        let inner = YAMLLoader.load(text: text, file: value.location.file, environment: nil)
        guard !inner.diagnostics.hasErrors, let root = inner.value else { return nil }
        return moved(root, into: value)
    }

    private static func moved(_ value: ConfigValue, into outer: ConfigValue) -> ConfigValue {
        func place(_ location: SourceLocation) -> SourceLocation {
            outer.location(ofTextLine: location.line, column: location.column)
        }
        var result = ConfigValue(value.content, at: place(value.location))
        switch value.content {
        case .list(let elements): result.content = .list(elements.map { moved($0, into: outer) })
        case .map(let entries):
            result.content = .map(
                entries.map {
                    ConfigEntry(key: $0.key, keyLocation: place($0.keyLocation), value: moved($0.value, into: outer))
                })
        case .scalar, .null: break
        }
        return result
    }
}
