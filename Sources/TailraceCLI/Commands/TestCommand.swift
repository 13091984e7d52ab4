import ArgumentParser
import Glibc
import Pipeline
import PipelineTesting
import Tailrace

struct TestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Runs the tests that pipeline files have.",
        discussion: """
            Each test sends spans through the pipeline as it is, with records, sinks, store and clock of its own: nothing is
            read from or written to brokers or stores. docs/testing-pipelines.md explains how to write them.
            Exit code 0 when all tests pass; 1 when one fails, a file is invalid, or there is no test at all.
            Example: tailrace test pipelines/*.yaml --junit report.xml
            """)

    @Argument(help: "Pipeline files.") var files: [String]
    @Option(help: "Run only tests whose name contains this text.") var filter: String?
    @Option(help: "Write the results as JUnit XML to this file, or - for stdout.") var junit: String?

    func run() throws {
        guard !files.isEmpty else { throw ValidationError("name a pipeline file") }
        var tally = Tally()
        var report = JUnitReport()
        for file in files { runTests(of: file, &tally, &report) }
        if let junit { try write(report.rendered, to: junit) }
        Terminal.line(tally.summary)
        if tally.count == 0, tally.invalid == 0 {
            throw CommandFailure(
                filter.map { "no test's name contains \"\($0)\"" }
                    ?? "no tests; docs/testing-pipelines.md says how to write some under tests:")
        }
        if tally.failed > 0 || tally.invalid > 0 { throw ExitCode(1) }
    }

    private struct Tally {
        var count = 0
        var failed = 0
        var invalid = 0

        var summary: String {
            var text = count == 1 ? "1 test" : "\(count) tests"
            text += failed == 0 ? (count > 0 ? ", all passed" : "") : ", \(failed) failed"
            if invalid > 0 { text += invalid == 1 ? ", 1 file is invalid" : ", \(invalid) files are invalid" }
            return text
        }
    }

    private func runTests(of file: String, _ tally: inout Tally, _ report: inout JUnitReport) {
        let document = YAMLLoader.load(path: file, environment: ProcessEnvironment.variables)
        let (plan, diagnostics) = PipelinePlan.load(document, registry: .builtIn)
        Terminal.write(diagnostics.rendered(sources: [file: document.text]))
        guard let plan, !diagnostics.hasErrors else {
            tally.invalid += 1
            report.add(
                file: file, problems: diagnostics.sorted.filter { $0.severity == .error }.map(\.description))
            return
        }
        let tests = plan.tests.filter { test in filter.map { test.name.contains($0) } ?? true }
        if plan.tests.isEmpty { Terminal.line("\(file): has no tests") }
        guard !tests.isEmpty else { return }
        Terminal.line(file)
        let runner = PipelineTestRunner(plan: plan)
        var results: [PipelineTestResult] = []
        for test in tests {
            let result = runner.run(test)
            results.append(result)
            tally.count += 1
            Terminal.line("  \(result.hasPassed ? "ok    " : "FAILED") \(Wording.printable(test.name, limit: 200))")
            guard !result.hasPassed else { continue }
            tally.failed += 1
            show(result, source: document.text)
        }
        report.add(pipeline: plan.name, file: file, results)
    }

    /// Each failure as compilers show theirs, and below it why it is so; what was said of a failure before is not repeated.
    private func show(_ result: PipelineTestResult, source: String) {
        var shown: Set<String> = []
        for failure in result.failures {
            var diagnostics = Diagnostics()
            diagnostics.error(failure.message, at: failure.location)
            Terminal.write(diagnostics.rendered(sources: [failure.location.file: source]))
            for note in failure.notes where shown.insert(note).inserted {
                Terminal.line("    why: \(Wording.printable(note, limit: 1000))")
            }
        }
    }

    private func write(_ text: String, to path: String) throws {
        if path == "-" {
            Terminal.output(text)
            return
        }
        guard let file = fopen(path, "w") else {
            throw CommandFailure("\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        let bytes = Array(text.utf8)
        let written = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, written == bytes.count else { throw CommandFailure("\(path) could not be written") }
    }
}
