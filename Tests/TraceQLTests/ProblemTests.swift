import Testing

@testable import TraceQL

@Suite("A mistake is shown where it is, with what was meant")
struct ProblemTests {
    private func rendered(_ query: String) -> String {
        guard case .failure(let problems) = TraceQLQuery.checked(query) else { return "accepted" }
        return problems.rendered(in: query)
    }

    @Test("a misspelt intrinsic")
    func intrinsic() {
        #expect(
            rendered("{ durration > 5s }") == """
                1:3: error: unknown name "durration"; an attribute needs a scope: .durration, span.durration or \
                resource.durration. Did you mean "duration"?
                    { durration > 5s }
                      ^~~~~~~~~

                """)
    }

    @Test("a misspelt scope")
    func scope() {
        #expect(
            rendered("{ resorce.service.name = \"a\" }") == """
                1:3: error: unknown scope "resorce"; expected span, resource, event, link, instrumentation or parent. \
                Did you mean "resource"?
                    { resorce.service.name = "a" }
                      ^~~~~~~

                """)
    }

    @Test("lines and columns count characters")
    func lines() {
        #expect(
            rendered("{ .größe = \"ä\" &&\n    nam = \"é\" }") == """
                2:5: error: unknown name "nam"; an attribute needs a scope: .nam, span.nam or resource.nam. \
                Did you mean "name"?
                        nam = "é" }
                        ^~~

                """)
    }

    @Test("all mistakes of meaning at once, in their order")
    func several() {
        #expect(
            rendered("{ status > ok && name = 3 } | max(kind) > 1") == """
                1:3: error: ">" needs an order, and status is a status; use = or !=
                    { status > ok && name = 3 } | max(kind) > 1
                      ^~~~~~~~~~~
                1:18: error: name is a string and 3 is an integer: they never compare
                    { status > ok && name = 3 } | max(kind) > 1
                                     ^~~~~~~~
                1:35: error: max() needs a number, and kind is a kind
                    { status > ok && name = 3 } | max(kind) > 1
                                                      ^~~~

                """)
    }

    @Test("a long line is cut around the place, and control characters do not reach the terminal")
    func longLine() {
        let filler = String(repeating: ".a = 1 && ", count: 30)
        let text = rendered("{ \(filler)oops\u{7} = 1 && \(filler) true }")
        #expect(text.contains("…") && text.contains("U+0007") && text.contains("^"))
        #expect(text.split(separator: "\n").allSatisfy { $0.unicodeScalars.count <= 210 })
        #expect(!text.contains("\u{7}"))
    }

    @Test(
        "the message says what to write",
        arguments: [
            ("{ .a == 1 }", "1:6: error: unknown operator \"==\". Did you mean \"=\"?"),
            ("{ .a and .b }", "1:6: error: unknown operator \"and\". Did you mean \"&&\"?"),
            ("{ http.status_code = 200 }", "Did you mean \".http.status_code\"?"),
            ("{ trace:durration > 1s }", "Did you mean \"trace:duration\"?"),
            ("{ trace:name = \"x\" }", "Did you mean \"span:name\"?"),
            ("{ trace.duration > 1s }", "1:3: error: a trace has no attributes of its own"),
            ("{ trace.duration > 1s }", "Did you mean \"trace:duration\"?"),
            ("{ status = eror }", "1:12: error: unknown name \"eror\""),
            ("{ status = eror }", "Did you mean \"error\"?"),
            ("{ .a =~ \"a(b\" }", "1:11: error: bad regular expression: missing )"),
            ("{ .a =~ \"\\d\" }", "1:10: error: unknown escape in a string; for a regular expression use `…`"),
            ("{ .a = 5x }", "1:8: error: \"5x\" is no number and no duration: unknown unit \"x\"; expected ns, us"),
            ("{ .a = “x” }", "1:8: error: strings are written \"…\" or `…`"),
            ("{ .a = 1 } && cuont() > 2", "Did you mean \"count\"?"),
            ("status = error", "1:1: error: conditions on spans stand in braces, for example { status }"),
            (".a = 1", "1:1: error: conditions on spans stand in braces: { … }"),
            ("{ .a } | count()", "1:10: error: a pipeline cannot end with a bare number; compare it"),
            ("{ .a = 1", "1:9: error: unexpected the end of the query in { … }; expected an operator or \"}\""),
            ("{ .a } { .b }", "1:8: error: unexpected \"{\" after the query"),
            ("{ .a } | by(.b) | { } > { }", "merge them with | coalesce()"),
            ("count() > 3 && { }", "put the parts into a pipeline with |"),
            ("{ } | compere({ })", "Did you mean \"compare\"?"),
            (
                "{ kind = \"server\" }",
                "1:3: error: kind is a kind and \"server\" is a string: they never compare; write server without quotes"
            ),
            ("", "1:1: error: the query is empty"),
        ])
    func message(_ query: String, _ part: String) {
        let text = rendered(query)
        #expect(text.contains(part), "\(text)")
    }
}
