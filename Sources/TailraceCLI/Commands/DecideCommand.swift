import ArgumentParser
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
            Example: tailrace decide pipelines/quickstart.yaml --input recorded.jsonl.gz
            """)

    @Argument(help: "A pipeline file.") var pipeline: String
    @Option(help: "Recorded spans: OTLP/JSON lines (plain, gzip, zstd), length-delimited protobuf, or - for stdin.")
    var input: String
    @Option(help: "The sampler, where the pipeline has several.") var stage: String?
    @Flag(help: "Write counts by policy to stderr at the end.") var summary = false

    func run() throws {
        let plan = try PipelineLoading.load(pipeline)
        let sampler = try chooseSampler(plan)
        let collector = DecisionCollector(sampler: sampler)
        let decider = try OfflineDecider(plan: plan, sampler: sampler, observer: collector)
        let reader: SpanFileReader
        do { reader = try SpanFileReader(path: input) } catch { throw CommandFailure("\(error)") }
        let progress = ProgressLine()
        var malformed = 0
        do {
            while let item = try reader.next() {
                switch item {
                case .request(let record): decider.process(record)
                case .malformed(let error):
                    malformed += 1
                    Terminal.line("\(error)")
                }
                progress.show("\(Figures.grouped(decider.spanCount)) spans read")
            }
        } catch {
            throw CommandFailure("\(error)")
        }
        decider.finish()
        collector.print()
        if summary || Terminal.isTerminal {
            progress.finish(
                "\(Figures.grouped(decider.spanCount)) spans, \(Figures.grouped(collector.count)) traces: "
                    + collector.summary())
        }
        for rejected in collector.rejected.prefix(20) { Terminal.line("rejected: \(rejected)") }
        if collector.rejected.count > 20 { Terminal.line("and \(collector.rejected.count - 20) more rejected") }
        if malformed > 0 { throw CommandFailure("\(malformed) lines of \(input) could not be read") }
    }

    private func chooseSampler(_ plan: PipelinePlan) throws -> String {
        let names = plan.samplers.map { plan.stages[$0].name }
        if let stage {
            guard names.contains(stage) else {
                throw CommandFailure(
                    "pipeline \(plan.name) has no sampler \"\(stage)\"; it has \(names.joined(separator: ", "))")
            }
            return stage
        }
        guard let first = names.first else { throw CommandFailure("pipeline \(plan.name) has no sampler") }
        guard names.count == 1 else {
            throw CommandFailure(
                "pipeline \(plan.name) has several samplers; choose one with --stage: \(names.joined(separator: ", "))")
        }
        return first
    }
}

/// Collects what a sampler decided, one line per trace.
final class DecisionCollector: TaskObserver {
    private struct Row {
        var traceID: TraceID
        var decision: Decision
        var spans: Int
    }

    private let sampler: String
    private var rows: [Row] = []
    private(set) var rejected: [String] = []

    init(sampler: String) { self.sampler = sampler }

    var count: Int { rows.count }

    func kept(_ trace: KeptTrace, stage: String) {
        // Late spans follow the decision that was made; it has its line.
        if stage != sampler || trace.isLate { return }
        rows.append(Row(traceID: trace.summary.traceID, decision: trace.decision, spans: trace.summary.spanCount))
    }

    func dropped(_ trace: DroppedTrace, stage: String) {
        if stage != sampler { return }
        rows.append(Row(traceID: trace.summary.traceID, decision: trace.decision, spans: trace.summary.spanCount))
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
