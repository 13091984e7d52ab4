/// Mistakes in stages and edges: each file with all that is said about it.
extension Mistake {
    static let stage: [Mistake] = [
        Mistake(
            "stage names with forbidden characters",
            #"""
            pipeline: p
            stages:
              in.put: { kind: kafka, topic: t }
              "o ut": { kind: discard, from: in }

            """#,
            says: #"""
                p.yaml:3:3: error: stage name "in.put" may have letters, digits, "-" and "_" only; a dot separates stage and port in "from"
                p.yaml:4:3: error: stage name "o ut" may have letters, digits, "-" and "_" only
                p.yaml:4:34: error: stage "o ut": from: unknown stage "in"; known stages: in.put
                """#),
        Mistake(
            "a stage that is text",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: discard

            """#,
            says: #"""
                p.yaml:4:3: error: stage "out": expected a map with kind and options, found "discard"
                """#),
        Mistake(
            "a missing kind",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { from: in }

            """#,
            says: #"""
                p.yaml:4:3: error: stage "out": missing key "kind". Known kinds: discard, filter, indexer, kafka, kafka_sink, scrub, segments, tail_sampler, validate
                """#),
        Mistake(
            "an unknown kind, with the nearest one",
            #"""
            pipeline: p
            stages:
              in: { kind: kafak, topic: t }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:3:15: error: stage "in": unknown kind "kafak". Did you mean "kafka"? Known kinds: discard, filter, indexer, kafka, kafka_sink, scrub, segments, tail_sampler, validate
                """#),
        Mistake(
            "an unknown kind like no other",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: elasticsearch, from: in }

            """#,
            says: #"""
                p.yaml:4:16: error: stage "out": unknown kind "elasticsearch". Known kinds: discard, filter, indexer, kafka, kafka_sink, scrub, segments, tail_sampler, validate
                """#),
        Mistake(
            "a kind that is a list",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: [a], from: in }

            """#,
            says: #"""
                p.yaml:4:16: error: stage "out": kind: expected text, found a list
                """#),
        Mistake(
            "a missing from",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: discard }

            """#,
            says: #"""
                p.yaml:4:3: error: stage "out": missing key "from": the stage it reads from
                """#),
        Mistake(
            "a misspelt from",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: discard, form: in }

            """#,
            says: #"""
                p.yaml:4:25: error: stage "out": unknown key "form". Did you mean "from"?
                """#),
        Mistake(
            "from on a source",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              more: { kind: kafka, topic: t, from: in }
              out: { kind: discard, from: [in, more] }

            """#,
            says: #"""
                p.yaml:4:34: error: stage "more": kind kafka is a source and reads from no stage; remove "from"
                """#),
        Mistake(
            "from that is empty",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: discard, from: [] }
              other: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:4:31: error: stage "out": from: expected at least one stage, found none
                """#),
        Mistake(
            "from that is a map",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: discard, from: { a: b } }
              none: { kind: discard, from: }
              odd: { kind: discard, from: [.x, y., in] }

            """#,
            says: #"""
                p.yaml:4:31: error: stage "out": from: expected stage, stage.port or a list of these, found a map
                p.yaml:5:26: error: stage "none": from: expected stage, stage.port or a list of these, found nothing
                p.yaml:6:32: error: stage "odd": from: expected stage, stage.port or a list of these, found ".x"
                p.yaml:6:36: error: stage "odd": from: expected stage, stage.port or a list of these, found "y."
                """#),
    ]

    static let edge: [Mistake] = [
        Mistake(
            "an unknown stage, with the nearest one",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample: { kind: tail_sampler, from: in }
              store: { kind: segments, from: sampel, path: d }

            """#,
            says: #"""
                p.yaml:5:34: error: stage "store": from: unknown stage "sampel". Did you mean "sample"?
                """#),
        Mistake(
            "an unknown stage like no other",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: kafka_sink, from: in, topic: t }
              more: { kind: discard, from: elsewhere }

            """#,
            says: #"""
                p.yaml:5:32: error: stage "more": from: unknown stage "elsewhere"; known stages: in
                """#),
        Mistake(
            "an unknown port",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample: { kind: tail_sampler, from: in }
              store: { kind: segments, from: sample.keept, path: d }

            """#,
            says: #"""
                p.yaml:5:34: error: stage "store": from: stage "sample" has no port "keept". Did you mean "kept"? Its ports: kept, dropped
                """#),
        Mistake(
            "the same port twice",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: discard, from: [in, in.rejected, in.spans] }

            """#,
            says: #"""
                p.yaml:4:49: error: stage "out": reads in.spans twice
                """#),
        Mistake(
            "reading from a sink",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: kafka_sink, from: in, topic: t }
              more: { kind: discard, from: out }

            """#,
            says: #"""
                p.yaml:5:32: error: stage "more": from: "out" is a sink of kind kafka_sink, and has no outputs to read
                """#),
        Mistake(
            "spans where traces are taken",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              store: { kind: segments, from: in, path: d }

            """#,
            says: #"""
                p.yaml:4:34: error: stage "store": from: in.spans gives spans, but kind segments takes traces; a stage of kind tail_sampler between them would fit
                """#),
        Mistake(
            "summaries where none are taken",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample: { kind: tail_sampler, from: in }
              store: { kind: segments, from: sample, path: d }
              more: { kind: indexer, from: sample.dropped }
              end: { kind: discard, from: more }

            """#,
            says: #"""
                p.yaml:6:32: error: stage "more": from: sample.dropped gives summaries, but kind indexer takes traces; kinds that take summaries: discard
                """#),
        Mistake(
            "traces where spans are taken",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample: { kind: tail_sampler, from: in }
              store: { kind: segments, from: sample, path: d }
              again: { kind: scrub, from: sample }
              end: { kind: discard, from: again }

            """#,
            says: #"""
                p.yaml:6:31: error: stage "again": from: sample.kept gives traces, but kind scrub takes spans; kinds that take traces: discard, indexer, kafka_sink, segments
                """#),
    ]
}
