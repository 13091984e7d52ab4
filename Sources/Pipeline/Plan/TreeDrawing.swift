/// The lines of `PipelineGraph.text`.
struct TreeDrawing {
    let plan: PipelinePlan
    private var lines: [String] = []
    private var drawn: Set<Int> = []

    init(plan: PipelinePlan) { self.plan = plan }

    mutating func draw() -> String {
        lines.append("pipeline \(plan.name)")
        for source in plan.sources {
            lines.append("")
            lines.append(title(source))
            drawn.insert(source)
            drawOutputs(of: source, indent: "")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func title(_ stage: Int) -> String { "\(plan.stages[stage].name) (\(plan.stages[stage].kind))" }

    /// Recursion ends: a plan has no cycles and a bounded number of stages.
    private mutating func drawOutputs(of index: Int, indent: String) {
        let stage = plan.stages[index]
        var branches: [(port: OutputPort, reader: Int?)] = []
        for (port, output) in stage.definition.outputs.enumerated() {
            if stage.consumers[port].isEmpty { branches.append((output, nil)) }
            for reader in stage.consumers[port] { branches.append((output, reader)) }
        }
        for (position, branch) in branches.enumerated() {
            let isLast = position == branches.count - 1
            let edge = "\(indent)\(isLast ? "└─" : "├─") \(branch.port.name): \(branch.port.type.rawValue)"
            guard let reader = branch.reader else {
                lines.append("\(edge), not read")
                continue
            }
            let isNew = drawn.insert(reader).inserted
            let hasOutputs = !plan.stages[reader].definition.outputs.isEmpty
            lines.append("\(edge) ─▶ \(title(reader))\(isNew || !hasOutputs ? "" : ", see above")")
            if isNew { drawOutputs(of: reader, indent: indent + (isLast ? "   " : "│  ")) }
        }
    }
}
