import Pipeline
import Testing
import TraceModel

@testable import Sampling

/// Policies on attributes and other parts of single spans, where the conformance cases say nothing.
struct AttributePolicyTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var policy: String
        var value: AttributeValue?
        var isKept: Bool

        var testDescription: String { "\(policy) on \(value?.text ?? "nothing")" }
    }

    private static func numeric(_ rest: String) -> String {
        "{ name: p, type: numeric_attribute, numeric_attribute: { key: k, \(rest) } }"
    }
    private static func string(_ rest: String) -> String {
        "{ name: p, type: string_attribute, string_attribute: { key: k, \(rest) } }"
    }
    private static func boolean(_ rest: String) -> String {
        "{ name: p, type: boolean_attribute, boolean_attribute: { key: k, \(rest) } }"
    }

    static let cases: [Case] = [
        Case(policy: numeric("min_value: 0, max_value: 0"), value: .int(0), isKept: true),
        Case(policy: numeric("min_value: 0, max_value: 0"), value: .int(5), isKept: false),
        Case(policy: numeric("max_value: -1"), value: .int(-3), isKept: true),
        Case(policy: numeric("min_value: 1, max_value: 2"), value: .double(1.5), isKept: true),
        Case(policy: numeric("min_value: 1, max_value: 2"), value: .double(2.01), isKept: false),
        Case(policy: numeric("min_value: 1.5"), value: .int(1), isKept: false),
        Case(policy: numeric("min_value: 1.5"), value: .int(2), isKept: true),
        Case(policy: numeric("min_value: 9223372036854775807"), value: .int(.max - 1), isKept: false),
        Case(policy: numeric("min_value: 9223372036854775807"), value: .int(.max), isKept: true),
        Case(policy: numeric("max_value: 10"), value: .bool(true), isKept: false),
        Case(policy: numeric("max_value: 10"), value: .double(.nan), isKept: false),
        Case(policy: numeric("max_value: 10, invert_match: true"), value: nil, isKept: true),
        Case(policy: numeric("max_value: 10, invert_match: true"), value: .int(3), isKept: false),
        Case(policy: string("values: [\"true\"]"), value: .bool(true), isKept: false),
        Case(policy: string("values: [A]"), value: .string("a"), isKept: false),
        Case(policy: string("values: [\"\"]"), value: .string(""), isKept: false),
        Case(policy: string("values: [\".*\"], enabled_regex_matching: true"), value: .string(""), isKept: false),
        Case(policy: string("values: [\".*\"], enabled_regex_matching: true"), value: .string("x"), isKept: true),
        Case(policy: string("values: [b+, ^z], enabled_regex_matching: true"), value: .string("abba"), isKept: true),
        Case(policy: string("values: [\"^b+$\"], enabled_regex_matching: true"), value: .string("abba"), isKept: false),
        Case(policy: boolean("value: false"), value: .bool(false), isKept: true),
        Case(policy: boolean("value: false"), value: .string("x"), isKept: false),
        Case(policy: boolean("value: true, invert_match: true"), value: nil, isKept: true),
    ]

    @Test("a span attribute is judged by its type and value", arguments: cases)
    func spanAttribute(one: Case) throws {
        let run = try PolicyRun(policy: one.policy)
        try run.send(1, one.value.map { [Attribute("other", .int(1)), Attribute("k", $0)] } ?? [])
        #expect(run.keeps(1) == one.isKept)
    }

    @Test("a resource attribute counts for every span of the resource, and only for those")
    func resourceAttribute() throws {
        let run = try PolicyRun(policy: Self.string("values: [gold]"))
        let gold = [Attribute("k", .string("gold"))]
        try run.send(1, resource: gold)
        try run.send(2, resource: [Attribute("k", .string("silver"))])
        try run.send(3, at: 1001, resource: gold)
        try run.send(2, at: 1001, parent: 1)
        #expect(run.keeps(1) && run.keeps(3) && !run.keeps(2))
    }

    @Test("an empty text of a resource is a value, as in the Collector")
    func emptyResourceText() throws {
        let run = try PolicyRun(policy: Self.string("values: [\"^$\"], enabled_regex_matching: true"))
        try run.send(1, resource: [Attribute("k", .string(""))])
        #expect(run.keeps(1))
    }

    @Test("keys of all lengths are told apart")
    func keyLengths() throws {
        for length in [1, 7, 8, 9, 16, 62, 63, 64, 200] {
            let key = String(repeating: "a", count: length)
            let run = try PolicyRun(
                policy: "{ name: p, type: string_attribute, string_attribute: { key: \(key)x, values: [v] } }")
            try run.send(1, [Attribute(key + "y", .string("v")), Attribute(key, .string("v"))])
            try run.send(2, [Attribute(key + "y", .string("v")), Attribute(key + "x", .string("v"))])
            #expect(!run.keeps(1) && run.keeps(2), "length \(length)")
        }
    }

    @Test("what a resource is known to match is forgotten with the resource")
    func sweptResources() throws {
        let run = try PolicyRun("decision_wait: 1s\npolicies: [\(Self.string("values: [yes]"))]")
        // Many more resources than are kept when nobody uses them: their numbers are given to others.
        for round in 0..<6 {
            for index in 0..<1500 {
                let number = UInt64(round * 1500 + index + 1)
                try run.send(
                    number, at: 1000 + Int64(round) * 5000,
                    resource: [
                        Attribute("service.name", .string("s\(number)")),
                        Attribute("k", .string(number % 2 == 0 ? "yes" : "no")),
                    ])
            }
        }
        run.driver.closeAll()
        let wrong = run.driver.decisions.filter { $0.isKept != ($0.traceID.low % 2 == 0) }
        #expect(run.driver.decisions.count == 9000 && wrong.isEmpty, "\(wrong.count) wrong")
    }

    @Test("more conditions than a word has bits are all tested", arguments: [63, 64, 65, 127, 128, 129, 300])
    func manyConditions(count: Int) throws {
        let policies = (0..<count).map {
            "{ name: p\($0), type: string_attribute, string_attribute: { key: k, values: [v\($0)] } }"
        }
        let run = try PolicyRun("policies: [\(policies.joined(separator: ", "))]")
        for index in 0..<count {
            try run.send(UInt64(index + 1), [Attribute("k", .string("v\(index)"))])
            try run.send(UInt64(index + 1), [Attribute("k", .string("w"))], parent: 1)
        }
        try run.send(9999, [Attribute("k", .string("w"))])
        for index in 0..<count {
            #expect(run.decision(UInt64(index + 1))?.policy == "p\(index)")
        }
        #expect(!run.keeps(9999))
    }

    @Test("a slot of the window starts without what its last trace had met", arguments: [3, 100])
    func reusedSlots(count: Int) throws {
        let policies = (0..<count).map {
            "{ name: p\($0), type: string_attribute, string_attribute: { key: k, values: [v\($0)] } }"
        }
        let run = try PolicyRun("policies: [\(policies.joined(separator: ", "))]")
        try run.send(1, at: 1000, [Attribute("k", .string("v\(count - 1)"))])
        run.driver.advance(to: 5000)
        try run.send(2, at: 5000, [Attribute("k", .string("w"))])
        #expect(run.keeps(1) && !run.keeps(2))
    }

    @Test(
        "a tracestate is read as W3C says",
        arguments: [
            ("vendor=v1", true), ("a=b , vendor=v1", true), ("vendor=v1x", false), ("vendor=", false),
            ("vendor=v1,vendor=v1", false), ("Vendor=v1", false), ("vendor=v1,=x", false), ("vendor=v1,,a=b", true),
            (String(repeating: "a=b,", count: 32) + "vendor=v1", false), ("vendor=v2", true), ("", false),
        ])
    func traceState(text: String, isKept: Bool) throws {
        let run = try PolicyRun(
            policy: "{ name: p, type: trace_state, trace_state: { key: vendor, values: [v1, v2] } }")
        try run.send(1, state: text)
        #expect(run.keeps(1) == isKept)
    }

    @Test("a pattern runs once for a value that is seen again, and memory for values is bounded")
    func patternCache() throws {
        let test = try StringTest(patterns: ["^a.*z$"], cacheSize: 4)
        var random = SeededRandom(seed: 5)
        for _ in 0..<5000 {
            let text = (Bool.random(using: &random) ? "a" : "b") + "\(Int.random(in: 0..<40, using: &random))z"
            let isAccepted = Array(text.utf8).withUnsafeBytes { test.accepts($0) }
            #expect(isAccepted == text.hasPrefix("a"))
        }
    }
}
