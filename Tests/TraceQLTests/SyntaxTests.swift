import Testing
import TraceModel

@testable import TraceQL

@Suite("What is a query, and what is not")
struct SyntaxTests {
    static let valid = [
        "{ }", "{}", "{ true }", "{ .a }", "{ !.a }", "{ !(.a = 1) && .b }", "{ -.a = 2 }", "{ \"x\" =~ \"x\" }",
        "{ 1 <= 1.1 }", "{ 1 < 1h }", "{ .a + 1 = 2 }", "{ .a ^ 2 > 4 }", "{ 1 = childCount }", "{ .a = .b }",
        "{ status = error }", "{ kind = consumer }", "{ event:timeSinceStart > 1s }", "{ statusMessage =~ `.*` }",
        "{ .a = nil }", "{ nil = .a }", "{ name != nil }", "{ nil = nil }", "{ parent = nil }",
        "{ span:parentID = nil }",
        "{ parent.resource.a && true }", "{ parent.span.a > 3 }", "{ parent.duration = 1h }",
        "{ span.\"a b\".c = 1 }", "{ resource.\"quo\\\"te\" = 1 }", "{ .a-b = 1 }", "{ .http/x = 1 }",
        "{ .a.\"b c\".d != 3 }", "{ true } // comment", "{ /* comment */ true }", "{ .a >= 1.5s }", "{ .a = .5 }",
        "{ duration > 1h2m3s4ms5us6ns }", "{ duration > 1.5µs }",
        "{ .a = \"\\u00e9\\n\\x41\" }", "{ minInt < maxInt }", "{ .a = -1 }", "{ .a = 1e3 }",
        "{ } && { } || { }", "{ } !>> { } &~ { }", "{ } > { } << { }", "({ } && { }) > { }",
        "count() > 1", "avg(.a) >= 1.5", "{ } | max(1 + .a) = -1h", "max(duration) > 3s | { .a } | min(.b) < 2",
        "{ } | by(.a) | count() > 2", "by(.a) | { }", "{ } | by(name) | coalesce()", "{ } | by(1 + .a)",
        "select(.a)", "{ } | select(.a, span.b, name, trace:id)", "{ } | count() = 1 with(most_recent=true, x=1)",
        "({ .a } | count() > 1 | { .b }) >> ({ } | count() > 1)", "({ .a } | count() > 1) | { .b }",
        "{ } | rate()", "{ } | rate() by (name, resource.a) with(sample=0.1)", "{ } | count_over_time()",
        "{ } | quantile_over_time(duration, 0, .9, 1) by(span.a)", "{ } | histogram_over_time(duration)",
        "{ } | min_over_time(.a) | topk(10)", "{ } | rate() | bottomk(2) | > 5", "{ } | sum_over_time(.a) > 1s",
        "{ } | compare({ status = error })", "{ } | compare({ status = error }, 10, 1, 2)",
        "{ .a } | avg_over_time(duration) | >= -1", "{ } | count() > 1 | rate()",
    ]

    @Test("is accepted", arguments: valid)
    func accepts(_ query: String) throws {
        if case .failure(let problems) = TraceQLQuery.checked(query) {
            Issue.record("\(problems.rendered(in: query))")
        }
    }

    static let refused = [
        "", " ", "true", "[ true ]", "( true )", "{ . }", "{ < }", "{ .a < }", "{ .a < 3", "{ (.a < 3 }",
        "{ .a < 3 } }",
        "{ attribute = 4 }", "{ .a == 4 }", "{ span. }", "{ .\"\" = 1 }", "{ } + { }", "{ } = { }", "{ } <= { }",
        "{ } { }", "{ .a .b }", "{ .a 3 }", "{ \"open }", "{ `open }", "{ .\"open }", "{ /* open }", "{ \"\\d\" = .a }",
        "{ .a = 99999999999999999999 }", "{ .a = 1e999 }", "{ duration > 300000000h }", "{ duration > 5x }",
        "{ .a = “b” }", "{ trace:status = error }", "{ trace.duration > 1s }", "{ span:rootName = \"x\" }",
        "{ foo:bar = 1 }", "{ foo.bar = 1 }", "count()", "{ } | count()", "avg(.a) + 1", "3", "count() > 3 && { }",
        "{ } | max() = 1", "{ } | count(.a) = 1", "{ } | count = 1", "{ } | nope() = 1", "coalesce()",
        "coalesce() | { }", "{ } | by()", "by(.a", "select()", "select(1 + .a)", "select(.a", "({ }) + (count()) = 1",
        "({ }) && (count())", "{ } && count() > 1", "{ } |", "| { }", "{ } | | { }", "{ } with(a)", "{ } with(a=.b)",
        "{ } with(a=1, a=2)", "rate()", "{ } | rate", "{ } | rate(.a)", "{ } | min_over_time()", "{ } | rate() | { }",
        "{ } | rate() by ()", "{ } | topk(3)", "{ } | rate() | topk(0)", "{ } | rate() | topk(.a)",
        "{ } | quantile_over_time(duration, 2)", "({ } | rate()) + ({ } | rate())", "{ } | compare()",
        "{ } | compare({ }, 1, 2)", "{ .a and .b }", "{ not .a }", "{ .a = 1 ! .b }", "{ name = }", "{ parent. }",
        // Types.
        "{ status }", "{ ok }", "{ 1.1 }", "{ 1h }", "{ \"foo\" }", "{ 1 + 1 }", "{ .a + .b }", "{ nil }", "{ parent }",
        "{ 1 + \"foo\" = 1 }", "{ 1 - true = 1 }", "{ 1 / ok = 1 }", "{ 1 ^ name = 1 }", "{ 1 = \"foo\" }",
        "{ 1 != true }", "{ 1 > ok }", "{ 1 = name }", "{ 1 =~ \"2\" }", "{ .a =~ 2 }", "{ .a =~ .b }",
        "{ 1 && \"foo\" }",
        "{ .a || ok }", "{ true || 1.1 }", "{ status > ok }", "{ kind < consumer }", "{ true < false }",
        "{ traceDuration > \"x\" }", "{ rootName != 3.2 }", "{ \"foo\" = childCount }", "{ nestedSetLeft = \"x\" }",
        "{ .a =~ \"[\" }", "{ .a !~ `(` }", "{ -true }", "{ -\"foo\" = \"bar\" }", "{ -name = \"foo\" }",
        "{ !\"foo\" = .a }", "{ !1 = 1 }", "{ !status = ok }", "{ .a > nil }", "{ .a + nil = 1 }", "{ 1 = nil }",
        "{ nil =~ \"x\" }", "{ 1 / 0 = 1 }", "{ -parent = nil }", "{ 1 >= parent }",
        "max(name) = 1", "avg(\"foo\") = 1", "max(status) = 1", "sum(3) = 2", "min(1 = 3) = 1", "max(1h + 2h) > 1",
        "{ } | by(1)", "{ } | by(\"foo\")", "{ } | quantile_over_time(duration)", "{ } | max_over_time(name)",
        "{ } | min_over_time(3)",
        // Not yet supported.
        "min(.a) < max(duration)", "min(.a) + max(.a) > 1", "1 < count()", "3 = 2", "count() > 1 - 3",
        "({ } | count()) > 2", "({ .a } | count()) > ({ .b } | count())", "{ } | count() + count() = 1",
        // Several spansets.
        "{ } | by(.a) | { } > { }", "({ } | by(.a)) >> { }", "{ } > ({ } | by(.a) | count() > 1)",
    ]

