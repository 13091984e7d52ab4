import OTLP
import Pipeline
import Testing
import TraceModel

@testable import Sampling

/// What kept spans say of their sampling when they leave.
struct AnnotationTests {
    private func spans(_ run: PolicyRun) throws -> [Span] {
        run.driver.closeAll()
        return try run.driver.storedSpans().map(\.span)
    }

    @Test("the root names the policy, every span has the threshold in its tracestate")
    func annotated() throws {
        let run = try PolicyRun(
            policy: "{ name: half, type: probabilistic, probabilistic: { sampling_percentage: 50 } }")
        // Kept at 50 percent: a hash below the middle.
        let policy = ProbabilisticPolicy(name: "half", percentage: 50, salt: "")
        let number = try #require(
            (1...100).first { policy.hash(of: TestSpans.traceID(UInt64($0))) <= UInt64.max / 2 }.map { UInt64($0) })
        try run.send(number, [Attribute("k", .string("v"))])
        try run.send(number, parent: 1, state: "vendor=x,other=y")
        let sent = try spans(run)
        #expect(sent.count == 2)
        let root = try #require(sent.first { $0.parentSpanID.isZero })
        let child = try #require(sent.first { !$0.parentSpanID.isZero })
        #expect(root.attributes == [Attribute("k", .string("v")), Attribute("tailrace.policy", .string("half"))])
        #expect(root.traceState == "ot=th:8")
        #expect(child.attributes.isEmpty && child.traceState == "ot=th:8,vendor=x,other=y")
    }

    @Test("annotate: false leaves spans as they came")
    func switchedOff() throws {
        let run = try PolicyRun("annotate: false\npolicies: [{ name: all, type: always_sample }]")
        try run.send(1, [Attribute("k", .string("v"))], state: "vendor=x")
        let span = try #require(try spans(run).first)
        #expect(span.attributes == [Attribute("k", .string("v"))] && span.traceState == "vendor=x")
    }

    @Test(
        "the threshold of samplers before is combined with ours",
        arguments: [
            ("ot=th:c;rv:f0000000000000,vendor=x", "always_sample", "ot=th:c;rv:f0000000000000,vendor=x"),
            ("vendor=x,ot=rv:f0000000000000", "always_sample", "ot=th:0;rv:f0000000000000,vendor=x"),
            ("", "always_sample", "ot=th:0"),
            (
                "ot=th:c;rv:f0000000000000",
                "probabilistic, probabilistic: { sampling_percentage: 50, mode: proportional }",
                "ot=th:e;rv:f0000000000000"
            ),
            (
                "ot=th:8;rv:f0000000000000", "probabilistic, probabilistic: { sampling_percentage: 25, mode: w3c }",
                "ot=th:c;rv:f0000000000000"
            ),
            ("this is no tracestate", "always_sample", "this is no tracestate"),
        ])
    func combined(state: String, type: String, expected: String) throws {
        let run = try PolicyRun(policy: "{ name: p, type: \(type) }")
        try run.send(1, state: state)
        #expect(try spans(run).map(\.traceState) == [expected])
    }

    @Test("a policy that an earlier pass wrote is replaced, not doubled")
    func replaced() throws {
        let run = try PolicyRun(policy: "{ name: new, type: always_sample }")
        try run.send(1, [Attribute("tailrace.policy", .string("old")), Attribute("k", .int(1))])
        let span = try #require(try spans(run).first)
        #expect(span.attributes == [Attribute("k", .int(1)), Attribute("tailrace.policy", .string("new"))])
    }

    @Test("a late span of a kept trace has the decision's threshold")
    func late() throws {
        let run = try PolicyRun(
            policy: "{ name: p, type: probabilistic, probabilistic: { sampling_percentage: 25, mode: w3c } }")
        try run.send(1, at: 1000, state: "ot=rv:f0000000000000")
        run.driver.advance(to: 5000)
        try run.send(1, at: 5000, parent: 1)
        let states = try spans(run).map(\.traceState)
        #expect(states == ["ot=th:c;rv:f0000000000000", "ot=th:c"])
    }

    @Test("annotating changes nothing else of a span")
    func otherwiseEqual() throws {
        let plain = try PolicyRun("annotate: false\npolicies: [{ name: all, type: always_sample }]")
        let annotated = try PolicyRun("policies: [{ name: all, type: always_sample }]")
        for run in [plain, annotated] {
            try run.send(
                1, [Attribute("a", .array([.int(1)])), Attribute("b", .map([Attribute("c", .double(2))]))], name: "n",
                kind: .client, state: "v=1", flags: 0x301, events: [SpanEvent(time: 4, name: "e")], links: [7],
                status: SpanStatus(code: .error, message: "m"))
        }
        var span = try #require(try spans(annotated).first)
        #expect(span.attributes.removeLast() == Attribute("tailrace.policy", .string("all")))
        #expect(span.traceState == "ot=th:0,v=1")
        span.traceState = "v=1"
        #expect(try spans(plain) == [span])
    }
}
