/// Mistakes in options: each file with all that is said about it.
extension Mistake {
    static let option: [Mistake] = [
        Mistake(
            "an unknown key, with the nearest one",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topik: t, colour: red }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:3:22: error: stage "in": unknown key "topik". Did you mean "topic"?
                p.yaml:3:32: error: stage "in": unknown key "colour"; known keys: topic, group, brokers, encoding
                """#),
        Mistake(
            "a key of a kind without options",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: discard, from: in, path: d }

            """#,
            says: #"""
                p.yaml:4:35: error: stage "out": unknown key "path"; kind discard has no options
                """#),
        Mistake(
            "a missing key",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:3:3: error: stage "in": kind kafka needs the key "topic": the topic to read
                """#),
        Mistake(
            "text that is a list or nothing",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: [a], group: , brokers: { a: b } }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:3:29: error: stage "in": topic: expected text, found a list
                p.yaml:3:34: error: stage "in": group: expected text, found nothing
                p.yaml:3:52: error: stage "in": brokers: expected a list, found a map
                """#),
        Mistake(
            "truths",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              limits: { kind: validate, from: in, strict: maybe }
              out: { kind: discard, from: limits }

            """#,
            says: #"""
                p.yaml:4:47: error: stage "limits": strict: expected true or false, found "maybe"
                """#),
        Mistake(
            "whole numbers",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              limits: { kind: validate, from: in, max_attributes: many, max_key_length: 0, max_value_length: 5000 }
              out: { kind: discard, from: limits }

            """#,
            says: #"""
                p.yaml:4:55: error: stage "limits": max_attributes: expected a whole number, found "many"
                p.yaml:4:77: error: stage "limits": max_key_length: 0 is out of range; expected at least 1
                p.yaml:4:98: error: stage "limits": max_value_length: 5000 is out of range; expected at most 4096
                """#),
        Mistake(
            "a whole number with a fraction and one that is too large",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              limits: { kind: validate, from: in, max_attributes: 1.5, max_key_length: 99999999999999999999 }
              out: { kind: discard, from: limits }

            """#,
            says: #"""
                p.yaml:4:55: error: stage "limits": max_attributes: expected a whole number, found "1.5"
                p.yaml:4:76: error: stage "limits": max_key_length: 99999999999999999999 is out of range; expected at least 1
                """#),
        Mistake(
            "numbers out of range",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              limits: { kind: validate, from: in, ratio: 1.5 }
              out: { kind: discard, from: limits }

            """#,
            says: #"""
                p.yaml:4:46: error: stage "limits": ratio: 1.5 is out of range; expected 0 to 1
                """#),
        Mistake(
            "numbers that are none",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              limits: { kind: validate, from: in, ratio: nan, max_attributes: 2000 }
              out: { kind: discard, from: limits }

            """#,
            says: #"""
                p.yaml:4:46: error: stage "limits": ratio: nan is out of range; expected 0 to 1
                p.yaml:4:67: error: stage "limits": max_attributes: 2000 is out of range; expected 1 to 1000
                """#),
        Mistake(
            "durations without units",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample:
                kind: tail_sampler
                from: in
                window: { max: 10, settle: 10sec, idle: 5 Minutes }
              store: { kind: segments, from: sample, path: d }

            """#,
            says: #"""
                p.yaml:7:20: error: stage "sample": window.max: 10 has no unit; write 10s
                p.yaml:7:32: error: stage "sample": window.settle: expected a duration such as 500ms, 10s or 1m30s, found "10sec"; write 10s
                p.yaml:7:45: error: stage "sample": window.idle: expected a duration such as 500ms, 10s or 1m30s, found "5 Minutes"; write 5m
                """#),
        Mistake(
            "durations that are none",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample:
                kind: tail_sampler
                from: in
                window: { max: soon, settle: -5s, idle: [] }
              store: { kind: segments, from: sample, path: d }

            """#,
            says: #"""
                p.yaml:7:20: error: stage "sample": window.max: expected a duration such as 500ms, 10s or 1m30s, found "soon"
                p.yaml:7:34: error: stage "sample": window.settle: expected a duration such as 500ms, 10s or 1m30s, found "-5s"
                p.yaml:7:45: error: stage "sample": window.idle: expected a duration such as 500ms, 10s or 1m30s, found a list
                """#),
        Mistake(
            "sizes without units",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample:
                kind: tail_sampler
                from: in
                window: { max_bytes: 4096 }
                limits:
                  - { service: a, bytes: 10M }
                  - { service: b, bytes: big }
              store: { kind: segments, from: sample, path: d }

            """#,
            says: #"""
                p.yaml:7:26: error: stage "sample": window.max_bytes: 4096 has no unit; write 4096B
                p.yaml:9:30: error: stage "sample": limits[0].bytes: expected a size such as 512B, 64KiB or 2GiB, found "10M"; write 10MiB
                p.yaml:10:30: error: stage "sample": limits[1].bytes: expected a size such as 512B, 64KiB or 2GiB, found "big"
                """#),
        Mistake(
            "an enumeration, with the nearest value",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample:
                kind: tail_sampler
                from: in
                window: { buffer: memry }
              store: { kind: segments, from: sample, path: d }

            """#,
            says: #"""
                p.yaml:7:23: error: stage "sample": window.buffer: unknown value "memry". Did you mean "memory"? Allowed: memory, disk
                """#),
        Mistake(
            "an enumeration like no other",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t, encoding: avro }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:3:42: error: stage "in": encoding: unknown value "avro". Allowed: otlp_proto, otlp_json
                """#),
        Mistake(
            "objects and lists of objects",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample:
                kind: tail_sampler
                from: in
                window: 30s
                limits: [10MiB, { byts: 1B }]
                labels: { a: 1, b: ten, c: 10 }
              store: { kind: segments, from: sample, path: d }

            """#,
            says: #"""
                p.yaml:7:13: error: stage "sample": window: expected a map, found "30s"
                p.yaml:8:14: error: stage "sample": limits[0]: expected a map, found "10MiB"
                p.yaml:8:21: error: stage "sample": limits[1]: missing key "service": whom it limits
                p.yaml:8:23: error: stage "sample": limits[1]: unknown key "byts". Did you mean "bytes"?
                p.yaml:9:24: error: stage "sample": labels.b: expected a whole number, found "ten"
                p.yaml:9:32: error: stage "sample": labels.c: 10 is out of range; expected 0 to 9
                """#),
        Mistake(
            "maps and lists that are text",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample:
                kind: tail_sampler
                from: in
                limits: none
                labels: [1]
              store: { kind: segments, from: sample, path: d }

            """#,
            says: #"""
                p.yaml:7:13: error: stage "sample": limits: expected a list of maps, found "none"
                p.yaml:8:13: error: stage "sample": labels: expected a map, found a list
                """#),
        Mistake(
            "what the kind itself checks",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              sample:
                kind: tail_sampler
                from: in
                policies:
                  - { name: a }
                  - { name: b, type: x }
                  - { name: c }
              store: { kind: segments, from: sample, path: d }

            """#,
            says: #"""
                p.yaml:8:9: error: stage "sample": policies: missing key "type"
                p.yaml:10:9: error: stage "sample": policies: missing key "type"
                """#),
    ]

    static let environment: [Mistake] = [
        Mistake(
            "variables that are not set",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: ${TOPIC}, group: "a-${GROUP:-g}-${GRUOP}", encoding: ${ENCODING} }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:3:29: error: environment variable TOPIC is not set; set it, or write ${TOPIC:-default}
                p.yaml:3:61: error: environment variable GRUOP is not set; set it, or write ${GRUOP:-default}. Did you mean "GROUP"?
                p.yaml:3:82: error: environment variable ENCODING is not set; set it, or write ${ENCODING:-default}
                """#),
        Mistake(
            "variables with mistakes of form",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: "${}", group: '${1}', brokers: ['${OPEN', "$${OK} ${A:-${B}}"] }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:3:30: error: expected ${NAME} or ${NAME:-default}, found ${}; write $${ for the text ${
                p.yaml:3:44: error: expected ${NAME} or ${NAME:-default}, found ${1}; write $${ for the text ${
                p.yaml:3:62: error: "${" has no closing "}"; write $${ for the text ${
                p.yaml:3:79: error: the default of ${A} cannot contain another variable
                """#),
        Mistake(
            "a variable in a block of text",
            #"""
            pipeline: p
            stages:
              in:
                kind: kafka
                topic: |
                  line
                  and $${x} and ${TOPIC}
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:7:21: error: environment variable TOPIC is not set; set it, or write ${TOPIC:-default}
                """#),
        Mistake(
            "a wrong value of a variable",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              limits: { kind: validate, from: in, max_attributes: ${MANY} }
              out: { kind: discard, from: limits }

            """#,
            says: #"""
                p.yaml:4:55: error: stage "limits": max_attributes: expected a whole number, found "many"
                """#),
    ]
}