    @Test("is refused", arguments: refused)
    func refuses(_ query: String) {
        guard case .failure(let problems) = TraceQLQuery.checked(query) else {
            Issue.record("accepted")
            return
        }
        #expect(!problems.all.isEmpty)
        for problem in problems.all {
            #expect(problem.range.upperBound <= query.utf8.count)
            #expect(problem.rendered(in: query).contains("^"))
        }
    }

    @Test(
        "operators bind as the grammar says",
        arguments: [
            ("{ .a || .b && .c }", "{ (.a || .b) && .c }"),
            ("{ .a && .b || .c }", "{ (.a && .b) || .c }"),
            ("{ 1 + 2 * 3 = 7 }", "{ (1 + (2 * 3)) = 7 }"),
            ("{ !.a = .b }", "{ (!.a) = .b }"),
            ("{ !.a * 2 = 4 }", "{ (!(.a * 2)) = 4 }"),
            ("{ -.a ^ 2 = 4 }", "{ ((-.a) ^ 2) = 4 }"),
            ("{ 2 ^ 3 ^ 2 = 512 }", "{ (2 ^ (3 ^ 2)) = 512 }"),
            ("{ 8 - 4 - 2 = 2 }", "{ ((8 - 4) - 2) = 2 }"),
            ("{ .a = 1 = true }", "{ (.a = 1) = true }"),
            ("{ } || { .a } > { .b }", "{ } || ({ .a } > { .b })"),
            ("{ } > { .a } >> { .b }", "({ } > { .a }) >> { .b }"),
            ("{ } || { .a } && { .b }", "({ } || { .a }) && { .b }"),
            ("min(.a) + 2 * 3 > 1", "(min(.a) + (2 * 3)) > 1"),
            ("{ span:duration > 1s }", "{ duration > 1s }"),
            ("{ traceDuration > 60s }", "{ trace:duration > 1m }"),
        ])
    func precedence(_ query: String, _ explicit: String) throws {
        #expect(try QueryParser.parse(query) == QueryParser.parse(explicit))
    }

    @Test(
        "the formatter writes one text for all spellings",
        arguments: [
            ("{}", "{ }"), ("{true}", "{ true }"), ("{ (((.a))) }", "{ .a }"),
            ("{ span:duration>90s }", "{ duration > 1m30s }"),
            ("{ trace:rootName=`a\"b` }", "{ trace:rootName = \"a\\\"b\" }"), ("{ .\"a.b\" }", "{ .a.b }"),
            ("{ .\"5\" }", "{ .\"5\" }"), ("{ parent.\"name\" = 1 }", "{ parent.\"name\" = 1 }"),
            ("{ .a = 1 || (.b && .c) }", "{ .a = 1 || (.b && .c) }"), ("({.a}|count()>1)", "({ .a } | count() > 1)"),
            ("{}|rate()by(name)|topk(3)with(a=1)", "{ } | rate() by(name) | topk(3) with(a=1)"),
            ("{ -(5) = -5 }", "{ -(5) = -5 }"), ("{ 2 * (!.a) }", "{ 2 * (!.a) }"),
            ("{ .a = 1.0 && .b = 100000000000000000000.0 }", "{ .a = 1.0 && .b = 1e+20 }"),
        ])
    func canonical(_ query: String, _ expected: String) throws {
        #expect(try QueryParser.parse(query).description == expected)
    }
}
