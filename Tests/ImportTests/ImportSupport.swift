import Foundation
import Import
import Pipeline
import Tailrace

/// Collector configurations beside the tests.
enum Fixture: String, CaseIterable, Sendable {
    case tailSampling = "tail-sampling"
    case redaction, attributes, filter, gateway, `operator`

    var text: String {
        get throws {
            let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
            return try String(contentsOf: folder.appendingPathComponent("\(rawValue).yaml"), encoding: .utf8)
        }
    }
}

/// An import of a text, and what the program makes of the result.
struct Imported {
    let text: String
    let notes: [ImportNote]
    let draft: PipelineDraft

    /// Nil where nothing was imported.
    init?(_ input: String, options: ImportOptions = ImportOptions()) {
        let document = ImportDocument.load(text: input, file: "otelcol.yaml")
        guard let root = document.value, !document.diagnostics.hasErrors, let format = ImportFormat.detect(root),
            let pipeline = PipelineImport.read(document, as: format, options: options).pipeline
        else { return nil }
        text = pipeline.draft.text
        notes = pipeline.notes
        draft = pipeline.draft
    }

    /// Values for all variables that the fixtures leave open.
    static let environment = ["HOST": "h", "KAFKA_USER": "u", "PERCENT": "5", "TEMPO": "tempo:4317"]

    /// What `tailrace validate` says of the result.
    var diagnostics: Diagnostics {
        PipelinePlan.load(text: text, file: "imported.yaml", registry: .builtIn, environment: Self.environment)
            .diagnostics
    }

    func stage(_ name: String) -> PipelineDraft.Stage? { draft.stages.first { $0.name == name } }

    func option(_ stage: String, _ key: String) -> DraftValue? {
        self.stage(stage)?.options.first { $0.key == key }?.value
    }

    /// Notes about a subject or what is below it.
    func notes(_ subject: String) -> [ImportNote] {
        notes.filter { $0.subject == subject || $0.subject.hasPrefix(subject + "::") }
    }
}

/// A configuration with one pipeline around some processors.
func configuration(_ processors: String, order: [String]) -> String {
    let indented = processors.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n")
    return """
        receivers: { kafka: { traces: { topics: [spans] } } }
        processors:
        \(indented)
        exporters: { file: { path: out.jsonl } }
        service: { pipelines: { traces: { receivers: [kafka], processors: [\(order.joined(separator: ", "))], exporters: [file] } } }
        """
}
