import Foundation
import Pipeline
import Testing

@testable import Tailrace

/// Files that stages of a pipeline file name.
@Suite("Files that a pipeline file names")
struct NamedFilesTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "tailrace-files-\(UInt32.random(in: 0 ... .max))")

    private func write(_ name: String, _ text: String) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try text.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
    }

    private func plan() throws -> PipelinePlan {
        let text = """
            pipeline: p
            stages:
              spans: { kind: kafka, brokers: "k:9092", topic: t }
              clean: { kind: scrub, from: spans, rules: "\(folder.path)/scrub.yaml" }
              sample: { kind: tail_sampler, from: clean, window: { max: 5s }, policies: [{ name: a, type: always_sample }] }
              index: { kind: indexer, from: sample, attributes: "\(folder.path)/keys.yaml" }
              store: { kind: segments, from: index }
            """
        let result = PipelinePlan.load(
            text: text, file: "p.yaml", registry: .builtIn, environment: [:])
        return try #require(result.plan, "\(result.diagnostics.sorted)")
    }

    private func scrubber(of plan: PipelinePlan) throws -> any SpanScrubber {
        let stage = try #require(plan.stages.first { $0.name == "clean" })
        guard case .scrubber(let make) = stage.definition.make else { throw StageError("no scrubber") }
        let environment = StageEnvironment(
            workingDirectory: "/", storeDirectory: folder.path, incarnation: "i", pipelineName: "p")
        return try make(stage.settings, environment)
    }

    @Test("are read once: what a task is made from later is what was checked, also when the file is broken or gone")
    func readOnce() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write("scrub.yaml", "rules:\n  - { name: a, action: delete, keys: [secret] }\n")
        try write("keys.yaml", "attributes: [http.route]\n")
        let plan = try plan()
        try write("scrub.yaml", "rules: [")
        #expect(try scrubber(of: plan).canChange(attributeKey: "secret"))
        try FileManager.default.removeItem(at: folder)
        let scrubber = try scrubber(of: plan)
        #expect(scrubber.canChange(attributeKey: "secret") && !scrubber.canChange(attributeKey: "other"))
        let index = try #require(plan.stages.first { $0.name == "index" })
        #expect(try IndexerStage.keys(index.settings) == ["http.route"])
    }

    @Test("are part of the configuration: a change in one of them changes its stage and no other")
    func partOfConfiguration() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write("scrub.yaml", "rules:\n  - { name: a, action: delete, keys: [secret] }\n")
        try write("keys.yaml", "attributes: [http.route]\n")
        let old = try plan()
        try write("scrub.yaml", "# a comment\nrules:\n  - { name: a, action: delete, keys: ['secret'] }\n")
        #expect(PlanDifference(from: old, to: try plan()).changed.isEmpty, "written otherwise, the same rules")
        try write("scrub.yaml", "rules:\n  - { name: a, action: delete, keys: [secret, token] }\n")
        let new = try plan()
        #expect(PlanDifference(from: old, to: new).changed == ["clean"])
        #expect(try scrubber(of: new).canChange(attributeKey: "token"))
        try write("keys.yaml", "attributes: [http.route, url.path]\n")
        #expect(PlanDifference(from: new, to: try plan()).changed == ["index"])
    }
}
