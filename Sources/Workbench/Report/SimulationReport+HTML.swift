import Sampling

extension SimulationReport {
    /// A page that needs nothing but itself: the table, and plots as inline SVG.
    package var html: String {
        let header = Self.columns.map { "<th>\(Chart.escaped($0))</th>" }.joined()
        let body = rows.map { row in
            "<tr>" + row.map { "<td>\(Chart.escaped($0))</td>" }.joined() + "</tr>"
        }.joined(separator: "\n")
        let legend = simulation.outcomes.enumerated().map { index, outcome in
            "<span style=\"color:\(Chart.color(index))\">&#9632; \(Chart.escaped(outcome.name))</span>"
        }.joined(separator: " ")
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>\(Chart.escaped(title))</title>
            <style>\(Chart.style)</style></head><body>
            <h1>\(Chart.escaped(title))</h1>
            <p>Budget \(Numbers.fixed(simulation.rate, digits: 1)) \(simulation.unit.name)/s,
            \(simulation.traceCount) traces in \(simulation.offered.count) s of stream time.</p>
            <table><thead><tr>\(header)</tr></thead><tbody>
            \(body)
            </tbody></table>
            <p>Errors of the budget are the largest over any 10 s and any second in which enough was offered; coverage is of
            pairs of a key, a shape or a rare key with a minute; count bias is the estimated number of traces against the
            exact one.</p>
            <h2>Kept per second, as a multiple of the budget</h2><p>\(legend)</p>
            \(keptPlot)
            <h2>Offered per second, as a multiple of the budget</h2>
            \(offeredPlot)
            <h2>Coverage and errors kept</h2>
            \(barPlot)
            <h2>Bias of the estimated number of traces, by ten seconds</h2><p>\(legend)</p>
            \(biasPlot)
            </body></html>

            """
    }

    private var keptPlot: String {
        Chart.lines(
            simulation.outcomes.map { $0.kept.map { $0 / simulation.rate } }, from: 0, to: 4, unit: "x", xUnit: "s",
            xScale: 1, line: 1)
    }

    private var offeredPlot: String {
        let values = simulation.offered.map { $0 / simulation.rate }
        return Chart.lines(
            [values], from: 0, to: max(1, values.max() ?? 1) * 1.05, unit: "x", xUnit: "s", xScale: 1, line: 1)
    }

    private var biasPlot: String {
        Chart.lines(simulation.outcomes.map(\.bias), from: -0.5, to: 0.5, unit: "", xUnit: "s", xScale: 10, line: 0)
    }

    private var barPlot: String {
        let groups: [(String, (Simulation.Outcome) -> Double)] = [
            ("keys", { $0.keyCoverage }), ("shapes", { $0.shapeCoverage }),
            // Where there were none, there is nothing to show, as in the table.
            ("rare keys", { $0.rareOffered.isEmpty ? 0 : $0.rareCoverage }),
            ("errors", { $0.errorsOffered == 0 ? 0 : $0.errorRecall }),
        ]
        let width = 200.0 / Double(max(1, simulation.outcomes.count))
        var shapes = ""
        for (group, (name, value)) in groups.enumerated() {
            let left = 40 + Double(group) * 235
            for (index, outcome) in simulation.outcomes.enumerated() {
                let height = 150 * min(1, max(0, value(outcome)))
                shapes +=
                    "<rect x=\"\(Chart.number(left + Double(index) * width))\" y=\"\(Chart.number(170 - height))\" "
                    + "width=\"\(Chart.number(width - 3))\" height=\"\(Chart.number(height))\" "
                    + "fill=\"\(Chart.color(index))\"><title>\(Chart.escaped(outcome.name)) "
                    + "\(Numbers.percent(value(outcome)))</title></rect>\n"
            }
            shapes += "<text x=\"\(Chart.number(left))\" y=\"190\" font-size=\"13\">\(name)</text>\n"
        }
        return "<svg viewBox=\"0 0 1000 200\" role=\"img\">\(shapes)</svg>"
    }
}
