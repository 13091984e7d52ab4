import ArgumentParser
import Comparison
import OTLP
import Pipeline
import Tailrace

struct CompareCommand: ParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, json
    }

    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Shows what a changed pipeline would keep and lose of recorded spans.",
        discussion: """
            Runs the samplers of both pipelines over the same spans, each pipeline taken as it is, with its source replaced by \
            the recording and its sinks by the report. Every partition has a task of its own, as in a worker.
            Example: tailrace compare old.yaml new.yaml --input recorded.jsonl.gz --html report.html
            Example: tailrace compare old.yaml new.yaml --topic otlp_spans --brokers kafka:9092 --from 2h
            Example: tailrace compare old.yaml new.yaml --store ./data --format json
            """)

    @Argument(help: "A pipeline file, as it is.") var old: String
    @Argument(help: "A pipeline file, as it is to be.") var new: String
    @OptionGroup var spans: RecordedSpans
    @Option(help: "The sampler, where a pipeline has several.") var stage: String?
    @Option(help: "The sampler of NEW, where it is not that of --stage.") var newStage: String?
    @Option(help: "Slow traces: longer than this (800ms), or than this percentile of their root operation (p99).")
    var slowerThan = "p99"
    @Option(help: "At most so many traces are named in each list of examples.") var examples = 10
    @Option(help: "text or json.") var format = Format.text
    @Option(help: "Write a page with charts to this file as well.") var html: String?

    func validate() throws {
        guard SlowRule(slowerThan) != nil else {
            throw ValidationError(
                "--slower-than \(slowerThan) is no duration and no percentile; write for example 800ms or p99")
        }
        guard examples >= 0 else { throw ValidationError("--examples must not be negative") }
    }

    func run() throws {
        guard let slow = SlowRule(slowerThan) else { throw ValidationError("--slower-than \(slowerThan)") }
        let plans = PerSide(old: try PipelineLoading.load(old), new: try PipelineLoading.load(new))
        let samplers = PerSide(
            old: try plans.old.chooseSampler(stage),
            new: try plans.new.chooseSampler(newStage ?? stage, option: newStage == nil ? "--stage" : "--new-stage"))
        let comparison = TraceComparison(
            old: ComparedPipeline(path: old, plan: plans.old, sampler: samplers.old),
            new: ComparedPipeline(path: new, plan: plans.new, sampler: samplers.new))
        let progress = ProgressLine()
        var broken = 0
        let (source, unreadable) = try spans.read(plan: plans.old, sampler: samplers.old) { record in
            do {
                try comparison.process(record.payload, at: record.timestamp, partition: record.partition)
            } catch let error as ScanError {
                broken += 1
                if broken <= 20 { Terminal.line("a record of \(record.partition) is no OTLP request: \(error)") }
            }
            progress.show("\(Figures.grouped(comparison.spanCount)) spans read")
        }
        let report = ComparisonReport(
            result: comparison.finish(slow: slow, exampleCount: examples), source: source, isSampled: spans.isSampled)
        progress.finish("\(Figures.grouped(comparison.spanCount)) spans read")
        switch format {
        case .text: Terminal.output(report.text)
        case .json: Terminal.output(report.json)
        }
        if let html { try OutputFile.write(report.html, to: html) }
        if broken + unreadable > 0 {
            throw CommandFailure(
                "\(broken + unreadable) \(spans.unit) of \(source) could not be read; the rest was compared")
        }
    }
}
