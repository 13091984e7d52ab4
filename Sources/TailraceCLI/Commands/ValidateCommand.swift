import ArgumentParser
import Pipeline
import Tailrace

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Checks pipeline files and reports every mistake at once.",
        discussion: """
            Exit code 0, or 1 with lines of the form file:line:column: error: … on stderr, each
            followed by the line and a caret.
            Example: tailrace validate pipelines/*.yaml
            """)

    @Argument(help: "Pipeline files.") var files: [String]

    func run() throws {
        var failed = 0
        for file in files {
            let (plan, diagnostics) = PipelineLoading.check(file)
            if let plan, !diagnostics.hasErrors {
                Terminal.line("\(file): pipeline \(plan.name) is valid (\(plan.stages.count) stages)")
            } else {
                failed += 1
            }
        }
        if failed > 0 { throw ExitCode(1) }
    }
}
