import ArgumentParser
import Pipeline
import Tailrace

struct GraphCommand: ParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable { case text, dot, mermaid }

    static let configuration = CommandConfiguration(
        commandName: "graph", abstract: "Draws a pipeline.",
        discussion: "Example: tailrace graph pipelines/quickstart.yaml --format dot | dot -Tsvg > pipeline.svg")

    @Argument(help: "A pipeline file.") var file: String
    @Option(help: "text, dot (Graphviz) or mermaid.") var format: Format = .text
    @Flag(help: "Says of each policy whether it looks at spans as they arrive or at whole traces.") var explain = false

    func validate() throws {
        if explain, format != .text { throw ValidationError("--explain goes with --format text") }
    }

    func run() throws {
        let plan = try PipelineLoading.load(file)
        let graph = PipelineGraph(plan)
        switch format {
        case .text: print(graph.text)
        case .dot: print(graph.dot)
        case .mermaid: print(graph.mermaid)
        }
        if explain, !plan.explanation.isEmpty { print("\n\(plan.explanation)") }
    }
}
