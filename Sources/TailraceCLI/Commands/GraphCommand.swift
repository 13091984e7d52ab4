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

    func run() throws {
        let graph = PipelineGraph(try PipelineLoading.load(file))
        switch format {
        case .text: print(graph.text)
        case .dot: print(graph.dot)
        case .mermaid: print(graph.mermaid)
        }
    }
}
