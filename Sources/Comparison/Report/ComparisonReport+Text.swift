import Query
import TraceModel

extension ComparisonReport {
    /// The report for a terminal; every line ended.
    package var text: String {
        let sides = result.sides
        var lines = [
            "old  \(TerminalText.clean(sides.old.path))  pipeline \(sides.old.pipeline), sampler \(sides.old.sampler)",
            "new  \(TerminalText.clean(sides.new.path))  pipeline \(sides.new.pipeline), sampler \(sides.new.sampler)",
            TerminalText.clean(inputLine),
        ]
        lines += notes
        lines.append("")
        lines += costTable
        lines.append("")
        lines += missedLines
        lines.append("")
        lines += changeLines("newly kept", result.gained)
        lines += changeLines("newly lost", result.lost)
        lines += moveLines
        lines += coverageLines("services", result.services)
        lines += coverageLines("operations", result.operations)
        return lines.map { $0 + "\n" }.joined()
    }

    private var costTable: [String] {
        let sides = result.sides
        func cells(_ name: String, _ old: TraceCost?, _ new: TraceCost?, _ difference: TraceCost?) -> [String] {
            func side(_ cost: TraceCost?) -> [String] {
                guard let cost else { return ["-", "-", "-"] }
                return [Self.grouped(cost.traces), Self.grouped(cost.spans), Self.bytes(cost.bytes)]
            }
            let change =
                difference.map {
                    [Self.signed($0.traces), Self.signed($0.spans), Self.signedBytes($0.bytes)]
                } ?? ["", "", ""]
            return [name] + side(old) + side(new) + change
        }
        var rows = [
            ["", "OLD", "", "", "NEW", "", "", "CHANGE", "", ""],
            ["kept by", "traces", "spans", "bytes", "traces", "spans", "bytes", "traces", "spans", "bytes"],
        ]
        for row in result.policies {
            rows.append(cells(TerminalText.clean(Self.policy(row.name)), row.old, row.new, row.difference))
        }
        rows.append(cells("all policies", sides.old.kept, sides.new.kept, result.keptDifference))
        func shares(_ kept: TraceCost) -> [String] {
            [
                Self.share(kept.traces, of: result.offered.traces), Self.share(kept.spans, of: result.offered.spans),
                Self.share(kept.bytes, of: result.offered.bytes),
            ]
        }
        rows.append(["of what came"] + shares(sides.old.kept) + shares(sides.new.kept) + ["", "", ""])
        if let old = bytesPerDay(.old), let new = bytesPerDay(.new) {
            rows.append(
                ["in a day", "", "", Self.bytes(old), "", "", Self.bytes(new), "", "", Self.signedBytes(new - old)])
        }
        return Self.table(rows)
    }

    private var missedLines: [String] {
        var rows = [["", "in all", "missed by OLD", "missed by NEW"]]
        func row(_ name: String, _ missed: ComparisonResult.Missed) -> [String] {
            [name, Self.grouped(missed.traces)]
                + Side.allCases.map { side in
                    "\(Self.grouped(missed.missed[side])) (\(Self.share(missed.missed[side], of: missed.traces)))"
                }
        }
        rows.append(row("traces with an error", result.errors))
        rows.append(row("slow traces", result.slow))
        var lines = Self.table(rows)
        lines.append("slow: \(result.slowRule)")
        for (kind, missed) in [("error", result.errors), ("slow", result.slow)] {
            for side in Side.allCases where !missed.examples[side].isEmpty {
                lines.append("\(kind) traces missed by \(side.rawValue.uppercased()), for example")
                lines += examples(missed.examples[side])
            }
        }
        return lines
    }

    private func changeLines(_ title: String, _ change: ComparisonResult.Change) -> [String] {
        guard change.cost.traces > 0 else { return ["\(title): none", ""] }
        var lines = [
            "\(title): \(Self.grouped(change.cost.traces)) traces with \(Self.grouped(change.cost.spans)) spans, "
                + "\(Self.grouped(change.errors)) with an error, \(Self.grouped(change.slow)) slow"
        ]
        lines += examples(change.examples)
        if change.groups.count > 1 {
            var rows = [["", "traces", "errors", "slow"]]
            for group in change.groups.prefix(Self.listLimit) {
                rows.append([
                    Self.operation(group.service, group.operation), Self.grouped(group.traces),
                    Self.grouped(group.errors), Self.grouped(group.slow),
                ])
            }
            lines.append("  by root operation")
            lines += Self.table(rows, indent: "  ")
            let rest = change.groups.count - Self.listLimit
            if rest > 0 { lines.append("  and \(Self.grouped(rest)) more root operations") }
        }
        return lines + [""]
    }

    private func examples(_ examples: [ComparisonResult.Example]) -> [String] {
        guard !examples.isEmpty else { return [] }
        var rows = [["trace", "duration", "spans", "", "old", "new", "root"]]
        for example in examples {
            let marks = [example.isError ? "error" : nil, example.isSlow ? "slow" : nil].compactMap(\.self)
            rows.append([
                example.traceID.hex, DurationText.format(example.duration), Self.grouped(example.spanCount),
                marks.joined(separator: " "), TerminalText.clean(Self.policy(example.keptBy.old)),
                TerminalText.clean(Self.policy(example.keptBy.new)),
                (example.hasRoot ? "" : "(no root) ") + Self.operation(example.service, example.operation),
            ])
        }
        return Self.table(rows, indent: "  ", leftAligned: [0, 3, 4, 5, 6])
    }

    private var moveLines: [String] {
        let moves = result.moves.filter { $0.from != $0.to }
        guard !moves.isEmpty else { return [] }
        var lines = ["traces by the policy that keeps them"]
        let rows = moves.prefix(Self.listLimit).map { move in
            [Self.grouped(move.traces), TerminalText.clean("\(Self.policy(move.from)) → \(Self.policy(move.to))")]
        }
        lines += Self.table(Array(rows), indent: "  ", leftAligned: [1])
        return lines + [""]
    }

    private func coverageLines(_ name: String, _ coverage: ComparisonResult.Coverage) -> [String] {
        var lines = [
            "\(name): \(Self.grouped(coverage.offered)) came, old covers \(Self.grouped(coverage.covered.old)), new "
                + "covers \(Self.grouped(coverage.covered.new))"
        ]
        for (title, list) in [("no longer covered", coverage.lost), ("newly covered", coverage.gained)]
        where !list.isEmpty {
            lines.append("  \(title): \(Self.grouped(list.count))")
            for covered in list.prefix(Self.listLimit) {
                let what = covered.operation.map { Self.operation(covered.service, $0) } ?? covered.service
                let spans = "\(Self.grouped(covered.spans)) spans came"
                let kept = covered.traces.map { ", in \(Self.grouped($0)) kept traces" } ?? ""
                lines.append("    \(TerminalText.clean(what)) (\(spans)\(kept))")
            }
            if list.count > Self.listLimit { lines.append("    and \(Self.grouped(list.count - Self.listLimit)) more") }
        }
        return lines
    }

    /// Columns as wide as what is in them; numbers to the right.
    static func table(_ rows: [[String]], indent: String = "", leftAligned: Set<Int> = [0]) -> [String] {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.map { $0.count > column ? min(60, TerminalText.width($0[column])) : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                // The last column is not cut: nothing stands behind it.
                column == count - 1 && leftAligned.contains(column)
                    ? cell : TerminalText.fit(cell, widths[column], alignedRight: !leftAligned.contains(column))
            }
            let line = indent + cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
