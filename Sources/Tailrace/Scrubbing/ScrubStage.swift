import OTLP
import Pipeline
import Scrubbing
import Yams

/// Definition of the stage kind `scrub`.
enum ScrubStage {
    static let definition = StageDefinition(
        kind: "scrub", role: .scrubber,
        summary: "Removes or changes sensitive data; applied to what is kept, so dropped spans cost nothing.",
        inputs: [.spans], outputs: [OutputPort("spans", .spans, summary: "the spans, scrubbed")],
        options: [
            StageOption(
                "rules", .form(.scrubRules), required: true,
                summary: "file with scrub rules, for example config/scrub.yaml, or a list of rules")
        ],
        check: { settings, diagnostics in
            guard let place = settings.value["rules"] else { return }
            do {
                _ = try rules(settings)
            } catch let error as ScrubRuleError {
                for problem in error.problems {
                    let found =
                        place.scalar.map {
                            SourceLocation(file: $0, line: problem.line ?? 1, column: problem.column ?? 1)
                        } ?? location(problem.path, in: place)
                    let hint = problem.suggestion.map { ". Did you mean \(Wording.quoted($0))?" } ?? ""
                    diagnostics.error(problem.message + hint, at: found)
                }
            } catch {
                diagnostics.error("cannot read scrub rules: \(error)", at: place.location)
            }
        },
        inlined: { settings in
            guard let path = settings.value["rules"]?.scalar else { return settings.value }
            let document = try document(path)
            guard let rules = document.value?["rules"] else { throw StageError("\(path) has no rules") }
            return settings.value.replacing("rules", with: rules)
        },
        make: .scrubber { settings, _ in BytesScrubber(rules: try rules(settings)) })

    /// The rules of a stage, in either form.
    private static func rules(_ settings: StageSettings) throws -> ScrubRules {
        guard let value = settings.value["rules"] else { throw StageError("rules are missing") }
        if let path = value.scalar { return try load(path) }
        // The parser of rule files takes the rules below a key.
        return try ScrubRules.parse(
            yaml: .mapping(Node.Mapping([(Node("rules"), node(value))])), file: value.location.file)
    }

    /// A value of the pipeline file as the parser of rules takes it.
    private static func node(_ value: ConfigValue) -> Node {
        switch value.content {
        case .scalar(let text, let isQuoted):
            return .scalar(Node.Scalar(text, Tag(.implicit), isQuoted ? .singleQuoted : .plain))
        case .list(let elements):
            return .sequence(Node.Sequence(elements.map(node), Tag(.implicit)))
        case .map(let entries):
            return .mapping(Node.Mapping(entries.map { (Node($0.key), node($0.value)) }, Tag(.implicit)))
        case .null:
            return .scalar(Node.Scalar("", Tag(.implicit)))
        }
    }

    /// Where a problem's path, such as `rules[3].keys[1]`, leads in a list of rules; the nearest place above what is missing.
    private static func location(_ path: String, in rules: ConfigValue) -> SourceLocation {
        var value = rules
        for part in path.split(whereSeparator: { ".[]".contains($0) }).dropFirst() {
            let next = Int(part).map { index in
                value.elements.indices.contains(index) ? value.elements[index] : nil
            }
            guard let found = next ?? value[String(part)] else {
                // A key of a wrong name has a place, though no value is looked for under it.
                return value.entries.first { $0.key == part }?.keyLocation ?? value.location
            }
            value = found
        }
        return value.location
    }

    private static func document(_ path: String) throws -> YAMLDocument {
        let document = YAMLLoader.load(path: path, environment: ProcessEnvironment.variables)
        if document.diagnostics.hasErrors {
            throw StageError(document.diagnostics.sorted.map(\.description).joined(separator: "\n"))
        }
        return document
    }

    static func load(_ path: String) throws -> ScrubRules {
        let document = try document(path)
        guard let node = try Yams.compose(yaml: document.text) else { throw StageError("\(path) is empty") }
        return try ScrubRules.parse(yaml: expanded(node), file: path)
    }

    /// Variables in all scalars, with the places kept; those that are not set have been reported by the loader.
    private static func expanded(_ node: Node) -> Node {
        let expansion = EnvironmentExpansion(ProcessEnvironment.variables)
        switch node {
        case .scalar(let scalar):
            var problems: [EnvironmentExpansion.Problem] = []
            let text = expansion.expand(scalar.string, problems: &problems)
            return .scalar(Node.Scalar(text, scalar.tag, scalar.style, scalar.mark))
        case .sequence(let sequence):
            return .sequence(Node.Sequence(sequence.map(expanded), sequence.tag, sequence.style, sequence.mark))
        case .mapping(let mapping):
            let pairs = mapping.map { ($0.key, expanded($0.value)) }
            return .mapping(Node.Mapping(pairs, mapping.tag, mapping.style, mapping.mark))
        default:
            return node
        }
    }
}

/// Adapts the scrubbing engine to the stage protocol. One instance per task.
final class BytesScrubber: SpanScrubber {
    private var scrubber: Scrubber

    init(rules: ScrubRules) { scrubber = Scrubber(rules: rules) }

    func canChange(attributeKey: String) -> Bool {
        ScrubPlace.allCases.contains { scrubber.canChange(attributeKey: attributeKey, in: $0) }
    }

    var canChangeSpanName: Bool { scrubber.canChangeSpanName }

    func scrubSpan(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        _ = try scrubber.scrubSpan(message, into: &output)
    }

    func scrubResource(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        _ = try scrubber.scrubResource(message, into: &output)
    }

    func scrubScope(_ message: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ScanError) {
        _ = try scrubber.scrubScope(message, into: &output)
    }

    func scrubName(_ name: String) -> String { scrubber.scrubName(name) }

    var counts: [(rule: String, count: UInt64)] {
        zip(scrubber.rules.names, scrubber.totals).map { ($0, $1) }
    }
}
