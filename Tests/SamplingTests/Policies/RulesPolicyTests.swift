import OTLP
import Pipeline
import Testing
import TraceModel

@testable import Sampling

/// Refinery's rules. Most cases of comparisons are those of its own `sample/rules_test.go`.
struct RulesPolicyTests {
    /// One rule that drops what meets its conditions: kept means not met.
    private static func meets(
        _ conditions: String, scope: String = "trace", nested: Bool = false, _ spans: [[Attribute]]
    ) throws -> Bool {
        let run = try PolicyRun(
            policy: """
                { name: r, type: rules, CheckNestedFields: \(nested),
                  Rules: [{ Name: it, Drop: true, Scope: \(scope), Conditions: [\(conditions)] }] }
                """)
        for (index, attributes) in spans.enumerated() {
            try run.send(1, attributes, parent: index == 0 ? 0 : 1, span: UInt64(index + 1))
        }
        return !run.keeps(1)
    }

    @Test(
        "a value without a datatype is compared with values of its own kind",
        arguments: [
            ("=", "1", AttributeValue.int(1), true), (">", "1", .int(2), true), ("<", "2", .int(1), true),
            ("<", "2.2", .int(1), true), (">", "2", .double(3), true), (">=", "2.2", .double(2.2), true),
            ("<=", "2", .double(2), true), ("!=", "10", .int(9), true), ("!=", "9", .int(9), false),
            ("=", "200", .string("200"), false), ("!=", "200", .string("200"), false),
            ("=", "'200'", .string("200"), true),
            ("=", "'200'", .int(200), false), ("=", "true", .bool(true), true), ("=", "'true'", .bool(true), false),
            (">", "'a'", .string("b"), true), ("<", "'b'", .string("bb"), false), ("!=", "null", .int(3), true),
            ("=", "0x10", .int(16), true), ("=", "1_000", .int(1000), true), ("=", "", .string(""), false),
            ("=", "''", .string(""), true),
        ])
    func untyped(name: String, value: String, attribute: AttributeValue, isMet: Bool) throws {
        let condition = "{ Field: test, Operator: '\(name)', Value: \(value.isEmpty ? "~" : value) }"
        #expect(try Self.meets(condition, [[Attribute("test", attribute)]]) == isMet)
    }

    @Test(
        "with a datatype both values are converted",
        arguments: [
            ("=", "200", "int", AttributeValue.string("200"), true), ("=", "'200'", "int", .int(200), true),
            ("=", "1", "int", .double(1.9), true), ("<", "2", "int", .string("x"), false),
            ("!=", "2", "int", .string("x"), false), (">=", "500", "int", .bool(true), false),
            (">", "1.5", "float", .string("1.6"), true), ("=", "2", "float", .int(2), true),
            ("=", "200", "string", .int(200), true), ("=", "1.50", "string", .double(1.5), true),
            ("<", "10", "string", .int(2), false), ("=", "true", "bool", .string("T"), true),
            ("=", "false", "bool", .string("no"), true), ("!=", "true", "bool", .int(1), false),
            ("=", "true", "bool", .int(1), true),
        ])
    func typed(name: String, value: String, datatype: String, attribute: AttributeValue, isMet: Bool) throws {
        let condition = "{ Field: test, Operator: '\(name)', Value: \(value), Datatype: \(datatype) }"
        #expect(try Self.meets(condition, [[Attribute("test", attribute)]]) == isMet)
    }

