package import Pipeline

/// Reads configurations of the OpenTelemetry Collector.
enum CollectorImport {
    static func read(
        _ document: YAMLDocument, options: ImportOptions
    ) -> (pipeline: ImportedPipeline?, diagnostics: Diagnostics) {
        var diagnostics = document.diagnostics
        guard let root = document.value else { return (nil, diagnostics) }
        let configuration = CollectorConfiguration(CollectorEnvelope.open(root) ?? root, &diagnostics)
        if diagnostics.hasErrors { return (nil, diagnostics) }
        var translator = CollectorTranslator(configuration, file: document.file, options: options)
        guard translator.translate() else {
            let signals = Set(configuration.pipelines.map(\.signal)).sorted()
            diagnostics.error(
                configuration.pipelines.isEmpty
                    ? "the configuration has no pipelines and no components to make one of"
                    : "no pipeline of traces, only of \(Wording.choice(signals)): Tailrace handles traces; leave these "
                        + "pipelines in the Collector", at: configuration.pipelines.first?.location ?? document.start)
            return (nil, diagnostics)
        }
        return (translator.result, diagnostics)
    }
}
