import Foundation
import Pipeline
import Tailrace
import Testing

@Suite("The shipped pipelines")
struct PipelineFileTests {
    init() throws { try Project.enter() }

    @Test(
        "load without a mistake or a warning, with no variable set",
        arguments: try Project.files(in: "pipelines", ending: ".yaml"))
    func load(file: String) {
        let (plan, diagnostics) = PipelinePlan.load(path: file, registry: .builtIn, environment: [:])
        #expect(diagnostics.all.isEmpty, "\(diagnostics.rendered())")
        #expect(plan?.name == URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent)
    }

    @Test(
        "read their brokers and their store from the environment",
        arguments: try Project.files(in: "pipelines", ending: ".yaml"))
    func environment(file: String) throws {
        let variables = ["KAFKA_BROKERS": "elsewhere:9092", "TAILRACE_STORE": "/tmp/elsewhere"]
        let (plan, _) = PipelinePlan.load(path: file, registry: .builtIn, environment: variables)
        let loaded = try #require(plan)
        #expect(loaded.sources.map { loaded.stages[$0].settings.string("brokers") } == ["elsewhere:9092"])
        for sink in loaded.sinks {
            let stage = loaded.stages[sink]
            let isElsewhere =
                stage.kind == "repartition"
                ? stage.settings.string("brokers") == "elsewhere:9092"
                : stage.settings.string("path") == "/tmp/elsewhere"
            #expect(isElsewhere, "\(stage.name)")
        }
    }

    @Test("scrub whatever a sink stores", arguments: try Project.files(in: "pipelines", ending: ".yaml"))
    func scrubbed(file: String) throws {
        let plan = try #require(PipelinePlan.load(path: file, registry: .builtIn, environment: [:]).plan)
        for sink in plan.sinks { #expect(!plan.scrubbers(before: sink).isEmpty) }
    }
}
