import OTLP
import Pipeline
import Testing
import TraceModel
import TraceQL

@testable import Sampling

@Suite("A TraceQL policy keeps the traces in which its query finds something")
struct TraceQLPolicyTests {
    private func policy(_ query: String) throws -> TraceQLPolicy {
        TraceQLPolicy(name: "q", query: try TraceQLQuery.checked(query).get())
    }

    /// The traces that are kept of three: 1 has an error in a child, 2 is slow, 3 has a pay span below a shop span.
    private func kept(_ query: String) throws -> [UInt64] {
        let driver = SamplerDriver(policies: [try policy(query)])
        var failing = SentSpan(trace: 1, id: 2)
        failing.isError = true
        var slow = SentSpan.root(2)
        slow.duration = 5000
        var paying = SentSpan(trace: 3, id: 2)
        paying.service = "pay"
        try driver.send([.root(1), .root(3)], at: 1000)
        try driver.send([failing, slow, paying], at: 2000)
        driver.closeAll()
        #expect(driver.decisions.count == 3)
        return (1...3).filter { driver.decision(of: $0)?.isKept == true }
    }

    @Test(
        "span by span",
        arguments: [
            ("{ status = error }", [1]), ("{ duration > 1s }", [2]), ("{ resource.service.name = \"pay\" }", [3]),
            ("{ }", [1, 2, 3]), ("{ false }", []), ("{ status = error } || { duration > 1s }", [1, 2]),
            ("{ resource.service.name = \"pay\" } && { resource.service.name = \"shop\" }", [3]),
            ("{ resource.service.name = \"pay\" && resource.service.name = \"shop\" }", []),
            ("{ parent != nil } | { status = error }", [1]), ("{ .missing = nil }", [1, 2, 3]),
        ] as [(String, [UInt64])])
    func perSpan(_ query: String, _ expected: [UInt64]) throws {
        #expect(try !policy(query).needsWholeTrace)
        #expect(try kept(query) == expected)
    }

    @Test(
        "on the whole trace",
        arguments: [
            ("{ } | count() > 1", [1, 3]), ("{ } > { status = error }", [1]), ("{ trace:duration > 3s }", [2]),
            ("{ resource.service.name = \"shop\" } > { resource.service.name = \"pay\" }", [3]),
            ("{ } | by(resource.service.name) | count() = 2", [1]), ("{ childCount > 0 }", [1, 3]),
            ("{ } | max(duration) > 1s", [2]),
        ] as [(String, [UInt64])])
    func wholeTrace(_ query: String, _ expected: [UInt64]) throws {
        #expect(try policy(query).needsWholeTrace)
        #expect(try kept(query) == expected)
    }

    @Test("a span that came twice counts once")
    func duplicates() throws {
        let driver = SamplerDriver(policies: [try policy("{ } | count() > 2")])
        try driver.send([.root(1), SentSpan(trace: 1, id: 2)], at: 1000)
        try driver.send([.root(1), SentSpan(trace: 1, id: 2)], at: 1500)
        driver.closeAll()
        #expect(driver.decision(of: 1)?.isKept == false)
    }

    private func keptSpans(_ lines: String) throws -> Int {
        let (settings, policies) = try TestPipeline.sampler(lines)
        let driver = SamplerDriver(settings, policies: policies)
        try driver.send([.root(1)], at: 1000)
        driver.closeAll()
        return driver.kept.count
    }

    @Test("the query stands beside the type, or in a block")
    func forms() throws {
        #expect(try keptSpans("policies:\n  - { name: a, type: traceql, query: '{ kind = internal }' }") == 1)
        #expect(
            try keptSpans("policies:\n  - { name: a, type: traceql, traceql: { query: '{ kind = server }' } }") == 0)
        #expect(
            try keptSpans(
                "policies:\n  - name: a\n    type: traceql\n    query: |\n      { kind = internal }\n      | { true }")
                == 1)
    }

    @Test(
        "a mistake is reported where it stands in the file",
        arguments: [
            (
                "policies:\n  - { name: a, type: traceql, query: '{ durration > 1s }' }",
                "p.yaml:8:45: error: policy \"a\": query: unknown name \"durration\"", "Did you mean \"duration\"?"
            ),
            (
                "policies:\n  - name: a\n    type: traceql\n    query: \"{ .a == 1 }\"",
                "p.yaml:10:22: error: policy \"a\": query: unknown operator \"==\"", "Did you mean \"=\"?"
            ),
            (
                "policies:\n  - name: a\n    type: traceql\n    query: |\n      { .a = 1 }\n        | cuont() > 2",
                "p.yaml:12:15: error: policy \"a\": query: unknown function \"cuont\"", "Did you mean \"count\"?"
            ),
            (
                "policies:\n  - name: a\n    type: traceql\n    query: \"{ .a = \\\"x\\\" && nam = 1 }\"",
                "p.yaml:10:33: error: policy \"a\": query: unknown name \"nam\"",
                "Did you mean \"name\"?"
            ),
            (
                "policies:\n  - { name: a, type: traceql, query: '{ } | rate()' }",
                "p.yaml:8:49: error: policy \"a\": query: rate() is computed from many traces",
                "needs a query for spans"
            ),
            (
                "policies:\n  - { name: a, type: traceql, query: '{ status }' }",
                "p.yaml:8:45: error: policy \"a\": query: { } needs a condition that is true or false",
                "status is a status"
            ),
            ("policies:\n  - { name: a, type: traceql }", "p.yaml:8:", "query"),
            (
                "policies:\n  - { name: a, type: traceql, qery: '{ }' }", "unknown key \"qery\"",
                "Did you mean \"query\"?"
            ),
        ])
    func mistakes(_ lines: String, _ start: String, _ rest: String) {
        let messages = TestPipeline.messages(lines)
        #expect(messages.count == 1, "\(messages)")
        #expect(messages.first?.contains(start) == true && messages.first?.contains(rest) == true, "\(messages)")
    }

    @Test("people are told how a query is evaluated")
    func explanation() throws {
        let lines = """
            policies:
              - { name: a, type: traceql, query: '{ status = error } && { kind = server }' }
              - { name: b, type: traceql, query: '{ } | count() > 3' }
              - { name: c, type: latency, latency: { threshold_ms: 5 } }
            """
        let plan = try #require(TestPipeline.load(lines).plan)
        let settings = try #require(plan.stage(named: "sample")).settings
        #expect(
            PolicyExplanation.lines(of: settings) == [
                "a: per span, as spans arrive: 2 conditions",
                "b: on the whole trace at its decision: it compares an aggregate",
                "c: at the decision, from what the window has counted",
            ])
    }

    @Test("all mistakes of a query are reported at once")
    func several() {
        let messages = TestPipeline.messages(
            "policies:\n  - { name: a, type: traceql, query: '{ status > ok && 1 = name }' }")
        #expect(messages.count == 2, "\(messages)")
    }
}