    @Test(
        "operators on text, sets and existence",
        arguments: [
            ("starts-with", "honey", AttributeValue.string("honeycomb"), true),
            ("starts-with", "comb", .string("honeycomb"), false), ("starts-with", "50", .int(503), true),
            ("contains", "eyco", .string("honeycomb"), true),
            ("does-not-contain", "noteyco", .string("honeycomb"), true),
            ("does-not-contain", "eyco", .string("honeycomb"), false),
            ("matches", "'^h.*b$'", .string("honeycomb"), true),
            ("matches", "'^5\\d\\d$'", .int(503), true), ("in", "[a, honeycomb]", .string("honeycomb"), true),
            ("In", "[200, 201]", .string("200"), true), ("in", "solo", .string("solo"), true),
            ("not-in", "[a, b]", .string("c"), true), ("not-in", "[a, b]", .string("a"), false),
            ("exists", "~", .string(""), true), ("not-exists", "~", .bool(false), false),
            ("contains", "b", .array([.string("a"), .string("b")]), true),
            ("=", #"'["a",1]'"#, .array([.string("a"), .int(1)]), true),
        ])
    func text(name: String, value: String, attribute: AttributeValue, isMet: Bool) throws {
        let condition = "{ Field: test, Operator: '\(name)', Value: \(value) }"
        #expect(try Self.meets(condition, [[Attribute("test", attribute)]]) == isMet)
    }

    @Test(
        "a missing field meets negative operators, as there; patterns see its text <nil>",
        arguments: [
            ("not-exists", "~", "", true), ("exists", "~", "", false), ("=", "a", "", false), ("!=", "a", "", false),
            ("!=", "a", "string", true), ("!=", "1", "int", false), ("does-not-contain", "a", "", true),
            ("not-in", "[a]", "", true), ("in", "[a]", "", false), ("matches", "'^<nil>$'", "", true),
        ])
    func missing(name: String, value: String, datatype: String, isMet: Bool) throws {
        let type = datatype.isEmpty ? "" : ", Datatype: \(datatype)"
        let condition = "{ Field: test, Operator: '\(name)', Value: \(value)\(type) }"
        #expect(try Self.meets(condition, [[Attribute("other", .int(1))]]) == isMet)
    }

    @Test("conditions of a trace may be met by different spans, those of a span by one alone")
    func scopes() throws {
        let conditions =
            "{ Field: a, Operator: '=', Value: 1 }, { Field: b, Operator: '=', Value: 2 }"
        let (a, b) = (Attribute("a", .int(1)), Attribute("b", .int(2)))
        #expect(try Self.meets(conditions, [[a], [b]]))
        #expect(try !Self.meets(conditions, scope: "span", [[a], [b]]))
        #expect(try Self.meets(conditions, scope: "span", [[a], [b], [a, b]]))
        #expect(try !Self.meets(conditions, [[a], [a]]))
    }

    @Test("the first of several fields that a span has decides, even if it does not meet the condition")
    func fields() throws {
        let condition = "{ Fields: [http.status_code, http.response.status_code], Operator: '=', Value: 500 }"
        let (old, new) = ("http.status_code", "http.response.status_code")
        #expect(try Self.meets(condition, [[Attribute(new, .int(500))]]))
        #expect(try !Self.meets(condition, [[Attribute(old, .int(200)), Attribute(new, .int(500))]]))
        #expect(try Self.meets(condition, [[Attribute(old, .int(200))], [Attribute(new, .int(500))]]))
    }

    @Test("root. asks the root span, whichever span is tested")
    func root() throws {
        let root = "{ Field: root.a, Operator: '=', Value: 1 }"
        #expect(try Self.meets(root, [[Attribute("a", .int(1))], []]))
        #expect(try !Self.meets(root, [[], [Attribute("a", .int(1))]]))
        let both = "\(root), { Field: b, Operator: exists }"
        #expect(try Self.meets(both, scope: "span", [[Attribute("a", .int(1))], [Attribute("b", .int(1))]]))
        // The root's value where it has one, else the span's.
        let either = "{ Fields: [root.a, b], Operator: '=', Value: 1 }"
        #expect(try Self.meets(either, [[], [Attribute("b", .int(1))]]))
        #expect(try !Self.meets(either, [[Attribute("a", .int(2))], [Attribute("b", .int(1))]]))
        let other = "{ Fields: [b, root.a], Operator: '=', Value: 1 }"
        #expect(try Self.meets(other, [[Attribute("a", .int(1))], [Attribute("b", .int(2))]]))
        #expect(try !Self.meets(other, scope: "span", [[Attribute("a", .int(2)), Attribute("b", .int(2))]]))
    }

    @Test("without a root span, conditions on it alone are not met, and has-root-span says so")
    func noRoot() throws {
        func meets(_ conditions: String, scope: String = "trace") throws -> Bool {
            let run = try PolicyRun(
                policy:
                    "{ name: r, type: rules, Rules: [{ Drop: true, Scope: \(scope), Conditions: [\(conditions)] }] }")
            try run.send(1, [Attribute("b", .int(1))], parent: 7)
            return !run.keeps(1)
        }
        #expect(try meets("{ Operator: has-root-span, Value: false }"))
        #expect(try !meets("{ Operator: has-root-span, Value: true }"))
        #expect(try meets("{ Operator: has-root-span, Value: false }, { Field: b, Operator: exists }", scope: "span"))
        #expect(try !meets("{ Field: root.a, Operator: not-exists }"))
        #expect(try meets("{ Fields: [root.b, b], Operator: exists }"))
    }

    @Test(
        "what a span says of itself is a field",
        arguments: [
            ("trace.parent_id", "not-exists", "~"), ("name", "=", "GET /"), ("duration_ms", "=", "12.0"),
            ("span.kind", "=", "server"), ("type", "=", "server"), ("status_code", "=", "2"), ("error", "=", "true"),
            ("status_message", "=", "late"), ("span.num_events", "=", "1"), ("span.num_links", "=", "1"),
            ("library.name", "starts-with", "io.opentelemetry"), ("library.version", "=", "'2'"),
            ("telemetry.instrumentation_library", "=", "true"), ("service.name", "=", "web"),
            ("meta.signal_type", "=", "trace"), ("exception.type", "=", "Timeout"), ("scope.attr", "=", "7"),
            ("trace.trace_id", "=", "'01020304050607090000000000000001'"), ("trace.span_id", "=", "'0000000000000005'"),
            ("list.inner.x", "=", "3"), ("meta.span_count", "=", "1"), ("meta.event_count", "=", "3"),
            ("?.NUM_DESCENDANTS", "=", "3"), ("root.meta.span_event_count", "=", "1"),
        ])
    func builtIn(field: String, name: String, value: String) throws {
        let run = try PolicyRun(
            policy: """
                { name: r, type: rules, Rules: [{ Drop: true, Scope: span, Conditions: [
                  { Field: meta.annotation_type, Operator: not-exists },
                  { Field: '\(field)', Operator: '\(name)', Value: \(value) }] }] }
                """)
        try run.send(
            1, [Attribute("list", .map([Attribute("inner", .map([Attribute("x", .int(3))]))]))], name: "GET /",
            kind: .server, resource: [Attribute("service.name", .string("web")), Attribute("name", .string("no"))],
            scope: InstrumentationScope(
                name: "io.opentelemetry.jetty", version: "2", attributes: [Attribute("scope.attr", .int(7))]),
            milliseconds: 12,
            events: [
                SpanEvent(
                    time: 1_001_000_000, name: "exception",
                    attributes: [Attribute("exception.type", .string("Timeout"))])
            ],
            links: [9], status: SpanStatus(code: .error, message: "late"), span: 5)
        #expect(!run.keeps(1))
    }

    @Test("span events and links are items of their own")
    func items() throws {
        func meets(_ conditions: String) throws -> Bool {
            let run = try PolicyRun(
                policy: "{ name: r, type: rules, Rules: [{ Drop: true, Scope: span, Conditions: [\(conditions)] }] }")
            try run.send(
                1, name: "op",
                events: [SpanEvent(time: 1_003_000_000, name: "retry", attributes: [Attribute("n", .int(4))])],
                links: [9])
            return !run.keeps(1)
        }
        #expect(
            try meets(
                """
                { Field: meta.annotation_type, Operator: '=', Value: span_event }, { Field: name, Operator: '=', Value: retry },
                { Field: n, Operator: '=', Value: 4 }, { Field: parent_name, Operator: '=', Value: op },
                { Field: service.name, Operator: '=', Value: shop },
                { Field: meta.time_since_span_start_ms, Operator: '=', Value: 3 }
                """))
        #expect(
            try meets(
                """
                { Field: meta.annotation_type, Operator: '=', Value: link }, { Field: name, Operator: not-exists },
                { Field: trace.link.trace_id, Operator: '=', Value: '01020304050607010000000000000009' }
                """))
        #expect(try !meets("{ Field: n, Operator: exists }, { Field: span.kind, Operator: exists }"))
    }

    @Test("nested fields are looked for in JSON text, only where that is asked for")
    func nested() throws {
        let condition = "{ Field: test.test1, Operator: '=', Value: a }"
        let json = [Attribute("test", .string(#"{"x": [1, 2], "test1": "a"}"#))]
        #expect(try Self.meets(condition, nested: true, [json]))
        #expect(try !Self.meets(condition, nested: false, [json]))
        #expect(try Self.meets(condition, nested: true, [[Attribute("test.test1", .string("a"))]]))
        #expect(try Self.meets("{ Field: test.x.1, Operator: '=', Value: 2, Datatype: int }", nested: true, [json]))
        #expect(try Self.meets("{ Field: root.test.test1, Operator: exists }", nested: true, [json]))
        #expect(try Self.meets("{ Field: test.test3, Operator: not-exists }", nested: true, [json]))
        // No JSON, and JSON that ends early.
        for text in ["test1: a", #"{"test1": "#, "", "{"] {
            #expect(try !Self.meets(condition, nested: true, [[Attribute("test", .string(text))]]))
        }
    }

    @Test("the first rule that is met decides; without any the trace is kept; the decision names the rule")
    func order() throws {
        let run = try PolicyRun(
            policy: """
                { name: r, type: rules, Rules: [
                  { Name: health, Drop: true, Conditions: [{ Field: http.route, Operator: '=', Value: /health }] },
                  { Name: errors, SampleRate: 1, Conditions: [{ Field: error, Operator: exists }] },
                  { Name: never, SampleRate: 0, Conditions: [{ Field: http.route, Operator: '=', Value: /noise }] },
                  { Name: paid, Conditions: [{ Field: paid, Operator: exists }],
                    Sampler: { DeterministicSampler: { SampleRate: 1 } } }] }
                """)
        let failed = SpanStatus(code: .error)
        try run.send(1, [Attribute("http.route", .string("/health"))], status: failed)
        try run.send(2, [Attribute("http.route", .string("/noise"))], status: failed)
        try run.send(3, [Attribute("http.route", .string("/noise"))])
        try run.send(4, [Attribute("paid", .bool(true))])
        try run.send(5)
        let decisions = try (1...5).map { try #require(run.decision($0)) }
        #expect(decisions.map(\.isKept) == [false, true, false, true, true])
        #expect(decisions[0].reason.hasPrefix(#"policy "r" > "health" drops"#))
        #expect(decisions[1].reason.hasPrefix(#"policy "r" > "errors" matched"#))
        #expect(decisions[2].reason.hasPrefix(#"policy "r" > "never" samples and left it out"#))
        #expect(decisions[3].reason.hasPrefix(#"policy "r" > "paid" > "deterministic" matched"#))
        #expect(decisions[4].reason.hasPrefix(#"policy "r" matched"#))
    }

    @Test("a rule's rate keeps one trace in so many, with the probability that says so, and always the same traces")
    func rate() throws {
        func kept() throws -> [UInt64: Double] {
            let run = try PolicyRun(policy: "{ name: r, type: rules, Rules: [{ SampleRate: 10 }] }")
            var random = SeededRandom(seed: 11)
            for number in 1...4000 as ClosedRange<UInt64> {
                try run.send(number, id: TraceID(high: number, low: random.next()))
            }
            run.driver.closeAll()
            return Dictionary(
                uniqueKeysWithValues: run.driver.kept.map { ($0.summary.traceID.high, $0.decision.probability) })
        }
        let first = try kept()
        // Four standard deviations of a binomial distribution: 4 * sqrt(4000 * 0.1 * 0.9).
        let deviation = abs(Double(first.count) - 400)
        #expect(deviation < 75.9, "\(first.count)")
        #expect(first.values.allSatisfy { $0 == 0.1 })
        #expect(try kept() == first)
    }

    @Test("a rule's dynamic sampler learns, and its state is handed over")
    func downstream() throws {
        let policy = """
            policies:
              - name: r
                type: rules
                Rules:
                  - Name: ok
                    Conditions: [{ Field: http.status_code, Operator: '<', Value: 400, Datatype: int }]
                    Sampler: { EMADynamicSampler: { GoalSampleRate: 15, FieldList: [http.route], AdjustmentInterval: 1m0s } }
                  - { Name: rest, SampleRate: 1 }
            """
        let run = try PolicyRun(policy)
        var random = SeededRandom(seed: 3)
        for number in 1...600 as ClosedRange<UInt64> {
            try run.send(
                number, at: Int64(number) * 200,
                [Attribute("http.status_code", .int(200)), Attribute("http.route", .string("/r\(number % 3)"))],
                id: TraceID(high: number, low: random.next()))
        }
        run.driver.closeAll()
        #expect(run.driver.kept.count < 200)
        let next = try PolicyRun(policy)
        next.driver.sampler.restore(state: run.driver.sampler.state)
        #expect(!run.driver.sampler.state.isEmpty)
        #expect(next.driver.sampler.state == run.driver.sampler.state)
    }

    @Test(
        "mistakes are reported with what was expected",
        arguments: [
            (
                "Rules: [{ Name: a, SampleRate: 1, Conditions: [{ Field: x, Operator: startswith, Value: 1 }] }]",
                "starts-with"
            ),
            (
                "Rules: [{ Name: a, SampleRate: 1, Conditions: [{ Field: x, Operator: '==', Value: 1 }] }]",
                #"Did you mean "="?"#
            ),
            ("Rules: [{ Name: a, SampleRate: 1, Conditions: [{ Operator: '=', Value: 1 }] }]", "needs a Field"),
            ("Rules: [{ Name: a, SampleRate: 1, Conditions: [{ Field: x, Operator: '=' }] }]", "needs a Value"),
            (
                "Rules: [{ Name: a, SampleRate: 1, Conditions: [{ Field: x, Fields: [y], Operator: exists }] }]",
                "not both"
            ),
            (
                "Rules: [{ Name: a, SampleRate: 1, Conditions: [{ Field: x, Operator: matches, Value: '(' }] }]",
                "pattern"
            ),
            (
                "Rules: [{ Name: a, SampleRate: 1, Conditions: [{ Field: '?.DEPTH', Operator: '>', Value: 1 }] }]",
                "NUM_DESCENDANTS"
            ),
            (
                "Rules: [{ Name: a, SampleRate: 1, Conditions: [{ Field: x, Operator: '>', Value: high, Datatype: int }] }]",
                "is no int"
            ),
            (
                "Rules: [{ Name: a, SampleRate: 1, Conditions: [{ Field: x, Operator: '=', Value: [1] }] }]",
                "expected one value"
            ),
            ("Rules: [{ Name: a, SampleRate: 1, Scope: spans }]", "Scope"),
            ("Rules: [{ Name: a, Samplerate: 1 }]", #"Did you mean "SampleRate"?"#),
            ("Rules: [{ Name: a, Sampler: {} }]", "exactly one of"),
            ("Rules: [{ Name: a, Sampler: { EMADynamicSampler: { GoalSampleRate: 5 } } }]", "FieldList"),
            ("Rules: [{ Name: a, Sampler: { RulesBasedSampler: {} } }]", "RulesBasedSampler"),
            ("Rules: [{ Name: a }]", "keeps nothing"),
            ("Rules: [{ Name: a, SampleRate: 2 }, { Name: b, SampleRate: 3 }]", "never decides"),
            ("Rules: []", "every trace is kept"),
            ("rules: []", #"Did you mean "Rules"?"#),
        ])
    func mistakes(body: String, expected: String) {
        let messages = TestPipeline.messages("policies: [{ name: r, type: rules, \(body) }]")
        #expect(messages.contains { $0.contains(expected) }, "\(messages)")
    }

    @Test("numbers are written as Go writes them")
    func numbers() {
        let expected: [(Double, String)] = [
            (5, "5"), (0.5, "0.5"), (-12.25, "-12.25"), (1e21, "1e+21"), (123_456_789, "123456789"),
            (1e20, "100000000000000000000"),
            (0.0001, "0.0001"), (0.00001, "1e-05"), (1.5e-7, "1.5e-07"), (0, "0"), (.infinity, "+Inf"), (.nan, "NaN"),
            (1e100, "1e+100"), (0.1 + 0.2, "0.30000000000000004"),
        ]
        for (number, text) in expected { #expect(RefineryValue.text(of: number) == text) }
    }
}
