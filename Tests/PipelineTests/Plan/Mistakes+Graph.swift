/// Mistakes of the whole: each file with all that is said about it.
extension Mistake {
    static let graph: [Mistake] = [
        Mistake(
            "a cycle",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              a: { kind: scrub, from: [in, b] }
              b: { kind: scrub, from: a }
              out: { kind: discard, from: b }

            """#,
            says: #"""
                p.yaml:4:32: error: the stages form a cycle: a → b → a
                """#),
        Mistake(
            "a stage that reads itself",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              a: { kind: scrub, from: [in, a] }
              out: { kind: discard, from: a }

            """#,
            says: #"""
                p.yaml:4:32: error: the stages form a cycle: a → a
                """#),
        Mistake(
            "two cycles and what hangs on one",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: kafka_sink, from: in, topic: t }
              a: { kind: scrub, from: b }
              b: { kind: scrub, from: a }
              c: { kind: scrub, from: e }
              d: { kind: scrub, from: c }
              e: { kind: scrub, from: d }
              below: { kind: discard, from: e }

            """#,
            says: #"""
                p.yaml:5:27: error: the stages form a cycle: a → b → a
                p.yaml:7:27: error: the stages form a cycle: c → d → e → c
                p.yaml:10:3: error: stage "below" is unreachable: no path leads to it from a source
                """#),
        Mistake(
            "a main port that nobody reads",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample: { kind: tail_sampler, from: in }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:4:3: error: nothing reads sample.kept: add a sink for traces (kafka_sink, segments), or discard
                """#),
        Mistake(
            "no source",
            #"""
            pipeline: p
            stages:
              out: { kind: discard, from: scrub }
              scrub: { kind: scrub, from: scrub }

            """#,
            says: #"""
                p.yaml:2:1: error: the pipeline has no source; add a stage of kind kafka
                p.yaml:3:3: error: stage "out" is unreachable: no path leads to it from a source
                p.yaml:4:31: error: the stages form a cycle: scrub → scrub
                """#),
        Mistake(
            "no sink",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }

            """#,
            says: #"""
                p.yaml:3:3: error: nothing reads in.spans: add a sink for spans (kafka_sink), or discard
                """#),
        Mistake(
            "paths that are scrubbed differently",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              scrub: { kind: scrub, from: in }
              check: { kind: validate, from: in }
              sample: { kind: tail_sampler, from: [scrub, check] }
              store: { kind: segments, from: sample, path: d }

            """#,
            says: #"""
                p.yaml:6:47: error: stage "sample": its inputs are scrubbed differently: in → scrub → sample passes scrub, in → check → sample passes no scrubber; all paths into a stage must pass the same scrubbers in the same order
                """#),
        Mistake(
            "paths that are scrubbed in another order",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              a1: { kind: scrub, from: in }
              b1: { kind: scrub, from: a1 }
              b2: { kind: scrub, from: in }
              a2: { kind: scrub, from: b2 }
              out: { kind: discard, from: [b1, a2] }

            """#,
            says: #"""
                p.yaml:8:36: error: stage "out": its inputs are scrubbed differently: in → a1 → b1 → out passes a1, b1, in → b2 → a2 → out passes b2, a2; all paths into a stage must pass the same scrubbers in the same order
                """#),
    ]

    static let many: [Mistake] = [
        Mistake(
            "mistakes of all kinds at once",
            #"""
            pipeline: a b
            stages:
              spans: { kind: kafak, topic: t }
              limits: { kind: validate, from: span, max_attributes: lots }
              scrub: { kind: scrub, from: limits.valyd }
              sample:
                kind: tail_sampler
                from: scrub
                window: { max: 10, settel: 1s }
              store: { kind: segments, from: scrub }
              rejects: { kind: kafka_sink, from: [limits.rejected, store], topic: t }
            stage: {}

            """#,
            says: #"""
                p.yaml:1:11: error: pipeline name "a b" may have letters, digits, "-" and "_" only
                p.yaml:3:18: error: stage "spans": unknown kind "kafak". Did you mean "kafka"? Known kinds: discard, filter, indexer, kafka, kafka_sink, scrub, segments, tail_sampler, validate
                p.yaml:4:35: error: stage "limits": from: unknown stage "span". Did you mean "spans"?
                p.yaml:4:57: error: stage "limits": max_attributes: expected a whole number, found "lots"
                p.yaml:5:31: error: stage "scrub": from: stage "limits" has no port "valyd". Did you mean "valid"? Its ports: valid, rejected
                p.yaml:6:3: error: nothing reads sample.kept: add a sink for traces (kafka_sink, segments), or discard
                p.yaml:9:20: error: stage "sample": window.max: 10 has no unit; write 10s
                p.yaml:9:24: error: stage "sample": window: unknown key "settel". Did you mean "settle"?
                p.yaml:10:3: error: stage "store": kind segments needs the key "path": the directory of the store
                p.yaml:10:34: error: stage "store": from: scrub.scrubbed gives spans, but kind segments takes traces; a stage of kind tail_sampler between them would fit
                p.yaml:11:56: error: stage "rejects": from: "store" is a sink of kind segments, and has no outputs to read
                p.yaml:12:1: error: unknown key "stage". Did you mean "stages"?
                """#)
    ]
}
