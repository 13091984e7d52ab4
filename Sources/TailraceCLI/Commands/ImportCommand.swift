import ArgumentParser
import Glibc
import Import
import Pipeline
import Tailrace

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Turns a configuration of another sampler into a pipeline file.",
        discussion: """
            Reads an OpenTelemetry Collector configuration or Refinery's sampling rules. Writes the pipeline to stdout (or
            --output), and to stderr what changed in meaning and what could not be carried over, with what to do instead;
            the same stands in the file as comments. Variables such as ${env:BROKERS} stay variables.
            Exit code 0; with --strict 1 where something could not be carried over.
            Example: tailrace import otelcol.yaml --output pipelines/otelcol.yaml
            """)

    @Argument(help: "The file to read, or - for stdin.") var file: String
    @Option(name: .shortAndLong, help: "The pipeline file to write; stdout without it.") var output: String?
    @Option(help: "What the file is: otelcol, refinery-rules or refinery-config; found out without it.") var format:
        ImportFormat?
    @Option(help: "Name of the pipeline; that of the file without it.") var name: String?
    @Option(help: "Kafka's brokers, where the file names none.") var brokers = ImportOptions().brokers
    @Option(help: "The topic of spans, where the file names none.") var topic = ImportOptions().topic
    @Option(help: "What the keys of Refinery's Samplers are: environment, or dataset (of Honeycomb Classic).")
    var refineryTargets = ImportOptions().refineryTargets
    @Flag(help: "Fail where something could not be carried over.") var strict = false
    @Flag(help: "Say only what needs attention.") var quiet = false

    func run() throws {
        let document = ImportDocument.load(path: file == "-" ? "/dev/stdin" : file)
        guard let root = document.value, !document.diagnostics.hasErrors else {
            try fail(document.diagnostics, document)
        }
        guard let format = format ?? ImportFormat.detect(root) else {
            throw CommandFailure(
                "\(file) is neither \(ImportFormat.allCases.map(\.title).joined(separator: " nor ")): a Collector "
                    + "configuration has the keys receivers and service, Refinery's rules have RulesVersion and Samplers"
            )
        }
        var options = ImportOptions()
        options.name = name
        options.brokers = brokers
        options.topic = topic
        options.refineryTargets = refineryTargets
        let (imported, diagnostics) = PipelineImport.read(document, as: format, options: options)
        guard let imported, !diagnostics.hasErrors else { try fail(diagnostics, document) }
        Terminal.write(diagnostics.rendered(sources: [document.file: document.text]))
        try write(imported.draft.text)
        report(imported)
        if strict, imported.notes.contains(where: { $0.kind == .attention }) { throw ExitCode(1) }
    }

    private func fail(_ diagnostics: Diagnostics, _ document: YAMLDocument) throws -> Never {
        Terminal.write(diagnostics.rendered(sources: [document.file: document.text]))
        throw CommandFailure("\(file): nothing was imported")
    }

    private func write(_ text: String) throws {
        guard let output else {
            Terminal.output(text)
            return
        }
        if isSameFile(output, file) { throw CommandFailure("\(output) is the file to read; write to another one") }
        let descriptor = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw CommandFailure("cannot write \(output): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw CommandFailure("cannot write \(output): \(String(cString: strerror(errno)))")
            }
            written += count
        }
    }

    private func isSameFile(_ one: String, _ other: String) -> Bool {
        var (first, second) = (stat(), stat())
        return stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev
            && first.st_ino == second.st_ino
    }

    private func report(_ imported: ImportedPipeline) {
        for note in imported.notes where !quiet || note.kind == .attention {
            Terminal.line("\(note.location): \(note.kind.rawValue): \(note.subject): \(note.message)")
        }
        func count(_ kind: ImportNote.Kind) -> Int { imported.notes.count { $0.kind == kind } }
        let next = output.map { "; check it with tailrace validate \($0)" } ?? ""
        Terminal.line(
            "pipeline \(imported.draft.name): \(imported.draft.stages.count) stages, \(count(.attention)) things left to do, "
                + "\(count(.changed)) changed in meaning\(next)")
    }
}

extension ImportFormat: ExpressibleByArgument {}
extension RefineryTarget: ExpressibleByArgument {}
