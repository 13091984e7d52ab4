import Testing

@testable import TraceQL

/// What a query reads decides what has to be scrubbed before it.
struct AttributesReadTests {
    @Test(
        "a query says exactly which attributes its answer depends on",
        arguments: [
            ("{ }", []), ("{ duration > 1s && status = error && name =~ \"a.*\" }", []),
            ("{ span.a = 1 || resource.b = 2 }", ["span.a", "resource.b"]), ("{ .a != nil }", [".a"]),
            ("{ event.a = 1 && link.b = 2 && instrumentation.c = 3 }", ["event.a", "link.b", "instrumentation.c"]),
            ("{ parent.a = 1 && parent.span.b = 2 }", [".a", "span.b"]),
            ("{ !(span.a = 1) && -span.b < span.a + 2 }", ["span.a", "span.b"]),
            ("{ span.a = 1 } >> { span.b = 2 } && { span.c = 3 }", ["span.a", "span.b", "span.c"]),
            ("{ } | by(resource.a) | count() > 2", ["resource.a"]),
            ("{ } | avg(span.a) > 2", ["span.a"]),
            ("({ span.a = 1 } | count() > 1) || { span.b = 1 }", ["span.a", "span.b"]),
            ("{ span.a = 1 } | select(span.b)", ["span.a"]),
            ("{ rootServiceName = \"x\" && rootName = \"y\" }", ["resource.service.name"]),
            ("{ span.a = 1 } | rate() by (span.b)", ["span.a", "span.b"]),
            ("{ span.a = 1 } | compare({ span.b = 1 })", nil),
        ] as [(String, [String]?)])
    func read(query: String, attributes: [String]?) throws {
        let parsed = try TraceQLQuery.checked(query).get()
        #expect(parsed.attributesRead?.map { "\($0.scope.rawValue).\($0.name)" } == attributes)
    }
}
