import Pipeline
import Testing
import TraceModel

@Suite("The notation of spans")
struct NotationTests {
    init() throws { try Project.enter() }

    /// The spans of `trace a: notation`.
    private func spans(_ notation: String) throws -> [SpanNotation] {
        let block = notation.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
        let (plan, diagnostics) = Sample.load(Sample.text("- trace a: |\n\(block)\n- expect a: open"))
        let test = try #require(plan?.tests.first, "\(diagnostics.rendered())")
        guard case .send(let traffic)? = test.steps.first?.action else { return [] }
        return traffic.spans
    }

    /// The tree in a form that shows its shape: `a(b, c(d))`.
    private func shape(_ spans: [SpanNotation]) -> String {
        spans.map { span in
            let name = span.subject == .unsent ? "_" : span.subject == .earlier ? "^" + span.service : span.service
            return name + (span.children.isEmpty ? "" : "(\(shape(span.children)))")
        }.joined(separator: ", ")
    }

    @Test(
        "> goes down, a comma stays, parentheses come back up",
        arguments: [
            ("a > b, c > d, e", "a(b, c(d, e))"), ("a > (b > c), d", "a(b(c), d)"), ("a > b > c, d", "a(b(c, d))"),
            ("a, b", "a, b"), ("(a > b), c", "a(b), c"), ("_ > a", "_(a)"), ("a > (b, (c > d)), e", "a(b, c(d), e)"),
            ("a\n> b,\nc", "a(b, c)"),
        ])
    func shapes(notation: String, expected: String) throws {
        #expect(shape(try spans(notation)) == expected)
    }

    @Test("every detail of a span is read, in any order")
    func details() throws {
        let span = try #require(
            try spans(
                """
                'my shop' "GET /" 1m30.5s +250us error "it's broken" client {a=1} resource{r=x} event "retry" {n=2} link b
                tracestate "ot=th:8" sampled {b: two words, c=1.5, d=true, e="5", f=[1, x], g="ab"*3, "h i"=-7}
                """
            ).first)
        #expect(span.service == "my shop" && span.name == "GET /" && span.kind == .client && span.isSampled)
        #expect(span.duration == 90_500_000_000 && span.offset == 250_000)
        #expect(span.status == .error && span.statusMessage == "it's broken" && span.traceState == "ot=th:8")
        #expect(span.events.first?.name == "retry" && span.events.first?.attributes.first?.value == .value(.int(2)))
        #expect(span.resource.first?.key == "r" && span.links.map(\.name) == ["b"])
        #expect(span.attributes.map(\.key) == ["a", "b", "c", "d", "e", "f", "g", "h i"])
        #expect(
            span.attributes.map(\.value) == [
                .value(.int(1)), .value(.string("two words")), .value(.double(1.5)), .value(.bool(true)),
                .value(.string("5")), .value(.array([.int(1), .string("x")])), .value(.string("ababab")),
                .value(.int(-7)),
            ])
    }

    @Test(
        "a mistake is reported at its own place, with what was expected",
        arguments: [
            (#"frontend "GET / 20ms"#, "27", "this quoted text has no end"),
            ("frontend 20", "27", "\"20\" has no unit; write 20ms"),
            ("frontend 20xs", "27", "\"20xs\" is no duration; expected one such as 120ms, 1.5s or 1m30s"),
            ("frontend eror", "27", "unknown word \"eror\". Did you mean \"error\"?"),
            ("frontend > (cart, redis", "29", "this parenthesis is not closed"),
            ("frontend {a=b", "27", "this brace is not closed"),
            ("frontend {a=[1", "30", "this list is not closed"),
            ("frontend >", "28", "expected a span, which begins with its service, found the end"),
            ("frontend, , cart", "28", "expected a span, which begins with its service, found \",\""),
            ("frontend {a=1,a=2}", "32", "the attribute \"a\" is there twice"),
            ("frontend {a}", "29", "expected \"=\" and a value after \"a\", found \"}\""),
            ("frontend {a=}", "30", "expected the value of \"a\", found \"}\"; an empty text is \"\""),
            ("frontend {!a}", "28", "\"!\" says that an attribute is not there: for expectations only"),
            ("frontend {a=*}", "30", "* stands for any value: for expectations only; quote it"),
            ("frontend kind=server", "27", "attributes stand in braces: {kind=server}"),
            (#"frontend "a" "b""#, "31", "the span has a name already: \"a\""),
            ("20ms frontend", "18", "expected the service before \"20ms\""),
            ("^cart > redis", "18", "^cart names a span that was sent before; this is the first of trace a"),
            ("_", "19", "expected \">\" and spans below _, found the end"),
            ("(a, b) > c", "25", "spans in parentheses have no common children; write \">\" inside"),
            ("a) b", "19", "expected \",\", \">\" or the end, found \")\""),
            ("frontend event x", "33", "expected a quoted text after event, found \"x\""),
            (#"frontend {a="x"*9999999999}"#, "34", nil),
            ("frontend 400d", "27", "\"400d\" is longer than a year"),
        ] as [(String, String, String?)])
    func mistakes(notation: String, column: String, message: String?) {
        let found = Sample.mistakes("- trace a: \(notation)\n- expect a: open")
        guard let message else {
            #expect(found.count == 1 && found[0].hasPrefix("17:\(column): error"), "\(found)")
            return
        }
        #expect(found == ["17:\(column): error: test \"it\": \(message)"])
    }

    @Test("a mistake in a block of several lines is reported in its line")
    func lines() {
        let found = Sample.mistakes("- trace a: |\n    frontend 20ms\n      > cart 30xs\n- expect a: open")
        #expect(found.first?.hasPrefix("19:20: error: test \"it\": \"30xs\" is no duration") == true, "\(found)")
    }

    @Test("hostile notation is refused, not crashed on")
    func hostile() {
        for text in [
            String(repeating: "(", count: 10_000), String(repeating: "a>", count: 10_000),
            String(repeating: "a,", count: 20_000) + "a", "{", "}", ">", "a \"\\", "a {k=\"x\"*-1}", "^",
            "a link",
        ] {
            let location = Pipeline.SourceLocation(file: "p.yaml", line: 1, column: 1)
            let value = ConfigValue(.scalar(text, isQuoted: false), at: location)
            let entry = ConfigEntry(key: "trace a", keyLocation: location, value: value)
            let step = ConfigValue(.map([entry]), at: location)
            let map = ConfigValue(
                .map([
                    ConfigEntry(
                        key: "name", keyLocation: location,
                        value: ConfigValue(.scalar("x", isQuoted: false), at: location)),
                    ConfigEntry(
                        key: "steps", keyLocation: location, value: ConfigValue(.list([step]), at: location)),
                ]), at: location)
            let reader = PipelineTestReader(ConfigValue(.list([map]), at: location), stages: [], unresolved: [])
            #expect(reader.diagnostics.hasErrors, "\(text.prefix(20))")
        }
    }
}
