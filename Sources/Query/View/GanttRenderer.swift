import Pipeline
import TraceModel

/// Draws a trace as text: a tree with one line per span, its duration, and a bar for when it ran.
public struct GanttRenderer: Sendable {
    public var width: Int
    public var usesColour: Bool
    /// Lines for spans at most; the rest is counted in a last line.
    public var maximumRows: Int?

    /// - Parameter width: columns of the terminal; less than 60 is treated as 60.
    public init(width: Int = 120, usesColour: Bool = false, maximumRows: Int? = nil) {
        self.width = max(60, width)
        self.usesColour = usesColour
        self.maximumRows = maximumRows
    }

    /// The whole picture, each line ended.
    public func render(_ trace: StoredTrace) -> String {
        let view = TraceView(trace.resourceSpans)
        var lines = header(trace, view)
        lines.append("")
        lines += chart(view)
        return lines.map { $0 + "\n" }.joined()
    }

    private var style: TerminalText.Style { TerminalText.Style(isOn: usesColour) }

    // MARK: Header

    private func header(_ trace: StoredTrace, _ view: TraceView) -> [String] {
        var lines: [String] = []
        let root = view.nodes.first
        let title = root.map { TerminalText.clean("\($0.service): \($0.span.name)") } ?? "no spans"
        lines.append("\(style.bold("Trace \(trace.traceID.hex)"))  \(title)")
        let leftOut = trace.leftOutSpanCount
        var facts = [
            TimeText.utc(view.startTime) + " UTC", DurationText.format(view.duration),
            leftOut > 0
                ? "outline: \(view.nodes.count) of \(counted(view.nodes.count + leftOut, "span"))"
                : counted(view.nodes.count, "span"),
            counted(view.services.count, "service"), counted(view.depth, "level"),
        ]
        if view.orphanCount > 0 { facts.append("\(view.orphanCount) without their parent") }
        if trace.lateRowCount > 0 { facts.append("late spans included") }
        var line = facts.joined(separator: " · ")
        if view.errorCount > 0 { line += " · " + style.red(counted(view.errorCount, "error")) }
        lines.append(line)
        lines.append(services(view))
        if let decision = trace.decision { lines.append(Self.describe(decision)) }
        for problem in trace.unreadableSegments {
            lines.append(
                style.red("Spans may be missing: \(TerminalText.clean("\(problem.path): \(problem.explanation)"))"))
        }
        return lines
    }

    private func services(_ view: TraceView) -> String {
        let shown = view.services.prefix(8).enumerated().map { number, service in
            style.colour(number, TerminalText.clean(service.name)) + " \(service.spanCount)"
        }
        let more = view.services.count > 8 ? ", and \(view.services.count - 8) more" : ""
        return shown.joined(separator: ", ") + more
    }

    static func describe(_ decision: Decision) -> String {
        let policy = decision.policy.isEmpty ? "no policy" : "policy \(TerminalText.clean(decision.policy))"
        let reason = decision.reason.isEmpty ? "" : ", \(TerminalText.clean(decision.reason))"
        return "Kept by \(policy), p=\(probability(decision.probability))\(reason)"
    }

