/// The figures of a simulation as a table and as a page.
package struct SimulationReport {
    package let title: String
    package let simulation: Simulation
    package let steps: [Int]

    package init(title: String, simulation: Simulation, steps: [Int]) {
        self.title = title
        self.simulation = simulation
        self.steps = steps
    }

    static let columns = [
        "sampler", "mean of budget", "peak 1 s", "error 10 s", "error 1 s", "settles", "keys", "shapes", "rare keys",
        "errors kept", "count bias",
    ]

    var rows: [[String]] {
        simulation.outcomes.map { outcome in
            let seconds = Double(max(1, outcome.kept.count))
            let mean = outcome.kept.reduce(0, +) / seconds / simulation.rate
            let settle = steps.map { outcome.settleTime(after: $0, rate: simulation.rate) }
            let worst = settle.contains { $0 == nil } ? nil : settle.compactMap { $0 }.max()
            return [
                outcome.name, Numbers.percent(mean),
                Numbers.fixed(outcome.peak(rate: simulation.rate), digits: 2) + "x",
                Numbers.percent(
                    outcome.largestError(over: 10, rate: simulation.rate, offered: simulation.offered)),
                Numbers.percent(outcome.largestError(over: 1, rate: simulation.rate, offered: simulation.offered)),
                steps.isEmpty ? "-" : worst.map { "\($0) s" } ?? "never",
                Numbers.percent(outcome.keyCoverage), Numbers.percent(outcome.shapeCoverage),
                outcome.rareOffered.isEmpty ? "-" : Numbers.percent(outcome.rareCoverage),
                Self.errors(outcome),
                Numbers.percent(outcome.countBias(traces: simulation.traceCount), digits: 2),
            ]
        }
    }

    /// With the part of which only the outline is kept.
    private static func errors(_ outcome: Simulation.Outcome) -> String {
        guard outcome.errorsOffered > 0 else { return "-" }
        let kept = Numbers.percent(outcome.errorRecall)
        if outcome.outlinesKept == 0 { return kept }
        return kept + " (\(Numbers.percent(Double(outcome.outlinesKept) / Double(outcome.errorsOffered))) in outline)"
    }

    /// A Markdown table.
    package var table: String {
        let all = [Self.columns] + rows
        let widths = Self.columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            "| "
                + zip(cells, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: " | ")
                + " |"
        }
        let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
        return ([line(Self.columns), rule] + rows.map(line)).joined(separator: "\n") + "\n"
    }
}
