import Foundation
import Pipeline
import PipelineTesting
import Tailrace
import Testing

/// A pipeline with two policies, to which a test adds its `tests:`.
enum Sample {
    static let stages = """
        pipeline: sample
        stages:
          spans: { kind: kafka, topic: otlp_spans }
          limits: { kind: validate, from: spans, max_attributes: 3 }
          scrub: { kind: scrub, from: limits, rules: config/scrub.yaml }
          sample:
            kind: tail_sampler
            from: scrub
            policies:
              - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
              - { name: rest, type: probabilistic, probabilistic: { sampling_percentage: 50 } }
          index: { kind: indexer, from: sample, attributes: [db.system, user.id] }
          store: { kind: segments, from: index }

        """

    /// The pipeline with one test of these steps.
    static func text(_ steps: String, stages: String = stages, options: String = "") -> String {
        let indented = steps.split(separator: "\n").map { "      \($0)\n" }.joined()
        return stages + "tests:\n  - name: it\n\(options)    steps:\n" + indented
    }

    static func load(_ text: String) -> (plan: PipelinePlan?, diagnostics: Diagnostics) {
        PipelinePlan.load(text: text, file: "p.yaml", registry: .builtIn, environment: [:])
    }

    /// Mistakes that loading finds, without the file's name.
    static func mistakes(_ steps: String, options: String = "") -> [String] {
        load(text(steps, options: options)).diagnostics.sorted.map { String($0.description.dropFirst("p.yaml:".count)) }
    }

    /// Runs the first test of a file.
    static func run(
        _ steps: String, stages: String = stages, options: String = "",
        _ location: Testing.SourceLocation = #_sourceLocation
    ) throws -> PipelineTestResult {
        let (plan, diagnostics) = load(text(steps, stages: stages, options: options))
        let loaded = try #require(plan, "\(diagnostics.rendered())", sourceLocation: location)
        let test = try #require(loaded.tests.first)
        return PipelineTestRunner(plan: loaded).run(test)
    }

    /// Runs a test that must pass.
    static func passes(
        _ steps: String, stages: String = stages, options: String = "",
        _ location: Testing.SourceLocation = #_sourceLocation
    ) throws {
        let result = try run(steps, stages: stages, options: options, location)
        #expect(result.failures == [], sourceLocation: location)
    }
}

/// The files of this project.
enum Project {
    /// The folder with Package.swift.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Pipelines name files such as config/scrub.yaml from the project's root.
    static func enter() throws {
        guard FileManager.default.changeCurrentDirectoryPath(root.path) else { throw CocoaError(.fileNoSuchFile) }
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    static func pipelines() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("pipelines").path)
            .filter { $0.hasSuffix(".yaml") && !$0.hasPrefix(".") }.sorted().map { "pipelines/\($0)" }
    }

    /// The fenced blocks of a document in one language, without their fences.
    static func blocks(_ language: String, in text: String) -> [String] {
        text.components(separatedBy: "\n```\(language)\n").dropFirst().compactMap {
            $0.components(separatedBy: "\n```").first.map { $0 + "\n" }
        }
    }
}
