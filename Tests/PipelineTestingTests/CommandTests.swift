import Foundation
import Pipeline
import PipelineTesting
import Tailrace
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite("tailrace test")
struct TestCommandTests {
    init() throws { try Project.enter() }

    private struct Outcome {
        var code: Int32
        var output: String
        var errors: String
    }

    /// Runs the program, which stands beside the test bundle.
    private func tailrace(_ arguments: String...) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("tailrace")
        process.arguments = arguments
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tailrace-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = ["out", "err"].map { folder.appendingPathComponent($0) }
        for file in files { FileManager.default.createFile(atPath: file.path, contents: nil) }
        process.standardOutput = try FileHandle(forWritingTo: files[0])
        process.standardError = try FileHandle(forWritingTo: files[1])
        try process.run()
        process.waitUntilExit()
        return Outcome(
            code: process.terminationStatus, output: try String(contentsOf: files[0], encoding: .utf8),
            errors: try String(contentsOf: files[1], encoding: .utf8))
    }

    private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("p-\(UUID().uuidString).yaml")
        try text.write(to: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: path) }
        return try body(path.path)
    }

    @Test("passes on every file in pipelines/, and each has tests")
    func shipped() throws {
        let files = try Project.pipelines()
        #expect(files.count >= 5)
        var outcomes: [PipelineTestResult] = []
        for file in files {
            let (plan, diagnostics) = PipelinePlan.load(path: file, registry: .builtIn, environment: [:])
            let loaded = try #require(plan, "\(diagnostics.rendered())")
            #expect(!loaded.tests.isEmpty, "\(file) has no tests")
            let runner = PipelineTestRunner(plan: loaded)
            for test in loaded.tests {
                let result = runner.run(test)
                #expect(result.failures == [], "\(file): \(test.name)")
                outcomes.append(result)
            }
        }
        // Once through the program: the same tests, the same outcome.
        let outcome = try tailrace(["pipelines/quickstart.yaml", "pipelines/repartition.yaml"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains(", all passed"))
    }

    private func tailrace(_ files: [String]) throws -> Outcome { try tailrace("test", files[0], files[1]) }

    @Test("passes on the examples of the documentation")
    func documentation() throws {
        let text = try Project.text("docs/testing-pipelines.md")
        let examples = Project.blocks("yaml", in: text).filter { $0.hasPrefix("pipeline:") }
        #expect(examples.count == 1)
        for example in examples {
            let (plan, diagnostics) = Sample.load(example)
            let loaded = try #require(plan, "\(diagnostics.rendered())")
            for test in loaded.tests {
                #expect(PipelineTestRunner(plan: loaded).run(test).failures == [], "\(test.name)")
            }
        }
    }

    @Test("shows a failure with its place and its reason, and ends with code 1")
    func failing() throws {
        let text = Sample.text("- trace a: frontend 20ms\n- advance: 11s\n- expect a: kept by errors")
        try withFile(text) { file in
            let outcome = try tailrace("test", file)
            #expect(outcome.code == 1)
            #expect(outcome.output.isEmpty)
            #expect(
                outcome.errors.contains(
                    "\(file):19:19: error: trace a: expected kept by errors, found "), "\(outcome.errors)")
            #expect(outcome.errors.contains("    why: "))
            #expect(outcome.errors.contains("1 test, 1 failed"))
        }
    }

    @Test("ends with 1 for an invalid file or no test at all, with 2 for wrong usage")
    func exitCodes() throws {
        try withFile(Sample.text("- trace a: frontend eror\n- expect a: kept")) { file in
            let outcome = try tailrace("test", file)
            #expect(outcome.code == 1)
            #expect(outcome.errors.contains("unknown word \"eror\". Did you mean \"error\"?"))
            // The same mistake for everybody who reads the file.
            #expect(try tailrace("validate", file).code == 1)
        }
        try withFile(Sample.stages) { file in
            let outcome = try tailrace("test", file)
            #expect(outcome.code == 1)
            #expect(outcome.errors.contains("has no tests"))
        }
        #expect(try tailrace("test", "/nonexistent.yaml").code == 1)
        #expect(try tailrace("test").code == 2)
        #expect(try tailrace("test", "--nonsense", "x.yaml").code == 2)
        #expect(try tailrace("test", "pipelines/quickstart.yaml", "--filter", "no such name").code == 1)
        let filtered = try tailrace("test", "pipelines/quickstart.yaml", "--filter", "dead letters")
        #expect(filtered.code == 0 && filtered.errors.contains("1 test, all passed"), "\(filtered.errors)")
    }

    /// What a CI system reads of a report.
    private final class Cases: NSObject, XMLParserDelegate {
        var attributes: [String: [[String: String]]] = [:]
        var text = ""

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            self.attributes[name, default: []].append(attributes)
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
    }

    @Test("writes JUnit XML that a parser reads back: cases, failures, errors, with their places")
    func junit() throws {
        let stages = Sample.stages
        let good =
            stages + "tests:\n  - { name: 'a < b & \"c\"', steps: [{ trace a: frontend error }, { expect a: open }] }\n"
        let bad = good + "  - { name: bad, steps: [{ trace a: frontend error }, { expect a: kept }] }\n"
        try withFile(bad) { file in
            try withFile("pipeline: x\n") { invalid in
                let outcome = try tailrace("test", file, invalid, "--junit", "-")
                #expect(outcome.code == 1)
                let parser = XMLParser(data: Data(outcome.output.utf8))
                let cases = Cases()
                parser.delegate = cases
                #expect(parser.parse(), "\(outcome.output)")
                let totals = try #require(cases.attributes["testsuites"]?.first)
                #expect(totals["tests"] == "3" && totals["failures"] == "1" && totals["errors"] == "1")
                #expect(cases.attributes["testsuite"]?.map { $0["name"] } == ["sample", invalid])
                let names = cases.attributes["testcase"]?.map { $0["name"] }
                #expect(names == ["a < b & \"c\"", "bad", "the file is valid"])
                #expect(cases.attributes["testcase"]?[1]["line"] == "16")
                #expect(
                    cases.attributes["failure"]?.first?["message"]
                        == "trace a: expected kept, found open")
                #expect(cases.attributes["error"]?.first?["message"]?.contains("missing key \"stages\"") == true)
                #expect(cases.text.contains("it waits in sample with 1 span"))
            }
        }
    }
}
