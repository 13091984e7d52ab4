extension PipelinePlan {
    /// Reads and checks a pipeline file.
    ///
    /// - Parameters:
    ///   - path: the file; also its name in diagnostics.
    ///   - registry: the stage kinds the file may use.
    ///   - environment: values for `${VAR}`.
    /// - Returns: the plan, or nil where there are errors; and all errors and warnings at once.
    public static func load(
        path: String, registry: StageRegistry, environment: [String: String]
    ) -> (plan: PipelinePlan?, diagnostics: Diagnostics) {
        load(YAMLLoader.load(path: path, environment: environment), registry: registry)
    }

    /// Checks the text of a pipeline file; `file` is its name in diagnostics.
    public static func load(
        text: String, file: String = "pipeline.yaml", registry: StageRegistry, environment: [String: String]
    ) -> (plan: PipelinePlan?, diagnostics: Diagnostics) {
        load(YAMLLoader.load(text: text, file: file, environment: environment), registry: registry)
    }

    /// Checks a pipeline file that was read; its `text` shows the lines of `diagnostics`.
    public static func load(
        _ document: YAMLDocument, registry: StageRegistry
    ) -> (plan: PipelinePlan?, diagnostics: Diagnostics) {
        let file = PipelineFile(document, registry: registry)
        guard file.hasStages else { return (nil, file.diagnostics) }
        var builder = PlanBuilder(file)
        let plan = builder.build()
        return (plan, builder.diagnostics)
    }
}
