import Pipeline
import Tailrace
import Testing

@Suite("The plan of a topic that is not keyed")
struct RepartitionPlanTests {
    private func load(_ stages: String) -> (plan: PipelinePlan?, diagnostics: Diagnostics) {
        PipelinePlan.load(
            text: "pipeline: p\nstages:\n\(stages)\n", file: "p.yaml", registry: .builtIn, environment: [:])
    }

    private static let sampled = """
          spans:
            { kind: kafka, brokers: "b:9092", topic: otlp, group: g, keyed_by: nothing, encoding: otlp_json, session_timeout: 10s,
              max_record_bytes: 4MiB, options: { security.protocol: sasl_ssl } }
          sample: { kind: tail_sampler, from: spans, policies: [{ name: all, type: always_sample }] }
          store: { kind: segments, from: sample }
          dead: { kind: file_sink, from: spans.rejected, path: dead.jsonl }
        """

    @Test("gets a repartition through an internal topic, and the drawing shows it")
    func inserted() throws {
        let (plan, diagnostics) = load(Self.sampled)
        let loaded = try #require(plan, "\(diagnostics.rendered())")
        #expect(
            PipelineGraph(loaded).text == """
                pipeline p

                spans-unkeyed (kafka)
                ├─ spans: spans ─▶ spans-by-trace (repartition)
                └─ rejected: rejects ─▶ dead (file_sink)

                spans (kafka)
                ├─ spans: spans ─▶ sample (tail_sampler)
                │  ├─ kept: traces ─▶ store (segments)
                │  └─ dropped: summaries, not read
                └─ rejected: rejects ─▶ dead (file_sink)

                """)
        let outer = try #require(loaded.stage(named: "spans-unkeyed")).settings
        let sink = try #require(loaded.stage(named: "spans-by-trace")).settings
        let inner = try #require(loaded.stage(named: "spans")).settings
        #expect(outer.string("topic") == "otlp")
        #expect(outer.string("encoding") == "otlp_json")
        #expect(outer.string("group") == "g")
        #expect(sink.string("topic") == "otlp.by-trace")
        #expect(inner.string("topic") == "otlp.by-trace")
        #expect(inner.string("group") == "g.by-trace")
        #expect(inner.string("keyed_by") == "repartition")
        #expect(inner.string("encoding") == "otlp_proto")
        #expect(inner.string("start") == "earliest")
        #expect(inner.size("max_record_bytes") == 8 << 20)
        #expect(inner.duration("session_timeout") == 10_000)
        for settings in [outer, sink, inner] {
            #expect(settings.string("brokers") == "b:9092")
            #expect(settings.value["options"]?["security.protocol"]?.scalar == "sasl_ssl")
        }
    }

    @Test("gets none where no sampler reads it: keys do not matter then")
    func notInserted() throws {
        let (plan, _) = load(
            """
              spans: { kind: kafka, topic: otlp, keyed_by: nothing }
              by-trace: { kind: repartition, from: spans, topic: otlp.by-trace }
            """)
        #expect(try #require(plan).stages.map(\.name) == ["spans", "by-trace"])
    }

    @Test("is refused where a name that the plan needs is taken")
    func nameTaken() {
        let (plan, diagnostics) = load(
            Self.sampled + "\n  spans-by-trace: { kind: discard, from: sample.dropped }")
        #expect(plan == nil)
        #expect(diagnostics.sorted.map(\.message).contains { $0.contains("\"spans-by-trace\"") })
    }
}
