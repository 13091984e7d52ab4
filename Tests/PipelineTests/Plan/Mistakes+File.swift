/// Mistakes of form: each file with all that is said about it.
extension Mistake {
    static let file: [Mistake] = [
        Mistake(
            "an empty file",
            "",
            says: #"""
                p.yaml:1:1: error: the file is empty; expected the keys pipeline and stages
                """#),
        Mistake(
            "a file of comments only",
            #"""
            # nothing

            """#,
            says: #"""
                p.yaml:1:1: error: the file is empty; expected the keys pipeline and stages
                """#),
        Mistake(
            "a file that is a list",
            #"""
            - a
            - b

            """#,
            says: #"""
                p.yaml:1:1: error: expected a map with the keys pipeline and stages, found a list
                """#),
        Mistake(
            "unknown top-level keys",
            #"""
            pipelin: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: kafka_sink, from: in, topic: t }
            extra: 1

            """#,
            says: #"""
                p.yaml:1:1: error: unknown key "pipelin". Did you mean "pipeline"?
                p.yaml:5:1: error: unknown key "extra"; known keys: pipeline, stages, tests
                """#),
        Mistake(
            "a place for anchors is no unknown key",
            #"""
            x-defaults: &d { kind: kafka }
            pipeline: p
            stages:
              in: { <<: *d, topic: t }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: ""),
        Mistake(
            "a missing name and missing stages",
            #"""
            tests: []

            """#,
            says: #"""
                p.yaml:1:1: error: missing key "pipeline": the name of the pipeline
                p.yaml:1:1: error: missing key "stages": the stages of the pipeline by name
                """#),
        Mistake(
            "misspelt stages",
            #"""
            pipeline: p
            stagess: {}

            """#,
            says: #"""
                p.yaml:2:1: error: unknown key "stagess". Did you mean "stages"?
                """#),
        Mistake(
            "a pipeline name with a space",
            #"""
            pipeline: my pipeline
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:1:11: error: pipeline name "my pipeline" may have letters, digits, "-" and "_" only
                """#),
        Mistake(
            "stages that are a list",
            #"""
            pipeline: p
            stages:
              - a

            """#,
            says: #"""
                p.yaml:3:3: error: stages: expected a map of stages, for example spans: { kind: kafka }, found a list
                """#),
        Mistake(
            "stages that are empty",
            #"""
            pipeline: p
            stages:

            """#,
            says: #"""
                p.yaml:2:1: error: stages: expected a map of stages, for example spans: { kind: kafka }, found nothing
                """#),
        Mistake(
            "two documents",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: kafka_sink, from: in, topic: t }
            ---
            a: b

            """#,
            says: #"""
                p.yaml:5:1: error: expected one document, found another
                """#),
    ]

    static let yaml: [Mistake] = [
        Mistake(
            "a missing bracket",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: [a, b }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:3:35: error: expected "," or "]" (the list starts at line 3, column 29)
                """#),
        Mistake(
            "a missing brace at the end",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: t }
              out: { kind: discard, from: in

            """#,
            says: #"""
                p.yaml:5:1: error: expected "," or "}" (the map starts at line 4, column 8)
                """#),
        Mistake(
            "a key without a colon",
            #"""
            pipeline: p
            stages:
              in:
                kind: kafka
                topic
                group: g

            """#,
            says: #"""
                p.yaml:6:5: error: expected ":" after the key (the key starts at line 5, column 5)
                """#),
        Mistake(
            "a key at the wrong depth",
            #"""
            pipeline: p
            stages:
              in:
                kind: kafka
               topic: t

            """#,
            says: #"""
                p.yaml:5:4: error: expected a key, or the end of the map (the map starts at line 3, column 3)
                """#),
        Mistake(
            "a tab as indentation",
            #"""
            pipeline: p
            stages:
              in:
            \#tkind: kafka

            """#,
            says: #"""
                p.yaml:4:1: error: found a tab where spaces are expected: YAML is indented with spaces
                """#),
        Mistake(
            "a value with a colon",
            #"""
            pipeline: p
            stages:
              in: kind: kafka

            """#,
            says: #"""
                p.yaml:3:11: error: found ":" where no key is expected; indent the key like its neighbours, or quote a value with ": "
                """#),
        Mistake(
            "a quote that never ends",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: "abc }

            """#,
            says: #"""
                p.yaml:4:1: error: expected the closing quote, found the end of the file (the quoted text starts at line 3, column 29)
                """#),
        Mistake(
            "an unknown alias",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: *topic }

            """#,
            says: #"""
                p.yaml:3:29: error: unknown alias "*topic"; expected an anchor "&topic" above
                """#),
        Mistake(
            "an unknown escape",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: "a\dc" }

            """#,
            says: #"""
                p.yaml:3:31: error: unknown escape; write \\ for a backslash, or use single quotes
                """#),
        Mistake(
            "a value that starts with an at sign",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: @x }

            """#,
            says: #"""
                p.yaml:3:29: error: a value cannot start with "@"; put it in quotes
                """#),
        Mistake(
            "a control character",
            #"""
            pipeline: p
            stages:
              in: { kind: kafka, topic: "a\#u{7}" }

            """#,
            says: #"""
                p.yaml:3:31: error: control character U+0007 is not allowed in YAML
                """#),
        Mistake(
            "duplicate keys, all of them, with both places",
            #"""
            pipeline: p
            pipeline: q
            stages:
              in: { kind: kafka, topic: t, topic: u, topic: v }
              out: { kind: discard, from: in }
              out: { kind: discard, from: in, 'from': in }

            """#,
            says: #"""
                p.yaml:2:1: error: duplicate key "pipeline"; it is already at p.yaml:1:1
                p.yaml:4:32: error: duplicate key "topic"; it is already at p.yaml:4:22
                p.yaml:4:42: error: duplicate key "topic"; it is already at p.yaml:4:22
                p.yaml:6:3: error: duplicate key "out"; it is already at p.yaml:5:3
                p.yaml:6:35: error: duplicate key "from"; it is already at p.yaml:6:25
                """#),
        Mistake(
            "a duplicate key and a mistake of form",
            #"""
            pipeline: p
            pipeline: q
            stages:
              in: { kind: kafka, topic: t, topic: u }
              out: [

            """#,
            says: #"""
                p.yaml:4:22: error: duplicate key "topic"
                p.yaml:6:1: error: expected a value
                """#),
        Mistake(
            "a key that is a list",
            #"""
            pipeline: p
            stages:
              ? [a, b]
              : { kind: discard }
              in: { kind: kafka, topic: t }
              out: { kind: kafka_sink, from: in, topic: t }

            """#,
            says: #"""
                p.yaml:3:5: error: expected a key that is text
                """#),
        Mistake(
            "merging what is no map",
            #"""
            x-a: &a text
            pipeline: p
            stages:
              in: { <<: *a, kind: kafka, topic: t }
              out: { <<: [*a], kind: discard, from: in }

            """#,
            says: #"""
                p.yaml:1:6: error: "<<" takes a map, an alias of one, or a list of these; found "text"
                p.yaml:1:6: error: "<<" merges maps, found "text"
                """#),
    ]
}
