import OTLP
import Scrubbing
import Testing
import Yams

/// Rules that set attributes.
@Suite struct ScrubSetTests {
    private static func rule(
        _ mode: Assignment.Mode = .upsert, _ value: Assignment.Value = .string("new"), keys: [String] = ["k"],
        in places: Set<ScrubPlace> = [.span], name: String = "set"
    ) -> ScrubRule {
        ScrubRule(name: name, action: .set(Assignment(value, mode: mode)), keys: keys, places: places)
    }

    private static let other = Entry("other", .int(7))
    private static let old = Entry("k", .string("old"))
    private static let new = Entry("k", .string("new"))

    struct Case: Sendable, CustomTestStringConvertible {
        var mode: Assignment.Mode
        var before: [String]
        var after: [String]
        var testDescription: String { "\(mode): \(before) becomes \(after)" }
    }

    @Test(
        "insert sets what is not there, update what is, upsert both",
        arguments: [
            Case(mode: .insert, before: [], after: ["new"]), Case(mode: .insert, before: ["old"], after: ["old"]),
            Case(mode: .update, before: [], after: []), Case(mode: .update, before: ["old"], after: ["new"]),
            Case(mode: .upsert, before: [], after: ["new"]), Case(mode: .upsert, before: ["old"], after: ["new"]),
            // Twice the same key is no valid OTLP: no old value may stay.
            Case(mode: .upsert, before: ["old", "older"], after: ["new", "new"]),
            Case(mode: .update, before: ["new"], after: ["new"]),
        ])
    func modes(one: Case) throws {
        for place in [ScrubPlace.span, .event, .link] {
            var scrubber = try Scrubber(Self.rule(one.mode, in: [place]))
            var span = TestSpan()
            let before = [Self.other] + one.before.map { Entry("k", .string($0)) }
            switch place {
            case .event: span.eventAttributes = before
            case .link: span.linkAttributes = before
            default: span.attributes = before
            }
            let bytes = span.bytes
            let scrubbed = try scrubber.scrubbed(bytes)
            let result = try TestSpan(scrubbed)
            let after = [Self.other] + one.after.map { Entry("k", .string($0)) }
            #expect(result.attributes == (place == .span ? after : []))
            #expect(result.eventAttributes == (place == .event ? after : []))
            #expect(result.linkAttributes == (place == .link ? after : []))
            #expect((scrubbed == bytes) == (one.before == one.after))
            // Everything else is as it was, in the same place.
            switch place {
            case .event: span.eventAttributes = after
            case .link: span.linkAttributes = after
            default: span.attributes = after
            }
            #expect(scrubbed == span.bytes)
            #expect(scrubber.totals == [UInt64(zip(one.before + [""], one.after).filter { $0 != $1 }.count)])
            // The second time nothing is left to do.
            #expect(try scrubber.scrubbed(scrubbed) == scrubbed)
        }
    }

    @Test(
        "values keep their types",
        arguments: [
            (Assignment.Value.int(-3), Value.int(-3)), (.double(1.5), .double(1.5)), (.bool(false), .bool(false)),
            (.bool(true), .bool(true)), (.string(""), .string("")),
            (.string(String(repeating: "ä", count: 300)), .string(String(repeating: "ä", count: 300))),
        ])
    func types(value: Assignment.Value, expected: Value) throws {
        var scrubber = try Scrubber(Self.rule(.upsert, value, keys: ["k", "second", "k"]))
        var span = TestSpan()
        span.attributes = [Self.old]
        let result = try TestSpan(try scrubber.scrubbed(span.bytes))
        #expect(result.attributes == [Entry("k", expected), Entry("second", expected)])
    }

