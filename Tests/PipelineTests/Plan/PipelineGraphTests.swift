import Pipeline
import Testing

@Suite("A pipeline can be drawn")
struct PipelineGraphTests {
    private func graph() throws -> PipelineGraph {
        let text = """
            pipeline: two-ways
            stages:
              end: { kind: kafka, topic: a }
              b: { kind: kafka, topic: b }
              sample: { kind: tail_sampler, from: [end, b] }
              index: { kind: indexer, from: sample }
              store: { kind: segments, from: index, path: d }
              copy: { kind: kafka_sink, from: [index, b.rejected], topic: c }
            """
        return PipelineGraph(try #require(load(text).plan))
    }

    @Test func asText() throws {
        #expect(
            try graph().text == """
                pipeline two-ways

                end (kafka)
                ├─ spans: spans ─▶ sample (tail_sampler)
                │  ├─ kept: traces ─▶ index (indexer)
                │  │  ├─ indexed: traces ─▶ store (segments)
                │  │  └─ indexed: traces ─▶ copy (kafka_sink)
                │  └─ dropped: summaries, not read
                └─ rejected: rejects, not read

                b (kafka)
                ├─ spans: spans ─▶ sample (tail_sampler), see above
                └─ rejected: rejects ─▶ copy (kafka_sink)

                """)
    }

    @Test func asDot() throws {
        #expect(
            try graph().dot == #"""
                digraph "two-ways" {
                  rankdir=LR;
                  node [shape=box, style=rounded, fontname="sans-serif"];
                  edge [fontname="sans-serif", fontsize=10];
                  "end" [label="end\nkafka", shape=cds];
                  "b" [label="b\nkafka", shape=cds];
                  "sample" [label="sample\ntail_sampler", shape=diamond];
                  "index" [label="index\nindexer"];
                  "store" [label="store\nsegments", shape=cylinder];
                  "copy" [label="copy\nkafka_sink", shape=cylinder];
                  "end" -> "sample" [label="spans\nspans"];
                  "b" -> "sample" [label="spans\nspans"];
                  "b" -> "copy" [label="rejected\nrejects", style=dashed];
                  "sample" -> "index" [label="kept\ntraces"];
                  "index" -> "store" [label="indexed\ntraces"];
                  "index" -> "copy" [label="indexed\ntraces"];
                }

                """#)
    }

    @Test func asMermaid() throws {
        #expect(
            try graph().mermaid == """
                flowchart LR
                  s0(["end<br/><i>kafka</i>"])
                  s1(["b<br/><i>kafka</i>"])
                  s2{{"sample<br/><i>tail_sampler</i>"}}
                  s3["index<br/><i>indexer</i>"]
                  s4[("store<br/><i>segments</i>")]
                  s5[("copy<br/><i>kafka_sink</i>")]
                  s0 -->|"spans: spans"| s2
                  s1 -->|"spans: spans"| s2
                  s1 -.->|"rejected: rejects"| s5
                  s2 -->|"kept: traces"| s3
                  s3 -->|"indexed: traces"| s4
                  s3 -->|"indexed: traces"| s5

                """)
    }
}
