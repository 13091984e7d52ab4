import TraceModel

/// Draws search results as a table for a terminal.
public struct SearchTable: Sendable {
    public var width: Int
    public var usesColour: Bool

    public init(width: Int = 120, usesColour: Bool = false) {
        self.width = max(80, width)
        self.usesColour = usesColour
    }

    /// A heading and one line per trace, each ended.
    public func render(_ page: SearchPage) -> String {
        let style = TerminalText.Style(isOn: usesColour)
        var lines: [String] = []
        if page.traces.isEmpty {
            lines.append("no traces found")
        } else {
            let nameColumns = max(20, width - 32 - 23 - 8 - 6 - 6 - 12 - 12)
            lines.append(
                style.bold(
                    [
                        TerminalText.fit("TRACE", 32), TerminalText.fit("START (UTC)", 23), right("DURATION", 8),
                        right("SPANS", 6), right("ERRORS", 6), TerminalText.fit("KEPT BY", 12), "ROOT",
                    ].joined(separator: "  ")))
            for trace in page.traces {
                let errors = right(trace.errorCount == 0 ? "-" : String(trace.errorCount), 6)
                let root = trace.hasRoot ? "" : "(no root) "
                let name = TerminalText.clean("\(root)\(trace.rootService): \(trace.rootName)")
                let fitted = TerminalText.width(name) > nameColumns ? TerminalText.fit(name, nameColumns) : name
                lines.append(
                    [
                        trace.traceID.hex, TimeText.utc(trace.startTime), right(DurationText.format(trace.duration), 8),
                        // An outline's count says that it is not all.
                        right(String(trace.spanCount) + (trace.leftOutSpanCount > 0 ? "+" : ""), 6),
                        trace.errorCount > 0 ? style.red(errors) : errors,
                        TerminalText.fit(TerminalText.clean(trace.policy), 12), fitted,
                    ].joined(separator: "  "))
            }
        }
        if let cursor = page.nextCursor { lines.append(style.dim("more with --cursor \(cursor)")) }
        for problem in page.unreadableSegments {
            lines.append(style.red("not searched: \(TerminalText.clean("\(problem.path): \(problem.explanation)"))"))
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func right(_ text: String, _ columns: Int) -> String { TerminalText.fit(text, columns, alignedRight: true) }
}
