import Sampling

extension SimulationReport {
    private static let colors = ["#0b6e4f", "#c1440e", "#6a4c93", "#1d70a2", "#b8860b", "#7f7f7f", "#a83279"]

    /// A page that needs nothing but itself: the table, and plots as inline SVG.
    package var html: String {
        let header = Self.columns.map { "<th>\(Self.escaped($0))</th>" }.joined()
        let body = rows.map { row in
            "<tr>" + row.map { "<td>\(Self.escaped($0))</td>" }.joined() + "</tr>"
        }.joined(separator: "\n")
        let legend = simulation.outcomes.enumerated().map { index, outcome in
            "<span style=\"color:\(Self.color(index))\">&#9632; \(Self.escaped(outcome.name))</span>"
        }.joined(separator: " ")
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>\(Self.escaped(title))</title>
            <style>
            body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; color: #222; padding: 0 1em }
            table { border-collapse: collapse; font-size: 13px }
            td, th { padding: .3em .7em; border-bottom: 1px solid #ddd; text-align: right }
            td:first-child, th:first-child { text-align: left }
            svg { width: 100%; height: auto; background: #fafafa; margin: .3em 0 1.5em }
            h2 { font-size: 17px; margin: 1.5em 0 0 }
            p { margin: .2em 0 }
            </style></head><body>
            <h1>\(Self.escaped(title))</h1>
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
        Self.plot(
            simulation.outcomes.map { $0.kept.map { $0 / simulation.rate } }, from: 0, to: 4, unit: "x", xUnit: "s",
            xScale: 1, line: 1)
    }

    private var offeredPlot: String {
        let values = simulation.offered.map { $0 / simulation.rate }
        return Self.plot(
            [values], from: 0, to: max(1, values.max() ?? 1) * 1.05, unit: "x", xUnit: "s", xScale: 1, line: 1)
    }

    private var biasPlot: String {
        Self.plot(simulation.outcomes.map(\.bias), from: -0.5, to: 0.5, unit: "", xUnit: "s", xScale: 10, line: 0)
    }

    private var barPlot: String {
        let groups: [(String, (Simulation.Outcome) -> Double)] = [
            ("keys", { $0.keyCoverage }), ("shapes", { $0.shapeCoverage }), ("rare keys", { $0.rareCoverage }),
            ("errors", { $0.errorRecall }),
        ]
        let width = 200.0 / Double(max(1, simulation.outcomes.count))
        var shapes = ""
        for (group, (name, value)) in groups.enumerated() {
            let left = 40 + Double(group) * 235
            for (index, outcome) in simulation.outcomes.enumerated() {
                let height = 150 * min(1, max(0, value(outcome)))
                shapes +=
                    "<rect x=\"\(Self.number(left + Double(index) * width))\" y=\"\(Self.number(170 - height))\" "
                    + "width=\"\(Self.number(width - 3))\" height=\"\(Self.number(height))\" "
                    + "fill=\"\(Self.color(index))\"><title>\(Self.escaped(outcome.name)) "
                    + "\(Numbers.percent(value(outcome)))</title></rect>\n"
            }
            shapes += "<text x=\"\(Self.number(left))\" y=\"190\" font-size=\"13\">\(name)</text>\n"
        }
        return "<svg viewBox=\"0 0 1000 200\" role=\"img\">\(shapes)</svg>"
    }

    // MARK: - SVG

    /// Lines over time; values outside are drawn at the border.
    private static func plot(
        _ series: [[Double]], from low: Double, to high: Double, unit: String, xUnit: String, xScale: Double,
        line: Double
    ) -> String {
        let count = max(2, series.map(\.count).max() ?? 2)
        func x(_ index: Int) -> Double { 50 + 940 * Double(index) / Double(count - 1) }
        func y(_ value: Double) -> Double { 230 - 210 * (min(max(value, low), high) - low) / (high - low) }
        var shapes = ""
        for step in 0...4 {
            let value = low + (high - low) * Double(step) / 4
            shapes +=
                "<line x1=\"50\" x2=\"990\" y1=\"\(number(y(value)))\" y2=\"\(number(y(value)))\" stroke=\"#ddd\"/>"
                + "<text x=\"44\" y=\"\(number(y(value) + 4))\" font-size=\"12\" text-anchor=\"end\">"
                + "\(Numbers.fixed(value, digits: 2))\(unit)</text>\n"
            let index = (count - 1) * step / 4
            shapes +=
                "<text x=\"\(number(x(index)))\" y=\"248\" font-size=\"12\" text-anchor=\"middle\">"
                + "\(Numbers.fixed(Double(index) * xScale, digits: 0)) \(xUnit)</text>\n"
        }
        shapes +=
            "<line x1=\"50\" x2=\"990\" y1=\"\(number(y(line)))\" y2=\"\(number(y(line)))\" stroke=\"#000\" "
            + "stroke-dasharray=\"5 4\"/>\n"
        // Ours last, so that it lies on top.
        for index in series.indices.reversed() where !series[index].isEmpty {
            let points = series[index].enumerated().map { "\(number(x($0))),\(number(y($1)))" }.joined(separator: " ")
            shapes +=
                "<polyline points=\"\(points)\" fill=\"none\" stroke=\"\(color(index))\" "
                + "stroke-width=\"\(index == 0 ? 2.2 : 1.2)\"/>\n"
        }
        return "<svg viewBox=\"0 0 1000 255\" role=\"img\">\(shapes)</svg>"
    }

    private static func color(_ index: Int) -> String { colors[index % colors.count] }

    private static func number(_ value: Double) -> String { Numbers.fixed(value, digits: 1) }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }
}