    /// At most four decimals: `1`, `0.25`, `0.0123`.
    static func probability(_ value: Double) -> String {
        guard value.isFinite, value < 1 else { return "1" }
        let scaled = Int((value * 10_000).rounded())
        if scaled <= 0 { return value > 0 ? "<0.0001" : "0" }
        if scaled >= 10_000 { return "1" }
        var digits = String(scaled)
        digits = "0." + String(repeating: "0", count: 4 - digits.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return digits
    }

    private func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    // MARK: Chart

    private static let durationColumns = 8

    private func chart(_ view: TraceView) -> [String] {
        let shown = view.nodes.prefix(maximumRows ?? .max)
        let colours = Dictionary(
            view.services.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        let guides = Self.guides(Array(shown))
        let labels = zip(shown, guides).map { node, guide in
            "\(guide)\(TerminalText.clean(node.service)) \(TerminalText.clean(node.span.name))"
        }
        // Names get what they need, but the bars keep at least 40 % of the line.
        let longest = labels.reduce(20) { max($0, TerminalText.width($1)) }
        let labelColumns = min(longest, (width - Self.durationColumns - 7) * 6 / 10)
        let barColumns = width - labelColumns - Self.durationColumns - 7

        var lines = [axis(view, labelColumns, barColumns)]
        for (node, guide) in zip(shown, guides) {
            let service = TerminalText.clean(node.service)
            let plain = TerminalText.fit("\(guide)\(service) \(TerminalText.clean(node.span.name))", labelColumns)
            let mark = node.isError ? style.red("!") : " "
            let bar = Self.bar(node, view, barColumns)
            let colour = colours[node.service] ?? 0
            let filled = node.isError ? style.red(bar.filled) : style.colour(colour, bar.filled)
            let duration = TerminalText.fit(
                DurationText.format(node.span.duration), Self.durationColumns, alignedRight: true)
            lines.append(
                "\(coloured(plain, guide, service, colour)) \(mark) \(duration)  │\(bar.before)\(filled)\(bar.after)│")
        }
        if view.nodes.count > shown.count {
            lines.append(style.dim("… \(view.nodes.count - shown.count) more spans"))
        }
        return lines
    }

    /// Colour is put in after fitting, so that escape codes do not count as columns.
    private func coloured(_ fitted: String, _ guide: String, _ service: String, _ colour: Int) -> String {
        guard usesColour, fitted.hasPrefix(guide + service) else { return fitted }
        return style.dim(guide) + style.colour(colour, service) + fitted.dropFirst(guide.count + service.count)
    }

    private func axis(_ view: TraceView, _ labelColumns: Int, _ barColumns: Int) -> String {
        let end = DurationText.format(view.duration)
        let middle = DurationText.format(view.duration / 2)
        let half = barColumns / 2
        let left = TerminalText.fit("0", max(1, half - middle.count / 2)) + middle
        let scale = left + TerminalText.fit(end, max(0, barColumns - TerminalText.width(left)), alignedRight: true)
        return style.dim(String(repeating: " ", count: labelColumns + Self.durationColumns + 6) + scale)
    }

    /// `├─`, `└─` and `│` in front of each node.
    private static func guides(_ nodes: [TraceView.Node]) -> [String] {
        var result: [String] = []
        // For each level whether the node last drawn there was the last of its siblings.
        var isLastAtDepth: [Bool] = []
        for node in nodes {
            if isLastAtDepth.count > node.depth { isLastAtDepth.removeLast(isLastAtDepth.count - node.depth) }
            // Deeper levels are drawn at the twentieth: the name must stay readable.
            var guide = ""
            if node.depth > 0 {
                for level in isLastAtDepth.dropFirst().prefix(18) { guide += level ? "  " : "│ " }
                guide += node.isLast ? "└─" : "├─"
            }
            result.append(guide)
            isLastAtDepth.append(node.isLast)
        }
        return result
    }

    private static func bar(
        _ node: TraceView.Node, _ view: TraceView, _ columns: Int
    ) -> (before: String, filled: String, after: String) {
        let total = Double(max(1, view.duration))
        let from = Double(node.span.startTime - min(node.span.startTime, view.startTime)) / total
        let to = Double(max(node.span.endTime, node.span.startTime) - view.startTime) / total
        // Every span shows, however short: at least a thin mark.
        let start = min(columns - 1, Int(from * Double(columns)))
        let length = Int(((to - from) * Double(columns)).rounded())
        let filled = length == 0 ? "▏" : String(repeating: "█", count: min(length, columns - start))
        return (
            String(repeating: " ", count: start), filled,
            String(repeating: " ", count: max(0, columns - start - filled.count))
        )
    }
}
