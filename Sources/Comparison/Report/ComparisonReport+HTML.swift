import Query
import TraceModel
import Workbench

extension ComparisonReport {
    /// A page that needs nothing but itself: tables, and charts as inline SVG.
    package var html: String {
        let sides = result.sides
        let title = "\(sides.old.path) against \(sides.new.path)"
        let legend = Side.allCases.enumerated().map { index, side in
            "<span style=\"color:\(Chart.color(index))\">&#9632; \(side.rawValue)</span>"
        }.joined(separator: " ")
        let notes = notes.map { "<p class=\"note\">\(Chart.escaped($0))</p>" }.joined(separator: "\n")
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>\(Chart.escaped(title))</title>
            <style>\(Chart.style)
            .left td, .left th { text-align: left }
            th[colspan] { text-align: center }
            td.number, th.number { text-align: right }
            tr.total td { font-weight: 600 }
            .note { color: #8a5a00 }
            code { font-size: 12px }
            </style></head><body>
            <h1>What a changed pipeline keeps</h1>
            <p>\(Self.sideLine("old", sides.old, 0))<br>\(Self.sideLine("new", sides.new, 1))</p>
            <p>\(Chart.escaped(inputLine))</p>
            \(notes)
            <h2>Kept, by policy</h2>
            \(costRows)
            <h2>Kept spans, by policy</h2><p>\(legend)</p>
            \(policyChart)
            <h2>Spans kept per second</h2>
            <p>\(legend) <span style="color:\(Chart.color(5))">&#9632; offered</span>, over stream time</p>
            \(timeChart)
            <h2>Errors, slow traces and coverage kept</h2><p>\(legend)</p>
            \(shareChart)
            <p>Slow: \(Chart.escaped("\(result.slowRule)")).</p>
            \(missedSections)
            \(changeSection("Newly kept", result.gained, by: .new))
            \(changeSection("Newly lost", result.lost, by: .old))
            \(moveSection)
            \(coverageSection("Services", result.services))
            \(coverageSection("Operations", result.operations))
            </body></html>

            """
    }

    private static func sideLine(_ name: String, _ side: ComparisonResult.SideTotals, _ color: Int) -> String {
        "<span style=\"color:\(Chart.color(color))\">&#9632;</span> \(name): <code>\(Chart.escaped(side.path))</code>, "
            + "pipeline \(Chart.escaped(side.pipeline)), sampler \(Chart.escaped(side.sampler))"
    }

    // MARK: - Charts

    private var policyChart: String {
        var groups = result.policies.map { row in
            let costs = [row.old, row.new]
            return (
                name: Self.policy(row.name), values: costs.map { Double($0?.spans ?? 0) },
                labels: costs.map { $0.map { Self.grouped($0.spans) } ?? "no such policy" }
            )
        }
        let kept = [result.sides.old.kept.spans, result.sides.new.kept.spans]
        groups.append(
            (
                name: "all policies", values: kept.map(Double.init),
                labels: kept.map { "\(Self.grouped($0)) (\(Self.share($0, of: result.offered.spans)))" }
            ))
        return Chart.bars(groups)
    }

    private var timeChart: String {
        let series = result.series
        let seconds = Double(series.width) / 1000
        let offered = series.intervals.map { Double($0.offered) / seconds }
        let kept = Side.allCases.map { side in series.intervals.map { Double($0.kept[side]) / seconds } }
        let total = Double(series.intervals.count) * seconds
        let (unit, scale): (String, Double) =
            total > 36_000 ? ("h", 3600) : total > 600 ? ("min", 60) : ("s", 1)
        let none = [[Double]](repeating: [], count: 3)
        return Chart.lines(
            kept + none + [offered], from: 0, to: Self.highest(offered + kept.flatMap(\.self)) * 1.05,
            unit: "", xUnit: unit, xScale: seconds / scale, line: nil, label: { Self.rate($0) })
    }

    /// Above 0, so that the axis has a length.
    private static func highest(_ values: [Double]) -> Double { max(values.max() ?? 0, 1e-6) }

    private static func rate(_ value: Double) -> String {
        value == 0
            ? "0"
            : value >= 10_000
                ? "\(Int((value / 1000).rounded()))k" : Numbers.fixed(value, digits: value < 1 ? 3 : value < 10 ? 1 : 0)
    }

    private var shareChart: String {
        func group(
            _ name: String, _ parts: PerSide<Int>, of whole: Int
        ) -> (
            name: String, values: [Double], labels: [String]
        )? {
            guard whole > 0 else { return nil }
            let both = [parts.old, parts.new]
            return (
                name: name, values: both.map { Double($0) / Double(whole) },
                labels: both.map { "\(Self.share($0, of: whole)): \(Self.grouped($0)) of \(Self.grouped(whole))" }
            )
        }
        func kept(_ missed: ComparisonResult.Missed) -> PerSide<Int> { missed.missed.map { missed.traces - $0 } }
        return Chart.bars(
            [
                group("traces with an error", kept(result.errors), of: result.errors.traces),
                group("slow traces", kept(result.slow), of: result.slow.traces),
                group("services", result.services.covered, of: result.services.offered),
                group("operations", result.operations.covered, of: result.operations.offered),
                group("traces", result.sides.map(\.kept.traces), of: result.offered.traces),
            ].compactMap(\.self))
    }

    // MARK: - Tables

    private var costRows: String {
        func cells(_ cost: TraceCost?) -> String {
            guard let cost else { return "<td>-</td><td>-</td><td>-</td>" }
            return "<td>\(Self.grouped(cost.traces))</td><td>\(Self.grouped(cost.spans))</td>"
                + "<td>\(Self.bytes(cost.bytes))</td>"
        }
        func row(_ name: String, _ old: TraceCost?, _ new: TraceCost?, _ change: TraceCost, _ style: String) -> String {
            "<tr\(style)><td>\(Chart.escaped(name))</td>\(cells(old))\(cells(new))"
                + "<td>\(Self.signed(change.traces))</td><td>\(Self.signed(change.spans))</td>"
                + "<td>\(Self.signedBytes(change.bytes))</td></tr>"
        }
        var rows = result.policies.map { row(Self.policy($0.name), $0.old, $0.new, $0.difference, "") }
        let kept = result.sides.map(\.kept)
        rows.append(row("all policies", kept.old, kept.new, result.keptDifference, " class=\"total\""))
        let offered = result.offered
        let shares = [kept.old, kept.new].map { cost in
            "<td>\(Self.share(cost.traces, of: offered.traces))</td><td>\(Self.share(cost.spans, of: offered.spans))</td>"
                + "<td>\(Self.share(cost.bytes, of: offered.bytes))</td>"
        }
        rows.append("<tr><td>of what came</td>\(shares.joined())<td></td><td></td><td></td></tr>")
        if let old = bytesPerDay(.old), let new = bytesPerDay(.new) {
            rows.append(
                "<tr><td>in a day</td><td></td><td></td><td>\(Self.bytes(old))</td><td></td><td></td>"
                    + "<td>\(Self.bytes(new))</td><td></td><td></td><td>\(Self.signedBytes(new - old))</td></tr>")
        }
        let heads = String(repeating: "<th>traces</th><th>spans</th><th>bytes</th>", count: 3)
        return """
            <table><thead><tr><th></th><th colspan="3">old</th><th colspan="3">new</th><th colspan="3">change</th></tr>
            <tr><th>kept by</th>\(heads)</tr></thead>
            <tbody>\(rows.joined(separator: "\n"))</tbody></table>
            """
    }

    private var missedSections: String {
        var text = ""
        for (kind, missed) in [("Error", result.errors), ("Slow", result.slow)] {
            for side in Side.allCases where missed.missed[side] > 0 {
                text +=
                    "<h2>\(kind) traces that \(side.rawValue) misses: \(Self.grouped(missed.missed[side])) of "
                    + "\(Self.grouped(missed.traces))</h2>\n" + exampleTable(missed.examples[side])
            }
        }
        return text
    }

    /// - Parameter side: the one that keeps them.
    private func changeSection(_ title: String, _ change: ComparisonResult.Change, by side: Side) -> String {
        guard change.cost.traces > 0 else { return "<h2>\(title): none</h2>" }
        var text =
            "<h2>\(title): \(Self.grouped(change.cost.traces)) traces</h2>\n<p>\(Self.grouped(change.cost.spans)) spans, "
            + "\(Self.grouped(change.errors)) traces with an error, \(Self.grouped(change.slow)) slow.</p>\n"
            + exampleTable(change.examples)
        if change.groups.count > 1 {
            let shown = change.groups.prefix(Self.listLimit)
            text += "<p>By root operation (traces)</p>\n"
            text += Chart.bars(
                shown.map { group in
                    let marks = [(group.errors, "with an error"), (group.slow, "slow")].filter { $0.0 > 0 }
                    let detail = marks.map { "\(Self.grouped($0.0)) \($0.1)" }.joined(separator: ", ")
                    return (
                        name: group.service.isEmpty ? group.operation : "\(group.service): \(group.operation)",
                        values: [Double(group.traces)],
                        labels: [Self.grouped(group.traces) + (detail.isEmpty ? "" : " (\(detail))")]
                    )
                }, firstColor: side == .old ? 0 : 1)
            let rest = change.groups.count - shown.count
            if rest > 0 { text += "<p>and \(Self.grouped(rest)) more root operations</p>" }
        }
        return text
    }

    private func exampleTable(_ examples: [ComparisonResult.Example]) -> String {
        guard !examples.isEmpty else { return "" }
        let rows = examples.map { example in
            let marks = [example.isError ? "error" : nil, example.isSlow ? "slow" : nil].compactMap(\.self)
            let root = example.service.isEmpty ? example.operation : "\(example.service): \(example.operation)"
            return "<tr><td><code>\(example.traceID.hex)</code></td>"
                + "<td class=\"number\">\(DurationText.format(example.duration))</td>"
                + "<td class=\"number\">\(Self.grouped(example.spanCount))</td>"
                + "<td>\(marks.joined(separator: ", "))</td><td>\(Chart.escaped(Self.policy(example.keptBy.old)))</td>"
                + "<td>\(Chart.escaped(Self.policy(example.keptBy.new)))</td>"
                + "<td>\(example.hasRoot ? "" : "(no root) ")\(Chart.escaped(root))</td></tr>"
        }
        return "<table class=\"left\"><thead><tr><th>for example</th><th class=\"number\">duration</th>"
            + "<th class=\"number\">spans</th><th></th><th>old</th><th>new</th><th>root</th></tr></thead><tbody>"
            + rows.joined(separator: "\n") + "</tbody></table>\n"
    }

    private var moveSection: String {
        let moves = result.moves.filter { $0.from != $0.to }.prefix(Self.listLimit)
        guard !moves.isEmpty else { return "" }
        let rows = moves.map { move in
            "<tr><td>\(Chart.escaped(Self.policy(move.from)))</td><td>\(Chart.escaped(Self.policy(move.to)))</td>"
                + "<td class=\"number\">\(Self.grouped(move.traces))</td></tr>"
        }
        return "<h2>Traces by the policy that keeps them</h2><table class=\"left\"><thead><tr><th>old</th><th>new</th>"
            + "<th class=\"number\">traces</th></tr></thead><tbody>\(rows.joined(separator: "\n"))</tbody></table>"
    }

    private func coverageSection(_ title: String, _ coverage: ComparisonResult.Coverage) -> String {
        var text =
            "<h2>\(title)</h2><p>\(Self.grouped(coverage.offered)) came; old covers "
            + "\(Self.grouped(coverage.covered.old)), new covers \(Self.grouped(coverage.covered.new)).</p>"
        for (title, list) in [("No longer covered", coverage.lost), ("Newly covered", coverage.gained)]
        where !list.isEmpty {
            let rows = list.prefix(Self.listLimit).map { covered in
                "<tr><td>\(Chart.escaped(covered.service))</td><td>\(Chart.escaped(covered.operation ?? "(all)"))</td>"
                    + "<td class=\"number\">\(Self.grouped(covered.spans))</td>"
                    + "<td class=\"number\">\(covered.traces.map(Self.grouped) ?? "")</td></tr>"
            }
            text +=
                "<p>\(title): \(Self.grouped(list.count))</p><table class=\"left\"><thead><tr><th>service</th>"
                + "<th>operation</th><th class=\"number\">spans that came</th><th class=\"number\">kept traces</th></tr>"
                + "</thead><tbody>\(rows.joined(separator: "\n"))</tbody></table>"
            if list.count > Self.listLimit {
                text += "<p>and \(Self.grouped(list.count - Self.listLimit)) more</p>"
            }
        }
        return text
    }
}
