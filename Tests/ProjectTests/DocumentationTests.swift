import Foundation
import Pipeline
import Tailrace
import Testing

@Suite("The documentation")
struct DocumentationTests {
    @Test("says of every stage kind what it is for", arguments: StageRegistry.builtIn.kinds)
    func stageKind(kind: String) throws {
        let definition = try #require(StageRegistry.builtIn[kind])
        let text = try Project.text("docs/pipelines.md")
        let section = try #require(
            Markdown.section("### \(kind)", in: text), "docs/pipelines.md has no section \(kind)")
        let isSaid = section.contains(definition.summary)
        #expect(isSaid, "docs/pipelines.md does not say of \(kind): \(definition.summary)")
        // The reference is generated: DeclarationTests.
        let isLinked = section.contains("[Ports and options](reference.md#\(kind))")
        #expect(isLinked, "\(kind)")
    }

    @Test("shows pipelines that load", arguments: ["README.md", "docs/pipelines.md", "docs/custom-stages.md"])
    func examplesLoad(file: String) throws {
        try Project.enter()
        var registry = StageRegistry.builtIn
        registry.register(TenantStage.definition)
        for block in Markdown.blocks("yaml", in: try Project.text(file)) where block.contains("\nstages:") {
            let (_, diagnostics) = PipelinePlan.load(text: block, file: file, registry: registry, environment: [:])
            #expect(!diagnostics.hasErrors, "\(diagnostics.rendered(sources: [file: block]))")
        }
    }

    @Test("names every metric, and no other", arguments: ["docs/metrics.md", "config/alerts.yml"])
    func metrics(file: String) throws {
        let sources = try [
            "Sources/Tailrace/Worker/WorkerMetrics.swift", "Sources/Tailrace/Worker/WorkerMetrics+Budget.swift",
            "Sources/TailraceCLI/Support/StoreMetrics.swift",
            "Sources/Tailrace/RemoteSampling/RemoteSamplingService.swift",
        ]
        .map(Project.text).joined()
        let exported = Set(sources.matches(of: /"((?:tailrace|process)_[a-z_]+)"/).map { String($0.output.1) })
        let text = try Project.text(file)
        let named = Set(text.matches(of: /\b(?:tailrace|process)_[a-z_]+\b/).map { String($0.output) })
        #expect(named.subtracting(exported).isEmpty, "named in \(file) only")
        if file == "docs/metrics.md" { #expect(exported.subtracting(named).isEmpty, "exported only") }
    }

    @Test("links to files that exist", arguments: try documents())
    func links(file: String) throws {
        let folder = URL(fileURLWithPath: "/" + file).deletingLastPathComponent()
        for link in Markdown.localLinks(in: try Project.text(file)) {
            let target = String(folder.appendingPathComponent(link).standardized.path.dropFirst())
            #expect(Project.exists(target), "\(file) links to \(link)")
        }
    }

    @Test("walks through every module in ARCHITECTURE.md")
    func modules() throws {
        let text = try Project.text("ARCHITECTURE.md")
        let folder = Project.root.appendingPathComponent("Sources").path
        for module in try FileManager.default.contentsOfDirectory(atPath: folder) where !module.hasPrefix(".") {
            let isNamed = text.contains("`\(module)`")
            #expect(isNamed, "\(module)")
        }
    }

    private static func documents() throws -> [String] {
        let top = try FileManager.default.contentsOfDirectory(atPath: Project.root.path).filter { $0.hasSuffix(".md") }
        return try top.sorted() + Project.files(in: "docs", ending: ".md")
            + Project.files(in: "docs/decisions", ending: ".md")
    }
}
