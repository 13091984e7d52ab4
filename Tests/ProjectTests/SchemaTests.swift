import Foundation
import Pipeline
import Tailrace
import Testing

@Suite("The JSON Schema of pipeline files", .serialized)
struct SchemaTests {
    /// Reading it takes longer than most tests.
    private static let shared = Result { try JSONSchema(PipelineSchema().text) }
    let schema: JSONSchema

    init() throws {
        try Project.enter()
        schema = try Self.shared.get()
    }

    @Test(
        "takes the shipped pipelines, as they are written",
        arguments: try Project.files(in: "pipelines", ending: ".yaml"))
    func shippedPipelines(file: String) throws {
        let document = YAMLLoader.load(path: file, environment: nil)
        let problems = try schema.problems(JSONTree(try #require(document.value)))
        #expect(problems.isEmpty, "\(problems)")
        #expect(document.text.hasPrefix("# yaml-language-server: $schema=../docs/pipeline.schema.json\n"))
    }

    @Test("takes the documentation's pipelines", arguments: ["README.md", "docs/pipelines.md"])
    func documentedPipelines(file: String) throws {
        for block in Markdown.blocks("yaml", in: try Project.text(file)) where block.contains("\nstages:") {
            let document = YAMLLoader.load(text: block, file: file, environment: nil)
            let problems = try schema.problems(JSONTree(try #require(document.value)))
            #expect(problems.isEmpty, "\(problems)")
        }
    }

    static let wrong: [(change: String, String, with: String)] = [
        ("a misspelt top-level key", "stages:", "stage:"),
        ("a misspelt kind", "kind: tail_sampler", "kind: tail_sampling"),
        ("a misspelt option", "topic:", "topik:"),
        ("a source that reads", "topic: t", "topic: t, from: sample"),
        ("a duration without unit", "max: 30s", "max: 30"),
        ("a size in words", "max_bytes: 2GiB", "max_bytes: 2 gigs"),
        ("a misspelt type", "type: latency", "type: latancy"),
        ("the block of another type", "latency: {", "probabilistic: {"),
        ("a missing block", ", latency: { threshold_ms: 5 }", ""),
        ("an unknown status", "[ERROR]", "[EROR]"),
        ("a percentage above 100", "sampling_percentage: 1 ", "sampling_percentage: 101 "),
        ("a drop inside an and", "type: trace_flags", "type: drop, drop: { drop_sub_policy: [] }"),
        ("a misspelt key of a sub-policy", "type: trace_flags", "type: trace_flags, flag: 1"),
        ("a nameless policy", "name: rest, ", ""),
    ]

    private static let right = """
        pipeline: p
        stages:
          spans: { kind: kafka, topic: t }
          sample:
            kind: tail_sampler
            from: spans
            window: { max: 30s, max_bytes: 2GiB }
            policies:
              - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
              - { name: slow, type: latency, latency: { threshold_ms: 5 } }
              - { name: both, type: and, and: { and_sub_policy: [{ name: a, type: trace_flags }] } }
              - { name: p99, type: percentile, percentile: 99 }
              - { name: rest, type: probabilistic, probabilistic: { sampling_percentage: 1 } }
          store: { kind: discard, from: sample }
        """

    @Test("refuses a wrong file, and so does the parser", arguments: wrong)
    func wrongFile(change: String, text: String, replacement: String) throws {
        func verdicts(_ text: String) throws -> (schema: Bool, parser: Bool) {
            let document = YAMLLoader.load(text: text, file: "p.yaml", environment: [:])
            let isValid = try schema.problems(JSONTree(try #require(document.value))).isEmpty
            return (isValid, !PipelinePlan.load(document, registry: .builtIn).diagnostics.hasErrors)
        }
        let right = try verdicts(Self.right)
        #expect(right.schema && right.parser)
        try #require(Self.right.contains(text))
        let wrong = try verdicts(Self.right.replacingOccurrences(of: text, with: replacement))
        #expect(!wrong.schema && !wrong.parser, "\(change): \(wrong)")
    }

    @Test("lets a variable stand for any value")
    func variables() throws {
        let text = Self.right.replacing("30s", with: "${MAX}").replacing("2GiB", with: "${SIZE:-1GiB}")
            .replacing("[ERROR]", with: "[\"${STATUS}\"]").replacing("threshold_ms: 5", with: "threshold_ms: ${MS}")
            .replacing("kind: discard", with: "kind: ${SINK}")
        let value = try #require(YAMLLoader.load(text: text, file: "p.yaml", environment: nil).value)
        #expect(try schema.problems(JSONTree(value)).isEmpty)
        let (plan, diagnostics) = PipelinePlan.load(
            text: text, registry: .builtIn,
            environment: ["MAX": "5s", "STATUS": "OK", "MS": "7", "SINK": "discard"])
        #expect(plan != nil, "\(diagnostics.sorted)")
    }

    /// Messages about the form of one value, which a schema can see; the others are about how values go together.
    private static let formMessages = [
        "unknown key", "missing key", "needs the key", ": expected ", "is out of range", "has no unit", "unknown value",
        "unknown kind", "unknown type", "needs a name", "needs a type", "must be a list", "must be a map",
        "cannot be part of another", "remove \"from\"", "is one policy", "expected a map",
    ]

    /// Mistakes of form that the schema does not see, each with its reason.
    private static let unseen = [
        // A number in quotes is a text to a schema, which knows no ranges of texts.
        "out of range; expected",
        // One of two keys must be there.
        "missing key \"threshold_ms\"",
        // A file's name or a list; both are texts.
        "attributes: expected",
        // One duration against another.
        "expected at least three intervals",
    ]

    /// Of some 39,000 mutations so many are made: every value of everything meets several options. All of them take over a
    /// minute: TAILRACE_ALL_MUTATIONS=1.
    private static let every = ProcessInfo.processInfo.environment["TAILRACE_ALL_MUTATIONS"] == nil ? 19 : 1
    /// So many of those are also held against another validator.
    private static let pythonEvery = 8

    @Test("refuses what the parser refuses, and nothing else, in every value and key of every kind and type")
    func mutations() throws {
        var number = 0
        var count = 0
        var refused = 0
        var forPython: [[String: Any]] = []
        var mismatches: [String] = []
        for sample in PipelineSamples.all {
            try PipelineSamples.mutate(sample.root) { change, root in
                number += 1
                guard number % Self.every == 0 else { return }
                count += 1
                let tree = JSONTree(root)
                let problems = try schema.problems(tree)
                let document = YAMLDocument(file: "p.yaml", text: "", value: root, diagnostics: Diagnostics())
                let errors = PipelinePlan.load(document, registry: .builtIn).diagnostics.all
                    .filter { $0.severity == .error }.map(\.message)
                if !problems.isEmpty { refused += 1 }
                if !problems.isEmpty, errors.isEmpty {
                    mismatches.append("\(sample.name), \(change): only the schema refuses it: \(problems)")
                }
                let formErrors = errors.filter { message in
                    Self.formMessages.contains(where: message.contains)
                        && !Self.unseen.contains(where: message.contains)
                }
                if problems.isEmpty, let error = formErrors.first {
                    mismatches.append("\(sample.name), \(change): only the parser refuses it: \(error)")
                }
                if count % Self.pythonEvery == 0 {
                    forPython.append(["valid": problems.isEmpty, "document": tree.any])
                }
            }
        }
        let shown = mismatches.prefix(20).joined(separator: "\n")
        #expect(mismatches.isEmpty, "\(mismatches.count) of \(count) differ:\n\(shown)")
        #expect(count > 1500 && refused > count / 4, "\(count) mutations, \(refused) refused")
        try holdAgainstPython(forPython)
    }

    /// Python's jsonschema says whether the schema itself is right, and agrees with the validator of these tests.
    private func holdAgainstPython(_ documents: [[String: Any]]) throws {
        let python = Project.root.appendingPathComponent(".venv-test/bin/python")
        let script = """
            import json, sys
            text = sys.stdin.read()  # all of it, also where it is not used: whoever writes would get SIGPIPE
            try:
                import jsonschema
            except ImportError:
                print("no jsonschema"); sys.exit(0)
            data = json.loads(text)
            jsonschema.Draft202012Validator.check_schema(data["schema"])
            validator = jsonschema.Draft202012Validator(data["schema"])
            wrong = [d for d in data["documents"] if validator.is_valid(d["document"]) != d["valid"]]
            print("agrees" if not wrong else json.dumps(wrong[0]))
            """
        guard FileManager.default.isExecutableFile(atPath: python.path) else {
            print("not held against Python's jsonschema: no .venv-test; `make test-deps` makes it")
            return
        }
        let input = try JSONSerialization.data(
            withJSONObject: ["schema": schema.root.any, "documents": documents] as [String: Any])
        let process = Process()
        process.executableURL = python
        process.arguments = ["-c", script]
        let (stdin, stdout) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        try process.run()
        DispatchQueue.global().async {
            try? stdin.fileHandleForWriting.write(contentsOf: input)
            try? stdin.fileHandleForWriting.close()
        }
        let output = String(decoding: stdout.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if output.hasPrefix("no jsonschema") {
            print("not held against Python's jsonschema: it is not installed; `make test-deps` installs it")
            return
        }
        #expect(process.terminationStatus == 0 && output == "agrees\n", "\(output.prefix(2000))")
    }
}
