/// Plots for pages that need nothing but themselves: inline SVG.
package enum Chart {
    private static let colors = ["#0b6e4f", "#c1440e", "#6a4c93", "#1d70a2", "#b8860b", "#7f7f7f", "#a83279"]

    /// Style sheet of a page with tables and plots.
    package static let style = """
        body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; color: #222; padding: 0 1em }
        table { border-collapse: collapse; font-size: 13px }
        td, th { padding: .3em .7em; border-bottom: 1px solid #ddd; text-align: right }
        td:first-child, th:first-child { text-align: left }
        svg { width: 100%; height: auto; background: #fafafa; margin: .3em 0 1.5em }
        h2 { font-size: 17px; margin: 1.5em 0 0 }
        p { margin: .2em 0 }
        """

    /// Lines over time; values outside are drawn at the border.
    ///
    /// - Parameters:
    ///   - xScale: units of time between two values.
    ///   - line: where a dashed line is drawn; nil for none.
    ///   - label: how a value is written at the axis; with two decimals and the unit where nil.
    package static func lines(
        _ series: [[Double]], from low: Double, to high: Double, unit: String, xUnit: String, xScale: Double,
        line: Double?, label: ((Double) -> String)? = nil
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
                + "\(label?(value) ?? Numbers.fixed(value, digits: 2) + unit)</text>\n"
            let index = (count - 1) * step / 4
            shapes +=
                "<text x=\"\(number(x(index)))\" y=\"248\" font-size=\"12\" "
                + "text-anchor=\"\(step == 4 ? "end" : "middle")\">"
                + "\(Numbers.fixed(Double(index) * xScale, digits: 0)) \(xUnit)</text>\n"
        }
        if let line {
            shapes +=
                "<line x1=\"50\" x2=\"990\" y1=\"\(number(y(line)))\" y2=\"\(number(y(line)))\" stroke=\"#000\" "
                + "stroke-dasharray=\"5 4\"/>\n"
        }
        // The first one last, so that it lies on top.
        for index in series.indices.reversed() where !series[index].isEmpty {
            let points = series[index].enumerated().map { "\(number(x($0))),\(number(y($1)))" }.joined(separator: " ")
            shapes +=
                "<polyline points=\"\(points)\" fill=\"none\" stroke=\"\(color(index))\" "
                + "stroke-width=\"\(index == 0 ? 2.2 : 1.2)\"/>\n"
        }
        return "<svg viewBox=\"0 0 1000 255\" role=\"img\">\(shapes)</svg>"
    }

    /// Horizontal bars in groups, one bar of each series per group, with its value behind it.
    ///
    /// - Parameters:
    ///   - groups: what each group is called, with the values of the series and how they are written.
    ///   - firstColor: number of the first series' colour.
    package static func bars(
        _ groups: [(name: String, values: [Double], labels: [String])], firstColor: Int = 0
    ) -> String {
        let largest = max(groups.flatMap(\.values).max() ?? 0, .leastNonzeroMagnitude)
        let barHeight = 14.0
        var y = 8.0
        var shapes = ""
        for group in groups {
            let height = barHeight * Double(group.values.count)
            shapes +=
                "<text x=\"232\" y=\"\(number(y + height / 2 + 4))\" font-size=\"12\" text-anchor=\"end\">"
                + "\(escaped(shortened(group.name, to: 36)))<title>\(escaped(group.name))</title></text>\n"
            for (index, value) in group.values.enumerated() {
                let width = 600 * max(0, value) / largest
                let top = y + barHeight * Double(index)
                shapes +=
                    "<rect x=\"240\" y=\"\(number(top))\" width=\"\(number(width))\" "
                    + "height=\"\(number(barHeight - 2))\" fill=\"\(color(firstColor + index))\"/>"
                    + "<text x=\"\(number(246 + width))\" y=\"\(number(top + 10))\" font-size=\"11\">"
                    + "\(escaped(group.labels[index]))</text>\n"
            }
            y += height + 10
        }
        return "<svg viewBox=\"0 0 1000 \(number(y))\" role=\"img\">\(shapes)</svg>"
    }

    private static func shortened(_ text: String, to count: Int) -> String {
        text.count <= count ? text : text.prefix(count - 1) + "…"
    }

    package static func color(_ index: Int) -> String { colors[index % colors.count] }

    package static func number(_ value: Double) -> String { Numbers.fixed(value, digits: 1) }

    package static func escaped(_ text: String) -> String {
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
