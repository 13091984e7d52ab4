import ArgumentParser
import Estimation
import OTLP
import Pipeline
import Tailrace
import TraceModel

struct DecideCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decide", abstract: "Runs a pipeline's sampler offline on recorded spans.",
        discussion: """
            Writes one JSON line per trace to stdout, sorted by decision time. The pipeline is taken as it is, with its
            sources replaced by the recording and its sinks by the printer.
            With --summary, counts by policy follow on stderr, and what the kept traces say of all traffic: estimates with 95 %
            confidence intervals beside the exact figures.
            Example: tailrace decide pipelines/quickstart.yaml --input recorded.jsonl.gz
            Example: tailrace decide pipelines/quickstart.yaml --input recorded.jsonl.gz --summary > /dev/null
            """)

    @Argument(help: "A pipeline file.") var pipeline: String
    @OptionGroup var spans: RecordedSpans
    @Option(help: "The sampler, where the pipeline has several.") var stage: String?
    @Flag(help: "Write counts by policy, and estimates beside exact figures, to stderr at the end.") var summary = false
    @Option(help: "Rows of the estimates: one per service or operation of the traces' roots (service, operation, all).")
    var by = GroupedTraffic.Grouping.operation
    @Option(help: "Write the estimates to this file as JSON.") var summaryJson: String?

    func run() throws {
        let plan = try PipelineLoading.load(pipeline)
        let sampler = try plan.chooseSampler(stage)
        let collector = DecisionCollector(
            sampler: sampler, statistics: summary || summaryJson != nil ? TrafficSummary(by: by) : nil)
        var deciders: [PartitionID: OfflineDecider] = [:]
        let progress = ProgressLine()
        func spanCount() -> String { Figures.grouped(deciders.values.reduce(0) { $0 + $1.spanCount }) }
        let (source, malformed) = try spans.read(plan: plan, sampler: sampler) { record in
            let decider =
                try deciders[record.partition]
                ?? OfflineDecider(plan: plan, sampler: sampler, observer: collector, partition: record.partition)
            deciders[record.partition] = decider
            decider.process(record.payload, timestamp: record.timestamp)
            progress.show("\(spanCount()) spans read")
        }
        for partition in deciders.keys.sorted() { deciders[partition]?.finish() }
        collector.print()
        if summary || Terminal.isTerminal {
            progress.finish(
                "\(spanCount()) spans, \(Figures.grouped(collector.count)) traces: " + collector.summary())
        }
        for rejected in collector.rejected.prefix(20) { Terminal.line("rejected: \(rejected)") }
        if collector.rejected.count > 20 { Terminal.line("and \(collector.rejected.count - 20) more rejected") }
        if let statistics = collector.statistics {
            if summary { Terminal.write(statistics.text) }
            if let summaryJson { try OutputFile.write(statistics.json, to: summaryJson) }
        }
        if malformed > 0 {
            throw CommandFailure("\(malformed) \(spans.unit) of \(source) could not be read")
        }
    }
}

extension GroupedTraffic.Grouping: ExpressibleByArgument {}

/// Collects what a sampler decided, one line per trace.
final class DecisionCollector: TaskObserver {
    private struct Row {
        var traceID: TraceID
        var decision: Decision
        var spans: Int
        var leftOutSpans: Int

        init(_ summary: TraceSummary, _ decision: Decision) {
            traceID = summary.traceID
            self.decision = decision
            spans = summary.totalSpanCount
            leftOutSpans = summary.leftOutSpanCount
        }
    }

    private let sampler: String
    private var rows: [Row] = []
    private(set) var rejected: [String] = []
    /// Nil where nobody asked for estimates.
    private(set) var statistics: TrafficSummary?

    init(sampler: String, statistics: TrafficSummary?) {
        self.sampler = sampler
        self.statistics = statistics
    }

    var count: Int { rows.count }

    func kept(_ trace: KeptTrace, stage: String) {
        // Late spans follow the decision that was made; it has its line.
        if stage != sampler || trace.isLate { return }
        rows.append(Row(trace.summary, trace.decision))
        statistics?.add(trace.summary, trace.decision)
    }

    func dropped(_ trace: DroppedTrace, stage: String) {
        if stage != sampler { return }
        rows.append(Row(trace.summary, trace.decision))
        statistics?.add(trace.summary, trace.decision)
    }

    func rejected(_ record: RejectedRecord) {
        rejected.append("record \(record.offset): \(record.reason)")
    }

    func print() {
        rows.sort {
            $0.decision.decidedAt == $1.decision.decidedAt
                ? $0.traceID < $1.traceID : $0.decision.decidedAt < $1.decision.decidedAt
        }
        var writer = JSONWriter()
        for row in rows {
            writer.object { writer in
                writer.member("trace_id", row.traceID.hex)
                writer.member("decision", row.decision.isKept ? "keep" : "drop")
                writer.member("policy", row.decision.policy)
                writer.member("probability", row.decision.probability)
                writer.member("reason", row.decision.reason)
                writer.member("spans", row.spans)
                // Only there where a trace is kept in outline.
                if row.leftOutSpans > 0 { writer.member("left_out_spans", row.leftOutSpans) }
            }
            writer.endLine()
            if writer.bytes.count > 1 << 20 {
                if !Terminal.output(writer.bytes) { return }
                writer.removeAll()
            }
        }
        Terminal.output(writer.bytes)
    }

    func summary() -> String {
        var counts: [String: Int] = [:]
        for row in rows { counts[row.decision.isKept ? "kept by \(row.decision.policy)" : "dropped", default: 0] += 1 }
        return counts.sorted { $0.key < $1.key }.map { "\($0.key) \(Figures.grouped($0.value))" }.joined(
            separator: ", ")
    }
}
