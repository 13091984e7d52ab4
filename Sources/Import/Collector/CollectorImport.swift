package import Pipeline

/// Reads configurations of the OpenTelemetry Collector.
enum CollectorImport {
    static func read(
        _ document: YAMLDocument, options: ImportOptions
    ) -> (pipeline: ImportedPipeline?, diagnostics: Diagnostics) {
        (nil, document.diagnostics)
    }
}
