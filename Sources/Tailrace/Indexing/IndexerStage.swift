import Pipeline

/// Definition of the stage kind `indexer`: chooses what a kept trace can be found by.
enum IndexerStage {
    static let definition = StageDefinition(
        kind: "indexer", role: .indexer,
        summary: "Chooses the searchable attributes of a kept trace, and lists its services and operations.",
        inputs: [.traces],
        outputs: [OutputPort("traces", .traces, summary: "the traces, with what they can be found by")],
        options: [
            StageOption(
                "attributes", .list(.string), required: true,
                summary: "list of attribute keys, or a file with such a list, for example config/searchable.yaml"),
            StageOption(
                "max_values_per_key", .integer(1...10_000), default: "20",
                summary: "different values of one key that are indexed per trace"),
        ],
        check: { settings, diagnostics in
            guard let value = settings.value["attributes"] else { return }
            do { _ = try keys(settings) } catch { diagnostics.error("\(error)", at: value.location) }
        },
        inlined: { settings in
            guard let value = settings.value["attributes"], value.scalar != nil else { return settings.value }
            let keys = try keys(settings).map { ConfigValue(.scalar($0, isQuoted: true), at: value.location) }
            return settings.value.replacing("attributes", with: ConfigValue(.list(keys), at: value.location))
        },
        make: .trace { settings, _ in
            AttributeIndexer(
                keys: try keys(settings), maximumValues: Int(settings.integer("max_values_per_key") ?? 20))
        })

    /// The keys, from the pipeline file or from the file that it names.
    static func keys(_ settings: StageSettings) throws -> [String] {
        guard let value = settings.value["attributes"] else { return [] }
        if case .list(let elements) = value.content { return try names(elements) }
        guard let path = value.scalar else {
            throw StageError("attributes must be a list of keys or the name of a file")
        }
        let document = YAMLLoader.load(path: path, environment: ProcessEnvironment.variables)
        guard !document.diagnostics.hasErrors, let content = document.value else {
            throw StageError(
                document.diagnostics.sorted.first.map(\.description)
                    ?? "\(path) is empty; it needs a list of attribute keys")
        }
        let list = content["attributes"] ?? content
        guard case .list(let elements) = list.content else {
            throw StageError("\(path) must hold a list of attribute keys under attributes:")
        }
        return try names(elements)
    }

    private static func names(_ elements: [ConfigValue]) throws -> [String] {
        try elements.map { element in
            guard let name = element.scalar, !name.isEmpty else {
                throw StageError("\(element.location): an attribute key must be a text")
            }
            return name
        }
    }
}
