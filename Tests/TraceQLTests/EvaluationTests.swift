import OTLP
import Testing
import TraceModel

@testable import TraceQL

@Suite("A query finds the spans that the language says")
struct EvaluationTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var query: String
        /// Initials of the spans: G(ET), a(uthorize), c(harge), S(ELECT), I(NSERT), r(ender), p (audit, the producer).
        /// One word per spanset; no word where the trace does not match.
        var expected: String

        init(_ query: String, _ expected: String) {
            self.query = query
            self.expected = expected
        }

        var testDescription: String { query }
    }

    private static let initials = [
        "GET /checkout": "G", "authorize": "a", "charge": "c", "SELECT": "S", "INSERT": "I", "render": "r",
        "audit": "p",
    ]

    private func find(_ query: String) throws -> String {
        try Shop.find(query).map { $0.compactMap { Self.initials[$0] }.joined() }.joined(separator: " ")
    }

    static let filters: [Case] = [
        Case("{ }", "GacSIrp"),
        Case("{}", "GacSIrp"),
        Case("{ true }", "GacSIrp"),
        Case("{ false }", ""),
        // Scopes.
        Case("{ span.http.method = \"GET\" }", "G"),
        Case("{ resource.service.name = \"payments\" }", "cSI"),
        Case("{ .service.name = \"payments\" }", "cSI"),
        // The span's own attribute hides the resource's.
        Case("{ .http.method = \"NONE\" }", "cSI"),
        Case("{ .shop = \"north\" }", "Gar"),
        Case("{ .bytes = 10 }", "a"),
        Case("{ .why = \"batch\" }", "p"),
        Case("{ .lang = \"go\" }", "Garp"),
        Case("{ event.bytes = 10 }", "a"),
        Case("{ event.exception.type = \"Timeout\" }", "a"),
        Case("{ link.why = \"batch\" }", "p"),
        Case("{ instrumentation.lang = \"go\" }", "Garp"),
        Case("{ span.service.name = \"payments\" }", ""),
        Case("{ span.\"a b\" = 1 }", "G"),
        Case("{ .\"a b\" = 1 }", "G"),
        Case("{ parent.http.status_code = 500 }", "c"),
        Case("{ parent.span.http.status_code = 500 }", "c"),
        Case("{ parent.resource.service.name != resource.service.name }", "c"),
        Case("{ parent.name = \"charge\" }", "SI"),
        Case("{ parent.duration > 500ms }", "arp"),
        // Intrinsics.
        Case("{ name = \"charge\" }", "c"),
        Case("{ span:name = \"charge\" }", "c"),
        Case("{ duration >= 300ms }", "Gar"),
        Case("{ span:duration > 300ms }", "Gr"),
        Case("{ status = error }", "a"),
        Case("{ status != error }", "GcSIrp"),
        Case("{ status = ok }", "G"),
        Case("{ span:status = unset }", "cSIrp"),
        Case("{ statusMessage = \"boom\" }", "a"),
        Case("{ statusMessage = \"\" }", "GcSIrp"),
        Case("{ kind = client }", "aSI"),
        Case("{ span:kind != client }", "Gcrp"),
        Case("{ kind = unspecified }", ""),
        Case("{ parent = nil }", "G"),
        Case("{ span:parentID = nil }", "G"),
        Case("{ span:parentID = \"2\" }", "c"),
        Case("{ span:id = \"0000000000000003\" }", "c"),
        Case("{ span:id =~ \"0*[34]\" }", "cS"),
        Case("{ span:childCount = 2 }", "c"),
        Case("{ childCount > 2 }", "G"),
        Case("{ childCount = 0 }", "SIrp"),
        Case("{ rootName = \"GET /checkout\" }", "GacSIrp"),
        Case("{ trace:rootService = \"frontend\" }", "GacSIrp"),
        Case("{ rootServiceName != \"frontend\" }", ""),
        Case("{ trace:duration = 1s }", "GacSIrp"),
        Case("{ traceDuration > 1s }", ""),
        Case("{ trace:id = \"0102030405060708090A0B0C0D0E0F10\" }", "GacSIrp"),
        Case("{ trace:id = \"102030405060708090a0b0c0d0e0f10\" }", "GacSIrp"),
        Case("{ trace:id =~ \"01.*10\" }", "GacSIrp"),
        Case("{ event:name = \"exception\" }", "a"),
        Case("{ event:name = nil }", "GcSIrp"),
        Case("{ event:timeSinceStart > 200ms }", "a"),
        Case("{ event:timeSinceStart = 50ms }", "a"),
        Case("{ event:timeSinceStart > 1s }", ""),
        // One event that meets it is enough.
        Case("{ event:name != \"exception\" }", "a"),
        Case("{ link:traceID = \"abc\" }", "p"),
        Case("{ link:spanID = \"00000000000000DE\" }", "p"),
        Case("{ link:traceID != nil }", "p"),
        Case("{ instrumentation:name = \"db\" }", "cSI"),
        Case("{ instrumentation:version = \"1.2\" }", "Garp"),
        Case("{ nestedSetParent = -1 }", "G"),
        Case("{ nestedSetParent < 0 }", "G"),
        Case("{ nestedSetLeft = 1 }", "G"),
        Case("{ nestedSetRight = 14 }", "G"),
        Case("{ nestedSetRight - nestedSetLeft = 1 }", "SIrp"),
    ]

    static let comparisons: [Case] = [
        // Integers, floats and durations compare with each other.
        Case("{ .http.status_code >= 500 }", "a"),
        Case("{ .http.status_code = 200.0 }", "G"),
        Case("{ .ratio < 1 }", "G"),
        Case("{ duration = 1000000000 }", "G"),
        Case("{ duration > 0.9e9 }", "G"),
        Case("{ 1 < 1h }", "GacSIrp"),
        Case("{ .amount > 12 && .amount < 13 }", "c"),
        // Mismatched types are false, not an error.
        Case("{ .http.status_code = \"200\" }", ""),
        Case("{ .http.status_code != \"200\" }", ""),
        Case("{ .http.method > 3 }", ""),
        Case("{ .retry = 1 }", ""),
        Case("{ .shop = 3 }", ""),
        Case("{ span.raw != \"x\" }", ""),
        // Strings are ordered by their bytes.
        Case("{ .http.method < \"P\" }", "GcSI"),
        Case("{ .http.method >= \"POST\" }", "a"),
        // Booleans.
        Case("{ .retry }", "a"),
        Case("{ .retry = true }", "a"),
        Case("{ .retry != true }", "G"),
        Case("{ !.retry }", "G"),
        Case("{ .http.status_code }", ""),
        Case("{ .retry || .ratio = 0.5 }", "Ga"),
        Case("{ .retry && kind = client }", "a"),
        // && and || bind equally, from the left.
        Case("{ true || true && false }", ""),
        Case("{ true || (true && false) }", "GacSIrp"),
        // nil.
        Case("{ .amount = nil }", "GaSIrp"),
        Case("{ .amount != nil }", "c"),
        Case("{ nil = .amount }", "GaSIrp"),
        Case("{ nil = nil }", ""),
        Case("{ nil != nil }", ""),
        Case("{ .nothing = nil }", "GacSIrp"),
        Case("{ span.shop != nil }", "p"),
        Case("{ .http.method != \"GET\" }", "acSI"),
        Case("{ span.http.method != \"GET\" }", "a"),
        Case("{ span.http.method !~ \"G.*\" }", "a"),
        Case("{ span.http.method = nil || span.http.method != \"GET\" }", "acSIrp"),
        Case("{ !(span.http.method = \"GET\") }", "acSIrp"),
        Case("{ .missing < 1 || .missing >= 1 }", ""),
        Case("{ .missing = .missing }", ""),
        // Regular expressions match the whole text.
        Case("{ name =~ \"char\" }", ""),
        Case("{ name =~ \"char.*\" }", "c"),
        Case("{ name =~ \".*E.*\" }", "GSI"),
        Case("{ name =~ `SELECT|INSERT` }", "SI"),
        Case("{ name !~ `[a-z]+` }", "GSI"),
        Case("{ .http.status_code =~ \"5..\" }", ""),
        // Arrays.
        Case("{ .tags = \"eu\" }", "c"),
        Case("{ .tags != \"eu\" }", ""),
        Case("{ .tags != \"us\" }", "c"),
        Case("{ .tags =~ \"c.*\" }", "c"),
        Case("{ .tags !~ \"c.*\" }", ""),
        Case("{ .tags !~ \"x.*\" }", "c"),
        Case("{ .codes > 5 }", "c"),
        Case("{ .codes > 7 }", ""),
        Case("{ .codes = 1 }", "c"),
        Case("{ .codes != \"x\" }", ""),
        Case("{ .none = 1 }", ""),
        Case("{ .none != 1 }", "c"),
        Case("{ .tags != nil }", "c"),
        // Arithmetic.
        Case("{ .http.status_code / 100 = 5 }", "a"),
        Case("{ .http.status_code / 100.0 = 5 }", "a"),
        Case("{ 7 / 2 = 3 }", "GacSIrp"),
        Case("{ 7 / 2.0 = 3.5 }", "GacSIrp"),
        Case("{ -7 / 2 = -3 }", "GacSIrp"),
        Case("{ -7 % 3 = -1 }", "GacSIrp"),
        Case("{ 2 ^ 3 ^ 2 = 512 }", "GacSIrp"),
        Case("{ -2 ^ 2 = 4 }", "GacSIrp"),
        Case("{ 2 ^ -1 = 0.5 }", "GacSIrp"),
        Case("{ 1 + 2 * 3 = 7 }", "GacSIrp"),
        Case("{ (1 + 2) * 3 = 9 }", "GacSIrp"),
        Case("{ 10 - 3 - 2 = 5 }", "GacSIrp"),
        Case("{ duration * 3 > 1s }", "Gr"),
        Case("{ duration > 2 * 200ms }", "G"),
        Case("{ .http.status_code + .missing = nil }", "GacSIrp"),
        Case("{ .db.rows / 0 = 1 }", ""),
        Case("{ maxInt + 1 > maxInt }", ""),
        Case("{ maxInt + 1 > 9e18 }", "GacSIrp"),
        Case("{ -.db.rows = -3 }", "S"),
        Case("{ minInt < maxInt }", "GacSIrp"),
    ]

    static let structures: [Case] = [
        Case("{ kind = client } && { kind = server }", "GacSI"),
        Case("{ kind = client } && { kind = consumer }", ""),
        Case("{ kind = client } || { kind = consumer }", "aSI"),
        Case("{ status = error } || { status = error }", "a"),
        Case("{ name = \"charge\" } > { }", "SI"),
        Case("{ } > { name = \"charge\" }", "c"),
        Case("{ name = \"charge\" } < { }", "a"),
        Case("{ name = \"authorize\" } >> { }", "cSI"),
        Case("{ name = \"SELECT\" } << { }", "Gac"),
        Case("{ name = \"SELECT\" } ~ { }", "I"),
        Case("{ } ~ { }", "aSIrp"),
        Case("{ name = \"GET /checkout\" } ~ { }", ""),
        Case("{ resource.service.name = \"frontend\" } > { resource.service.name = \"payments\" }", "c"),
        Case("{ resource.service.name = \"frontend\" } >> { resource.service.name = \"payments\" }", "cSI"),
        Case("{ name = \"charge\" } !> { }", "Gacrp"),
        Case("{ name = \"charge\" } !< { }", "GcSIrp"),
        Case("{ name = \"authorize\" } !>> { }", "Garp"),
        Case("{ name = \"SELECT\" } !<< { }", "SIrp"),
        Case("{ name = \"SELECT\" } !~ { }", "GacSrp"),
        // Nothing on the left: nothing is related to it.
        Case("{ name = \"x\" } !> { }", "GacSIrp"),
        Case("{ name = \"x\" } > { }", ""),
        Case("{ } !> { name = \"x\" }", ""),
        // Both sides.
        Case("{ name = \"charge\" } &> { }", "cSI"),
        Case("{ name = \"charge\" } &< { }", "ac"),
        Case("{ name = \"authorize\" } &>> { kind = client }", "aSI"),
        Case("{ kind = client } &<< { kind = server }", "GacSI"),
        Case("{ name = \"SELECT\" } &~ { }", "SI"),
        Case("{ name = \"render\" } &> { }", ""),
        // Structural operators bind tighter than && and ||, from the left.
        Case("{ kind = server } > { kind = client } > { kind = server }", "c"),
        Case("{ name = \"x\" } || { kind = server } > { kind = client }", "aSI"),
        Case("{ name = \"x\" } && { kind = server } > { kind = client }", ""),
        Case("({ name = \"render\" } || { name = \"authorize\" }) > { }", "c"),
        Case("{ name = \"GET /checkout\" } > ({ kind = client } > { kind = server })", ""),
        Case("{ name = \"GET /checkout\" } >> ({ kind = client } > { kind = server })", "c"),
    ]

    static let pipelines: [Case] = [
        Case("{ kind = client } | { name = \"SELECT\" }", "S"),
        Case("{ kind = client } | { kind = server }", ""),
        Case("{ kind = client } | count() = 3", "aSI"),
        Case("{ kind = client } | count() > 3", ""),
        Case("count() = 7", "GacSIrp"),
        Case("count() != 7", ""),
        Case("count() >= -1", "GacSIrp"),
        Case("{ name = \"x\" } | count() = 0", ""),
        Case("{ kind = client } | avg(duration) = 170ms", "aSI"),
        Case("{ kind = client } | max(duration) = 300ms", "aSI"),
        Case("{ kind = client } | min(duration) < 60ms", "aSI"),
        Case("{ kind = client } | sum(duration) = 510ms", "aSI"),
        Case("max(duration) > 3s", ""),
        Case("max(duration) >= 1s | { status = error }", "a"),
        // Spans without a number do not count; without any number the spanset goes.
        Case("{ } | avg(.db.rows) = 2", "GacSIrp"),
        Case("{ } | sum(.db.rows) = 4", "GacSIrp"),
        Case("{ } | min(.missing) < 1", ""),
        Case("{ } | min(.missing) >= 1", ""),
        Case("{ } | max(.http.method) > 0", ""),
        Case("{ } | sum(.db.rows * 2) = 8", "GacSIrp"),
        Case("{ } | max(.amount) = 12.5", "GacSIrp"),
        // Groups.
        Case("{ } | by(resource.service.name)", "Garp cSI"),
        Case("{ } | by(kind)", "Gc aSI r p"),
        Case("by(resource.service.name) | count() > 3", "Garp"),
        Case("{ } | by(resource.service.name) | { kind = client } | count() > 1", "SI"),
        Case("{ } | by(.retry)", "G a cSIrp"),
        Case("{ } | by(resource.service.name) | by(kind)", "G a r p c SI"),
        Case("{ } | by(kind) | coalesce()", "GacSIrp"),
        Case("{ } | by(kind) | count() > 1 | coalesce()", "GacSI"),
        Case("{ } | by(kind) | count() > 1 | coalesce() | { } > { }", "acSI"),
        Case("{ } | by(1 + .db.rows)", "Gacrp S I"),
        Case("{ } | by(kind) | ({ name = \"a\" } || { duration > 350ms })", "G r"),
        // Columns change nothing.
        Case("{ kind = client } | select(name, .http.method)", "aSI"),
        Case("select(duration)", "GacSIrp"),
        // Pipelines as operands.
        Case("({ kind = client } | count() > 2) && ({ kind = server } | count() = 2)", "GacSI"),
        Case("({ kind = client } | count() > 3) || ({ kind = server } | count() = 2)", "Gc"),
        Case("({ kind = client } | count() > 3) && ({ kind = server } | count() = 2)", ""),
        Case("({ kind = server } | count() > 1) > ({ kind = client } | count() > 1)", "aSI"),
        Case("({ kind = client } | count() > 2) | { name = \"SELECT\" }", "S"),
        Case("{ kind = client } | count() > 2 with(most_recent=true)", "aSI"),
    ]

    @Test("filters", arguments: filters)
    func filter(_ example: Case) throws { #expect(try find(example.query) == example.expected) }

    @Test("comparisons and arithmetic", arguments: comparisons)
    func comparison(_ example: Case) throws { #expect(try find(example.query) == example.expected) }

    @Test("spansets and structure", arguments: structures)
    func structure(_ example: Case) throws { #expect(try find(example.query) == example.expected) }

    @Test("pipelines, aggregates and groups", arguments: pipelines)
    func pipeline(_ example: Case) throws { #expect(try find(example.query) == example.expected) }

    @Test("groups and aggregates leave their values on the spanset, select its columns")
    func values() throws {
        let query = try TraceQLQuery.checked(
            "{ kind = client } | by(resource.service.name) | sum(duration) > 1ms | count() > 1 | select(name, .db.rows)"
        ).get()
        let trace = QueryTrace(Shop.trace)
        let evaluator = QueryEvaluator(query)
        let result = evaluator.evaluate(trace)
        #expect(
            result.spansets.map(\.attributes) == [
                [
                    Spanset.Attribute(name: "by(resource.service.name)", value: .string("payments")),
                    Spanset.Attribute(name: "sum(duration)", value: .duration(210_000_000)),
                    Spanset.Attribute(name: "count()", value: .int(2)),
                ]
            ])
        #expect(evaluator.columns.map(\.description) == ["name", ".db.rows"])
        #expect(
            result.spansets[0].spans.map { evaluator.values(of: $0, in: trace) } == [
                [.string("SELECT"), .int(3)], [.string("INSERT"), .int(1)],
            ])
    }

    @Test("a trace without spans never matches")
    func noSpans() throws {
        let evaluator = QueryEvaluator(try TraceQLQuery.checked("{ }").get())
        #expect(!evaluator.matches(QueryTrace()))
    }
}
