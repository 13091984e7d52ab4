/// Draws a pipeline.
public struct PipelineGraph: Sendable {
    let plan: PipelinePlan

    public init(_ plan: PipelinePlan) { self.plan = plan }

    /// A tree for a terminal, one line per edge, with ports and types. A stage that several edges lead to is drawn in
    /// full at the first of them.
    public var text: String {
        var drawing = TreeDrawing(plan: plan)
        return drawing.draw()
    }

    /// Graphviz: `dot -Tsvg`.
    public var dot: String {
        var lines = [
            "digraph \(quoted(plan.name)) {",
            "  rankdir=LR;",
            "  node [shape=box, style=rounded, fontname=\"sans-serif\"];",
            "  edge [fontname=\"sans-serif\", fontsize=10];",
        ]
        for stage in plan.stages {
            let shape =
                switch stage.role {
                case .source: ", shape=cds"
                case .sampler: ", shape=diamond"
                case .sink: ", shape=cylinder"
                case .scrubber, .indexer, .filter: ""
                }
            lines.append("  \(quoted(stage.name)) [label=\(quoted("\(stage.name)\n\(stage.kind)"))\(shape)];")
        }
        forEachEdge { from, port, to in
            let style = port.isSide ? ", style=dashed" : ""
            let label = quoted("\(port.name)\n\(port.type.rawValue)")
            lines.append(
                "  \(quoted(plan.stages[from].name)) -> \(quoted(plan.stages[to].name)) [label=\(label)\(style)];")
        }
        return lines.joined(separator: "\n") + "\n}\n"
    }

    /// Mermaid, for Markdown pages.
    public var mermaid: String {
        var lines = ["flowchart LR"]
        for (index, stage) in plan.stages.enumerated() {
            let label = "\"\(escaped(stage.name))<br/><i>\(escaped(stage.kind))</i>\""
            let node =
                switch stage.role {
                case .source: "([\(label)])"
                case .sampler: "{{\(label)}}"
                case .sink: "[(\(label))]"
                case .scrubber, .indexer, .filter: "[\(label)]"
                }
            // Stage names can be words that Mermaid keeps for itself, such as `end`; numbered ids cannot.
            lines.append("  s\(index)\(node)")
        }
        forEachEdge { from, port, to in
            let arrow = port.isSide ? "-.->" : "-->"
            lines.append("  s\(from) \(arrow)|\"\(escaped(port.name)): \(port.type.rawValue)\"| s\(to)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func forEachEdge(_ body: (Int, OutputPort, Int) -> Void) {
        for (index, stage) in plan.stages.enumerated() {
            for (port, output) in stage.definition.outputs.enumerated() {
                for reader in stage.consumers[port] { body(index, output, reader) }
            }
        }
    }

    private func quoted(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return "\"\(escaped)\""
    }

    private func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "\"": escaped += "#quot;"
            case "<": escaped += "#lt;"
            case ">": escaped += "#gt;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
