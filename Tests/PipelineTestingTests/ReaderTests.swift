import Foundation
import Pipeline
import PipelineTesting
import Tailrace
import Testing

@Suite("The tests of a pipeline file, as they are read")
struct ReaderTests {
    init() throws { try Project.enter() }

    @Test(
        "a misspelt kind is one mistake, whatever the tests expect of the stage",
        arguments: ["kafka", "remote_sampling", "validate", "scrub", "tail_sampler", "indexer", "segments"])
    func misspeltKind(kind: String) throws {
        let text = try Project.text("pipelines/quickstart.yaml")
        let changed = text.replacingOccurrences(
            of: "kind: \(kind)\\b", with: "kind: \(kind)x", options: .regularExpression)
        #expect(changed != text)
        let (_, diagnostics) = PipelinePlan.load(text: changed, registry: .builtIn, environment: [:])
        let errors = diagnostics.all.filter { $0.severity == .error }.map(\.message)
        #expect(errors.count == 1 && errors[0].contains("unknown kind \"\(kind)x\""), "\(errors)")
    }

    @Test("an unknown key or step gives the nearest right name, with its place")
    func suggestions() {
        let found = Sample.mistakes(
            """
            - trace a: frontend error
            - advence: 10s
            - trac b: frontend
            - expect a: { decison: kept, polcy: errors }
            - expect a: { outputs: stor }
            - expect: { output: { store: [a] } }
            - expect: { outputs: { stoer: [a] } }
            - expect b: kept
            - expect a: kept after rot
            - expect a: droped
            - crashh
            """)
        #expect(
            found == [
                "18:9: error: test \"it\": unknown step \"advence\". Did you mean \"advance\"?",
                "19:9: error: test \"it\": unknown step \"trac b\". Did you mean \"trace\"?",
                "20:21: error: test \"it\": unknown key \"decison\". Did you mean \"decision\"?",
                "20:36: error: test \"it\": unknown key \"polcy\". Did you mean \"policy\"?",
                "21:30: error: test \"it\": outputs: no sink is called \"stor\". Did you mean \"store\"? Sinks: store, dead_letters",
                "22:19: error: test \"it\": unknown key \"output\". Did you mean \"outputs\"?",
                "23:30: error: test \"it\": outputs: no stage is called \"stoer\". Did you mean \"store\"? Stages: limits, scrub, sample, index, store, dead_letters",
                "24:16: error: test \"it\": no trace is called \"b\"; a step such as trace b: … must come before",
                "25:19: error: test \"it\": unknown trigger \"rot\". Did you mean \"root\"? Known: root, idle, max, limit, memory, shutdown",
                "26:19: error: test \"it\": expected kept, dropped, open or unseen, as in kept by errors; found \"droped\". Did you mean \"dropped\"?",
                "27:9: error: test \"it\": unknown step \"crashh\". Did you mean \"crash\"?",
            ])
    }

    @Test(
        "wrong values are refused with what was expected",
        arguments: [
            ("- advance: 10", "expected a duration such as 10s, found \"10\"; write 10s"),
            ("- advance: 500d", "is longer than a year"),
            ("- advance", "the step advance needs a value, for example advance: 10s"),
            ("- crash: now", "the step crash takes nothing"),
            ("- traces a: frontend", "say how many, for example 100 traces a"),
            ("- 0 traces a: frontend", "expected 1 to 1000000 traces"),
            ("- trace a b: frontend", "expected trace NAME; a name has letters"),
            ("- trace a:", "expected spans such as"),
            ("- record: { text: x, hex: 00 }", "expected one of spans, text or hex"),
            ("- record: { hex: 0 }", "expected pairs of hex digits, found \"0\""),
            ("- record: { text: x, source: span }", "no source is called \"span\". Did you mean \"spans\"?"),
            (
                "- record: { text: x, partition: 3 }",
                "there is no partition 3: the test has partitions: 1, counted from 0"
            ),
            ("- expect: kept", "expected a map, found \"kept\""),
            ("- expect: { outputs: { spans: 1 } }", "\"spans\" is a source; nothing reaches it"),
            ("- expect: { outputs: { store: lots } }", "no trace is called \"lots\""),
            ("- expect: { counters: { x: 7..5 } }", "expected a number or a range such as 5..10, found \"7..5\""),
            ("- expect: { counters: { 'x{y}': 1 } }", "expected a metric with labels as in name{label=\"value\"}"),
            ("- { trace a: x, trace b: x }", "a step has one key, found 2"), ("- []", "expected a step, found a list"),
        ])
    func wrongValues(step: String, message: String) {
        let found = Sample.mistakes(step + "\n- expect: { outputs: { store: 0 } }")
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }

    @Test("names, ids and partitions are checked")
    func options() {
        let steps = "- trace a: frontend\n- 2 traces many: frontend\n- expect a: open"
        func found(_ options: String) -> [String] { Sample.mistakes(steps, options: "    \(options)\n") }
        #expect(found("ids: { b: 00000000000000000000000000000001 }")[0].contains("no trace is called \"b\""))
        #expect(found("ids: { many: 00000000000000000000000000000001 }")[0].contains("stands for many traces"))
        #expect(found("ids: { a: 12 }")[0].contains("expected 32 hex digits that are not all 0, found \"12\""))
        #expect(found("ids: { a: 4bf92f3577b34da6a3ce929d0e0e4736 }") == [])
        #expect(found("partitions: 65")[0].contains("65 is out of range; expected 1 to 64"))
        #expect(found("partition: 6")[0].contains("Did you mean \"partitions\"?"))
    }

    @Test("two tests cannot share a name, and one that expects nothing is warned about")
    func names() {
        let test = "  - { name: x, steps: [{ trace a: frontend }] }\n"
        let messages = Sample.load(Sample.stages + "tests:\n" + test + test).diagnostics.sorted.map(\.message)
        #expect(messages.contains { $0.contains("the name is used twice; first at p.yaml:15:13") }, "\(messages)")
        #expect(messages.contains { $0.contains("expects nothing; add a step such as expect a: kept") })
    }

    @Test("a pipeline without a sampler, or with several, says what its tests must say")
    func samplers() {
        let none = """
            pipeline: p
            stages:
              spans: { kind: kafka, topic: t }
              out: { kind: file_sink, from: spans, path: x }

            """
        let text = Sample.text("- trace a: frontend\n- expect a: kept", stages: none)
        #expect(
            Sample.load(text).diagnostics.sorted.map(\.message) == [
                "test \"it\": the pipeline has no sampler, so nothing decides; expect outputs or spans"
            ])
    }

    @Test("tests are no part of a pipeline's configuration: with other tests no stage has changed")
    func configuration() throws {
        let before = try #require(Sample.load(Sample.stages).plan)
        let after = try #require(Sample.load(Sample.text("- trace a: frontend\n- expect a: open")).plan)
        #expect(before.configurationHash == after.configurationHash)
        #expect(PlanDifference(from: before, to: after).isEmpty)
    }

    @Test("the documentation lists every key and every step, and no other")
    func documented() throws {
        let text = try Project.text("docs/testing-pipelines.md")
        func keys(below heading: String) throws -> Set<String> {
            let section = try #require(text.components(separatedBy: "\n\(heading)\n").dropFirst().first)
            let body = section.components(separatedBy: "\n## ").first ?? ""
            let cells = body.split(separator: "\n").filter { $0.hasPrefix("| `") }
                .compactMap { $0.split(separator: "|").first }
            return Set(
                cells.flatMap { $0.split(separator: "`").filter { !$0.contains(" ") && !$0.contains(",") } }.map(
                    String.init))
        }
        #expect(try keys(below: "## A test") == Set(PipelineTestOptions.test.map(\.name)))
        #expect(try keys(below: "## What is expected of a trace") == Set(PipelineTestOptions.trace.map(\.name)))
        #expect(try keys(below: "## What is expected of the pipeline") == Set(PipelineTestOptions.overall.map(\.name)))
        for option in PipelineTestOptions.record { #expect(text.contains("| `\(option.name)` |"), "\(option.name)") }
        for (word, _) in PipelineTestOptions.steps {
            #expect(text.contains("`\(word)") || text.contains("N \(word)"), "\(word)")
        }
    }
}