    @Test("resources and scopes get attributes, empty ones too")
    func resources() throws {
        var scrubber = try Scrubber(Self.rule(in: [.resource, .scope]))
        var expected = ProtobufWriter()
        write(Self.new, field: 1, to: &expected)
        var output: [UInt8] = []
        _ = try scrubber.scrubResource(UnsafeRawBufferPointer(start: nil, count: 0), into: &output)
        #expect(output == expected.bytes)
        output = []
        expected = ProtobufWriter()
        expected.stringField(1, "library")
        let scope = expected
        write(Self.new, field: 3, to: &expected)
        _ = try scope.bytes.withUnsafeBytes { try scrubber.scrubScope($0, into: &output) }
        #expect(output == expected.bytes)
        #expect(scrubber.totals == [2])
        // Spans are not among its places.
        let span = TestSpan().bytes
        #expect(try scrubber.scrubbed(span) == span)
    }

    @Test("rules apply in their order: what is set is scrubbed by those behind, not by those before")
    func order() throws {
        let mask = ScrubRule(name: "mask", action: .mask(.init()), values: ["new|old"])
        let delete = ScrubRule(name: "delete", action: .delete, keys: ["k"])
        var span = TestSpan()
        span.attributes = [Self.old]
        func result(_ rules: [ScrubRule]) throws -> [Entry] {
            var scrubber = Scrubber(rules: try ScrubRules(rules: rules))
            return try TestSpan(try scrubber.scrubbed(span.bytes)).attributes
        }
        #expect(try result([mask, Self.rule()]) == [Self.new])
        #expect(try result([Self.rule(), mask]) == [Entry("k", .string("****"))])
        #expect(try result([delete, Self.rule(.insert)]) == [Self.new])
        #expect(try result([delete, Self.rule(.update)]) == [])
        #expect(try result([Self.rule(), delete]) == [])
        #expect(
            try result([
                Self.rule(.insert, .string("a"), keys: ["b"]), mask,
                Self.rule(.upsert, .int(1), keys: ["b"], name: "again"),
            ])
                == [Entry("k", .string("****")), Entry("b", .int(1))])
    }

    @Test("whoever reads the attribute is told that a rule sets it")
    func canChange() throws {
        for mode in Assignment.Mode.allCases {
            let scrubber = try Scrubber(Self.rule(mode, in: [.resource]))
            #expect(scrubber.canChange(attributeKey: "k", in: .resource))
            #expect(!scrubber.canChange(attributeKey: "k", in: .span))
            #expect(!scrubber.canChange(attributeKey: "other", in: .resource))
            #expect(!scrubber.canChangeSpanName && !scrubber.canChangeStatusMessage && !scrubber.canChangeEventName)
        }
    }

    @Test("an attribute by itself is set as in its span")
    func singleAttribute() throws {
        func body(_ entry: (String, String)) -> [UInt8] {
            var writer = ProtobufWriter()
            writer.stringField(1, entry.0)
            writer.messageField(2) { $0.stringField(1, entry.1) }
            return writer.bytes
        }
        for mode in Assignment.Mode.allCases {
            var scrubber = try Scrubber(Self.rule(mode))
            var output: [UInt8] = []
            let outcome = try body(("k", "old")).withUnsafeBytes { try scrubber.scrubAttribute($0, into: &output) }
            #expect(outcome == (mode == .insert ? .unchanged : .changed))
            #expect(output == (mode == .insert ? [] : body(("k", "new"))))
            #expect(
                try body(("z", "old")).withUnsafeBytes { try scrubber.scrubAttribute($0, into: &output) } == .unchanged)
        }
    }

    @Test("spans of any bytes are set or refused, and stay what a decoder reads")
    func damaged() throws {
        var scrubber = Scrubber(
            rules: try ScrubRules(rules: [
                Self.rule(.upsert, .int(5), keys: ["k", "m"], in: [.span, .event, .link]),
                ScrubRule(name: "delete", action: .delete, keys: ["other"]),
            ]))
        var span = TestSpan()
        span.attributes = [Self.other, Self.old]
        span.eventAttributes = [Self.old]
        let bytes = span.bytes
        var refused = 0
        for index in bytes.indices {
            for change: UInt8 in [0x01, 0x08, 0x80, 0xff] {
                var changed = bytes
                changed[index] ^= change
                guard Self.isReadable(changed) else {
                    refused += 1
                    // No trap; what comes out of it does not matter.
                    _ = try? scrubber.scrubbed(changed)
                    continue
                }
                let result = try scrubber.scrubbed(changed)
                #expect(Self.isReadable(result))
                result.withUnsafeBytes { bytes in
                    for key in ["k", "m"] {
                        guard case .int(5)? = AttributeLookup.value(of: Array(key.utf8), in: bytes, .span) else {
                            Issue.record("byte \(index) ^ \(change): no \(key)")
                            continue
                        }
                    }
                    if AttributeLookup.value(of: Array("other".utf8), in: bytes, .span) != nil {
                        Issue.record("other is there")
                    }
                }
            }
        }
        #expect(refused > 0)
    }

    private static func isReadable(_ span: [UInt8]) -> Bool {
        span.withUnsafeBytes { (try? OTLPDecoder.decodeSpan($0)) != nil }
    }

    // MARK: - Files

    private static func parse(_ fields: String) throws -> ScrubRules {
        let node = try Yams.compose(yaml: "rules:\n  - { name: r, action: set, \(fields) }")
        return try ScrubRules.parse(yaml: try #require(node), file: "scrub.yaml")
    }

    @Test(
        "values are numbers, true or false where they are written so, and texts where they are quoted",
        arguments: [
            ("5", Assignment.Value.int(5)), ("-5", .int(-5)), ("1.5", .double(1.5)), ("1e3", .double(1000)),
            ("true", .bool(true)), ("False", .bool(false)), ("'true'", .string("true")), ("\"5\"", .string("5")),
            ("\"\"", .string("")), ("yes", .string("yes")), ("0x10", .string("0x10")), ("inf", .string("inf")),
            ("1.2.3", .string("1.2.3")), ("a b", .string("a b")), ("9223372036854775808", .double(0x1p63)),
        ])
    func fileValues(text: String, value: Assignment.Value) throws {
        let rules = try Self.parse("mode: insert, keys: k, where: span, value: \(text)")
        #expect(rules.rules.map(\.action) == [.set(Assignment(value, mode: .insert))])
    }

    @Test(
        "what is wrong with a rule that sets is said, with the nearest right name",
        arguments: [
            ("keys: k, where: span", "rules[0].value: a rule that sets attributes needs a value"),
            ("keys: k, where: span, value: [a]", "rules[0].value: expected a text, a number, true or false"),
            ("keys: k, where: span, value: ~", "rules[0].value: the value is empty; an empty text is written \"\""),
            (
                "keys: k, where: span, value: a, mode: upsrt",
                "rules[0].mode: unknown mode \"upsrt\", expected insert, update or upsert; did you mean \"upsert\"?"
            ),
            ("where: span, value: a", "rules[0]: sets nothing; expected keys"),
            ("keys: 'a.*', where: span, value: a", "rules[0].keys[0]: a key that is set is written in full, without *"),
            (
                "keys: k, value: a",
                "rules[0]: expected where: the places at which attributes are set, span, event, link, resource or scope"
            ),
            (
                "keys: k, where: name, value: a",
                "rules[0].where: keys select attributes, and a name or status has none; "
            ),
            (
                "keys: k, where: span, value: a, values: b",
                "rules[0].values: a rule that sets attributes has keys only; leave values out"
            ),
            ("keys: k, where: span, value: a, with: b", "rules[0].with: with belongs to action mask, not to set"),
        ])
    func fileMistakes(fields: String, message: String) throws {
        let error = #expect(throws: ScrubRuleError.self) { try Self.parse(fields) }
        #expect(error?.problems.count == 1, "\(String(describing: error))")
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }

    @Test("value belongs to set")
    func foreignField() throws {
        let node = try #require(try Yams.compose(yaml: "rules: [{ name: r, action: delete, keys: k, value: v }]"))
        let error = #expect(throws: ScrubRuleError.self) { try ScrubRules.parse(yaml: node) }
        #expect(error?.description.contains("value belongs to action set, not to delete") == true)
    }
}
