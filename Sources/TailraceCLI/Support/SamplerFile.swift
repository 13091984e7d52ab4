import Pipeline

/// A file that has a sampler and nothing around it, as commands take it that only try one: the options of a `tail_sampler`, or one
/// policy.
enum SamplerFile {
    /// The document with a pipeline around the sampler, everything at its own place in the file; the same document where it has none,
    /// or is a pipeline already.
    static func pipeline(around document: YAMLDocument) -> YAMLDocument {
        guard let root = document.value, case .map(let entries) = root.content else { return document }
        let keys = Set(entries.map(\.key))
        guard keys.isDisjoint(with: ["pipeline", "stages"]) else { return document }
        let place = root.location
        func text(_ value: String) -> ConfigValue { ConfigValue(.scalar(value, isQuoted: false), at: place) }
        func entry(_ key: String, _ value: ConfigValue) -> ConfigEntry {
            ConfigEntry(key: key, keyLocation: place, value: value)
        }
        func map(_ entries: [ConfigEntry]) -> ConfigValue { ConfigValue(.map(entries), at: place) }

        var options = entries
        if keys.contains("type") {
            let named = keys.contains("name") ? entries : [entry("name", text("sampler"))] + entries
            options = [entry("policies", ConfigValue(.list([map(named)]), at: place))]
        } else if !keys.contains("policies") {
            return document
        }
        options.removeAll { $0.key == "kind" || $0.key == "from" }
        let stages = [
            entry("spans", map([entry("kind", text("file")), entry("path", text("spans.jsonl"))])),
            entry("sample", map([entry("kind", text("tail_sampler")), entry("from", text("spans"))] + options)),
            entry("out", map([entry("kind", text("discard")), entry("from", text("sample"))])),
        ]
        return YAMLDocument(
            file: document.file, text: document.text,
            value: map([entry("pipeline", text("sampler")), entry("stages", map(stages))]),
            diagnostics: document.diagnostics, unresolved: document.unresolved)
    }
}
