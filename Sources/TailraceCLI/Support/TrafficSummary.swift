import Estimation
import OTLP
import Pipeline
import Query
import Server

/// What kept traces say of all traffic, beside the exact figures: the table and the JSON of `decide --summary`.
struct TrafficSummary {
    private var total = GroupedTraffic(by: .all)
    private var groups: GroupedTraffic
    /// Dropped traces that no policy could have kept: estimates do not stand for them.
    private var neverKept = 0

    /// Percentiles of the table: p50, p95, p99. The JSON has all.
    private static let shownPercentiles = [0, 2, 3]
    private static let rowLimit = 30

    init(by grouping: GroupedTraffic.Grouping) { groups = GroupedTraffic(by: grouping) }

    mutating func add(_ trace: TraceSummary, _ decision: Decision) {
        for traffic in [\TrafficSummary.total, \TrafficSummary.groups] {
            self[keyPath: traffic].add(
                service: trace.rootService, operation: trace.rootName,
                probability: decision.isKept ? decision.probability : nil, isError: trace.errorCount > 0,
                duration: trace.duration, spanCount: trace.totalSpanCount)
        }
        if !decision.isKept, decision.probability <= 0 { neverKept += 1 }
    }

    // MARK: - Text

    /// Every line ended.
    var text: String {
        var rows = [
            ["", "kept", "traces", "estimated", "errors", "estimated"]
                + Self.shownPercentiles.flatMap { [StatisticsJSON.percentileNames[$0], "estimated"] }
        ]
        rows += total.rows.map { Self.cells($0, name: "(all)") }
        let groups = groups.grouping == .all ? [] : groups.rows
        for row in groups.prefix(Self.rowLimit) {
            let names = [row.service, row.operation].compactMap(\.self).filter { !$0.isEmpty }
            rows.append(Self.cells(row, name: names.isEmpty ? "(no name)" : names.joined(separator: ": ")))
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
        if neverKept > 0 {
            lines.append(
                "\(Figures.grouped(neverKept)) dropped traces matched no policy that could have kept them: the estimates "
                    + "do not stand for them")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func cells(_ row: TrafficRow, name: String) -> [String] {
        let exact = row.exact ?? TrafficCount()
        let isEmpty = row.estimate.sampleCount == 0
        let durations = shownPercentiles.flatMap { index in
            [
                exact.durations[index].map { DurationText.format(UInt64($0)) } ?? "-",
                text(row.estimate.durations[index]) { DurationText.format(UInt64($0)) },
            ]
        }
        return [
            TerminalText.clean(name), Figures.grouped(row.estimate.sampleCount), Figures.grouped(exact.traces),
            isEmpty ? "-" : text(row.estimate.traces) { Figures.grouped(Int($0.rounded())) },
            exact.errorRate.map(percent) ?? "-", text(row.estimate.errorRate, percent),
        ] + durations
    }

    private static func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }

    private static func text(_ estimate: Estimate?, _ format: (Double) -> String) -> String {
        guard let estimate else { return "-" }
        let upper = estimate.upper.isFinite ? format(estimate.upper) : "∞"
        return "\(format(estimate.value)) (\(format(estimate.lower))–\(upper))"
    }

    // MARK: - JSON

    /// The members that `GET /v1/stats` answers with: the whole, and the groups, those with most traces first.
    var json: [UInt8] {
        var json = JSONWriter(pretty: true)
        json.object { json in
            json.member("confidence", TrafficEstimate.confidence)
            json.key("by")
            if groups.grouping == .all { json.null() } else { json.string(groups.grouping.rawValue) }
            json.member("neverKept", neverKept)
            json.key("total")
            if let row = total.rows.first { StatisticsJSON.write(row, &json) } else { json.null() }
            json.key("groups")
            json.array { json in
                if groups.grouping == .all { return }
                for row in groups.rows { StatisticsJSON.write(row, &json) }
            }
        }
        json.endLine()
        return json.bytes
    }
}
