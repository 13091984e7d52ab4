import Foundation
import OTLP
import Pipeline
import Tailrace
import Testing
import TraceModel

@Suite("A stage written outside Tailrace")
struct CustomStageTests {
    @Test("is shown in docs/custom-stages.md as it is compiled here")
    func documented() throws {
        let blocks = Markdown.blocks("swift", in: try Project.text("docs/custom-stages.md"))
        #expect(blocks.first == (try Project.text("Tests/ProjectTests/CustomStageExample.swift")))
    }

    @Test("is checked like a built-in one: its options, its ports, its own rules")
    func checked() throws {
        var registry = StageRegistry.builtIn
        registry.register(TenantStage.definition)
        let text = """
            pipeline: tenants
            stages:
              spans: { kind: file, path: in.jsonl }
              mine: { kind: tenants, from: spans, names: [] }
              out: { kind: file_sink, from: mine, path: out.jsonl }
              rest: { kind: discard, from: mine.other }
            """
        let (plan, diagnostics) = PipelinePlan.load(text: text, registry: registry, environment: [:])
        let messages = diagnostics.sorted.map(\.message)
        #expect(plan == nil)
        #expect(messages.contains { $0.contains("names is empty, so no span would pass") }, "\(messages)")
        #expect(messages.contains { $0.contains("Did you mean \"others\"?") }, "\(messages)")
    }

    @Test("runs in a worker: its spans are stored, the others take the other port")
    func runs() async throws {
        let folder = try Project.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let recording = folder.appendingPathComponent("in.jsonl").path
        let writer = try SpanFileWriter(path: recording)
        for number in 1...20 {
            try writer.append(Self.request(number: number, tenant: number % 4 == 0 ? "acme" : "other"))
        }
        try writer.close()
        let pipeline = folder.appendingPathComponent("tenants.yaml")
        try """
        pipeline: tenants
        stages:
          spans: { kind: file, path: \(recording) }
          mine: { kind: tenants, from: spans, names: [acme] }
          sample: { kind: tail_sampler, from: mine, policies: [{ name: all, type: always_sample }] }
          store: { kind: segments, from: sample, path: \(folder.path)/store }
          rest: { kind: file_sink, from: mine.others, path: \(folder.path)/rest.jsonl }
        """.write(to: pipeline, atomically: true, encoding: .utf8)

        let worker = try startWorker(pipeline: pipeline.path)
        let deadline = Date(timeIntervalSinceNow: 20)
        while !worker.hasEnded, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
        worker.stop()

        #expect(worker.failure == nil)
        #expect(worker.totals.counters.received == 20)
        #expect(worker.totals.counters.keptTraces == 5)
        #expect(worker.totals.counters.forwarded == 15)
        #expect(worker.totals.imbalance == 0)
        let rest = try String(contentsOf: folder.appendingPathComponent("rest.jsonl"), encoding: .utf8)
        #expect(rest.split(separator: "\n").count == 15)
        #expect(!rest.contains("acme"))
    }

    private static func request(number: Int, tenant: String) -> [ResourceSpans] {
        let start = 1_750_000_000_000_000_000 + UInt64(number) * 1_000_000
        let span = Span(
            traceID: TraceID(high: 1, low: UInt64(number)), spanID: SpanID(UInt64(number)), name: "GET /",
            startTime: start, endTime: start + 1_000_000,
            attributes: [Attribute("tenant.id", .string(tenant))])
        return [
            ResourceSpans(resource: Resource(), scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: [span])])
        ]
    }
}
