import Testing

@testable import TraceQL

@Suite("The planner reads spans one by one where it can, and says why where it cannot")
struct QueryPlanTests {
    private func plan(_ query: String) throws -> QueryPlan { QueryPlan(try TraceQLQuery.checked(query).get()) }

    @Test(
        "per span",
        arguments: [
            ("{ status = error }", 1), ("{ }", 1), ("{ .a } | { .b }", 1), ("{ .a } && { .b }", 2),
            ("{ .a } || { .b } && { .a }", 2), ("({ .a } && { .b }) | { .c }", 4),
            ("{ .a } | select(.b) | coalesce()", 1),
            ("{ resource.service.name = \"checkout\" && duration > 800ms }", 1), ("({ .a } | { .b }) || { .c }", 2),
        ])
    func perSpan(_ query: String, _ count: Int) throws {
        guard case .perSpan(let predicates, _) = try plan(query) else {
            Issue.record("whole trace")
            return
        }
        #expect(predicates.count == count)
    }

    @Test(
        "whole trace",
        arguments: [
            ("{ } > { }", "\">\" looks at how spans are related"), ("{ .a } | count() > 1", "it compares an aggregate"),
            ("{ } | by(.a)", "it groups spans with by()"), ("{ trace:duration > 1s }", "trace:duration is known with"),
            ("{ parent.a = 1 }", "parent.a is of the span's parent"),
            ("{ childCount > 3 }", "span:childCount depends on"),
            ("{ parent.duration > 1s }", "parent.duration is of the span's parent"), ("{ } | rate()", "a metric"),
            ("({ .a } | count() > 1) || { .b }", "it compares an aggregate"),
        ])
    func wholeTrace(_ query: String, _ reason: String) throws {
        guard case .wholeTrace(let text) = try plan(query) else {
            Issue.record("per span")
            return
        }
        #expect(text.contains(reason), "\(text)")
    }

    @Test("a combination of very many spansets is left to the whole trace")
    func limit() throws {
        let query = (0..<40).map { "{ .a = \($0) }" }.joined(separator: " && ")
        guard case .wholeTrace = try plan(query) else {
            Issue.record("per span")
            return
        }
    }
}
