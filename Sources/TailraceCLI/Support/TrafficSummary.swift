import Estimation
import OTLP
import Pipeline
import Query

/// What kept traces say of all traffic, beside the exact figures: the table and the JSON of `decide --summary`.
struct TrafficSummary {
    private var total = TrafficStatistics(by: .all)
    private var groups: TrafficStatistics
    /// Dropped traces that no policy could have kept: estimates do not stand for them.
    private var hopelessCount = 0

    private static let shares: [(name: String, share: Double)] = [
        ("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99),
    ]
    /// Columns of the table; the JSON has all.
    private static let shownShares = [0, 2, 3]
    private static let rowLimit = 30

    init(by grouping: TrafficStatistics.Grouping) { groups = TrafficStatistics(by: grouping) }

    mutating func add(_ trace: TraceSummary, _ decision: Decision) {
        for statistics in [\TrafficSummary.total, \TrafficSummary.groups] {
            if decision.isKept {
                self[keyPath: statistics].addKept(
                    service: trace.rootService, operation: trace.rootName, probability: decision.probability,
                    isError: trace.errorCount > 0, duration: trace.duration, spanCount: trace.spanCount)
            } else {
                self[keyPath: statistics].addDropped(
                    service: trace.rootService, operation: trace.rootName, isError: trace.errorCount > 0,
                    duration: trace.duration, spanCount: trace.spanCount)
            }
        }
        if !decision.isKept, decision.probability <= 0 { hopelessCount += 1 }
    }

    // MARK: - Text

    /// Every line ended.
    var text: String {
        var rows = [
            ["", "kept", "traces", "estimated", "errors", "estimated"]
                + Self.shownShares.flatMap { [Self.shares[$0].name, "estimated"] }
        ]
        let all = total.rows
        rows += all.map { cells($0, name: "(all)") }
        let groups = groups.grouping == .all ? [] : groups.rows
        for row in groups.prefix(Self.rowLimit) {
            let names = [row.group.service, row.group.operation].filter { !$0.isEmpty }
            rows.append(cells(row, name: names.isEmpty ? "(no name)" : names.joined(separator: ": ")))
        }
        var lines = ["traffic as the kept traces tell it (95 % confidence interval), beside the exact figures"]
        let widths = rows[0].indices.map { column in rows.map { TerminalText.width($0[column]) }.max() ?? 0 }
        for row in rows {
            let fitted = row.enumerated().map { column, cell in
                TerminalText.fit(cell, min(60, widths[column]), alignedRight: column > 0)
            }
            lines.append(fitted.joined(separator: "  "))
        }
        if groups.count > Self.rowLimit {
            lines.append("and \(groups.count - Self.rowLimit) more; --summary-json has them all")
        }
        if hopelessCount > 0 {
            lines.append(
                "\(Figures.grouped(hopelessCount)) dropped traces matched no policy that could have kept them: the estimates do "
                    + "not stand for them")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func cells(_ row: TrafficStatistics.Row, name: String) -> [String] {
        let exact = row.exact.percentiles(Self.shares.map(\.share))
        let estimated = row.estimate.percentiles(Self.shares.map(\.share))
        return [
            TerminalText.clean(name), Figures.grouped(row.estimate.sampleCount), Figures.grouped(row.exact.count),
            Self.text(row.estimate.count) { Figures.grouped(Int($0.rounded())) },
            row.exact.errorRate.map(Self.percent) ?? "-", Self.text(row.estimate.errorRate, Self.percent),
        ]
            + Self.shownShares.flatMap { index in
                [
                    exact[index].map(DurationText.format) ?? "-",
                    Self.text(estimated[index]) { DurationText.format(UInt64($0)) },
                ]
            }
    }

    private static func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }

    private static func text(_ estimate: Estimate?, _ format: (Double) -> String) -> String {
        guard let estimate else { return "-" }
        let upper = estimate.upper.isFinite ? format(estimate.upper) : "∞"
        return "\(format(estimate.value)) (\(format(estimate.lower))–\(upper))"
    }

    // MARK: - JSON

    /// One object: the whole, and the groups, those with most traces first. Durations are nanoseconds; an interval without an
    /// upper end has null there.
    var json: [UInt8] {
        var writer = JSONWriter(pretty: true)
        writer.object { writer in
            writer.member("by", groups.grouping.rawValue)
            writer.member("confidence", 0.95)
            writer.member("never_kept", hopelessCount)
            writer.key("total")
            Self.write(total.rows.first, by: .all, &writer)
            writer.key("rows")
            writer.array { writer in
                for row in groups.rows { Self.write(row, by: groups.grouping, &writer) }
            }
        }
        writer.endLine()
        return writer.bytes
    }

    private static func write(
        _ row: TrafficStatistics.Row?, by grouping: TrafficStatistics.Grouping, _ writer: inout JSONWriter
    ) {
        guard let row else { return writer.null() }
        let exact = row.exact.percentiles(shares.map(\.share))
        let estimated = row.estimate.percentiles(shares.map(\.share))
        writer.object { writer in
            if grouping != .all { writer.member("service", row.group.service) }
            if grouping == .operation { writer.member("operation", row.group.operation) }
            writer.member("kept", row.estimate.sampleCount)
            writer.key("exact")
            writer.object { writer in
                writer.member("traces", row.exact.count)
                writer.member("errors", row.exact.errorCount)
                writer.member("spans", row.exact.spanCount)
                writer.key("error_rate")
                if let rate = row.exact.errorRate { writer.double(rate) } else { writer.null() }
                for (index, share) in shares.enumerated() {
                    writer.key(share.name)
                    if let value = exact[index] { writer.int(value) } else { writer.null() }
                }
            }
            writer.key("estimate")
            writer.object { writer in
                writer.key("traces")
                write(row.estimate.count, &writer)
                writer.key("errors")
                write(row.estimate.errorCount, &writer)
                writer.key("spans")
                write(row.estimate.spanCount, &writer)
                writer.key("error_rate")
                write(row.estimate.errorRate, &writer)
                for (index, share) in shares.enumerated() {
                    writer.key(share.name)
                    write(estimated[index], &writer)
                }
            }
        }
    }

    private static func write(_ estimate: Estimate?, _ writer: inout JSONWriter) {
        guard let estimate else { return writer.null() }
        writer.object { writer in
            writer.member("value", estimate.value)
            writer.member("lower", estimate.lower)
            writer.key("upper")
            if estimate.upper.isFinite { writer.double(estimate.upper) } else { writer.null() }
        }
    }
}
