package import Pipeline

/// What an importer makes of a file.
package struct ImportedPipeline: Sendable {
    package var draft: PipelineDraft
    package var notes: [ImportNote]

    package init(draft: PipelineDraft, notes: [ImportNote]) {
        self.draft = draft
        self.notes = notes
    }
}

/// What the input cannot say.
package struct ImportOptions: Sendable {
    /// Name of the pipeline; nil derives one from the file's name.
    package var name: String?
    /// Kafka's brokers where the input names none.
    package var brokers = "localhost:9092"
    /// The topic of spans where the input names none.
    package var topic = "otlp_spans"
    /// What the keys of Refinery's `Samplers` are.
    package var refineryTargets = RefineryTarget.environment

    package init() {}
}

/// Turns foreign configuration files into pipeline files. Pure: reads and writes no file.
package enum PipelineImport {
    /// - Parameters:
    ///   - document: the input, loaded without expanding variables, so that they stay variables.
    ///   - format: what it is; see `ImportFormat.detect`.
    /// - Returns: the pipeline, or nil where the input has none; and what is wrong with the input.
    package static func read(
        _ document: YAMLDocument, as format: ImportFormat, options: ImportOptions
    ) -> (pipeline: ImportedPipeline?, diagnostics: Diagnostics) {
        switch format {
        case .collector:
            return CollectorImport.read(document, options: options)
        case .refineryRules:
            return RefineryRulesImport.read(document, options: options)
        case .refineryConfiguration:
            return RefineryConfigurationImport.read(document, options: options)
        }
    }

    /// A pipeline's name made of a file's: letters, digits, `-` and `_`.
    package static func name(forFile path: String) -> String {
        let file = path.split(separator: "/").last.map(String.init) ?? ""
        let stem = file.split(separator: ".").first.map(String.init) ?? ""
        return identifier(stem, otherwise: "imported")
    }

    /// A name that pipelines and stages may have, as near to `text` as can be.
    package static func identifier(_ text: String, otherwise fallback: String) -> String {
        var result = ""
        for character in text {
            let isAllowed = character.isASCII && (character.isLetter || character.isNumber || "-_".contains(character))
            if isAllowed {
                result.append(character)
            } else if result.last != "-", !result.isEmpty {
                result.append("-")
            }
        }
        while result.last == "-" { result.removeLast() }
        return result.isEmpty ? fallback : result
    }
}
