import Scrubbing
import Testing

private let secret = "s3cr3t-XYZZY"
private let hashKey = "test key"

private let actions: [ScrubRule.Action] = [
    .delete, .mask(.init()), .mask(.init(keepFirst: 1, keepLast: 2, replacement: "<hidden>")), .hash(key: hashKey),
    .truncate(length: 4),
]

/// What `action` makes of the secret; nil when the attribute goes.
private func expected(_ action: ScrubRule.Action) -> String? {
    switch action {
    case .delete: nil
    case .mask(let mask): mask.keepFirst == 0 ? "****" : "s<hidden>ZY"
    case .hash: "d3bfb16392097b6f"
    case .truncate: "s3cr"
    case .set: "another value: see ScrubSetTests"
    }
}

/// A span with the secret everywhere: as whole values under `key`, and inside texts.
private func spanOfSecrets(key: String) -> TestSpan {
    let entry = Entry(key, .string(secret))
    var span = TestSpan()
    span.name = "login \(secret) again"
    span.eventName = secret
    span.statusMessage = "bad: \(secret)"
    span.attributes = [
        Entry("http.method", .string("GET")), entry,
        Entry("nested", .map([Entry("inner", .map([entry])), Entry("list", .array([.string("a"), .map([entry])]))])),
    ]
    span.eventAttributes = [entry, Entry("kept", .int(7))]
    span.linkAttributes = [entry]
    return span
}

@Suite struct ScrubActionTests {
    @Test(arguments: actions)
    func keysSelectAttributesInEveryPlace(_ action: ScrubRule.Action) throws {
        let rule = ScrubRule(name: "r", action: action, keys: ["the.key"])
        var scrubber = try Scrubber(rule)
        let entry = Entry("the.key", .string(secret))
        var span = spanOfSecrets(key: "the.key")
        (span.name, span.eventName, span.statusMessage) = ("n", "e", "s")
        let bytes = try scrubber.scrubbed(span.bytes)
        #expect(!bytes.contains(secret))
        #expect(bytes.contains("unknown"))
        let left = expected(action).map { [Entry("the.key", .string($0))] } ?? []
        let result = try TestSpan(bytes)
        #expect(
            result.attributes == [
                Entry("http.method", .string("GET"))
            ] + left + [
                Entry("nested", .map([Entry("inner", .map(left)), Entry("list", .array([.string("a"), .map(left)]))]))
            ])
        #expect(result.eventAttributes == left + [Entry("kept", .int(7))])
        #expect(result.linkAttributes == left)
        #expect((result.name, result.eventName, result.statusMessage) == ("n", "e", "s"))

        let resource = try scrubber.scrub(resource: attributesMessage([entry], field: 1))
        #expect(try attributes(in: resource, field: 1) == left)
        let scope = try scrubber.scrub(scope: attributesMessage([entry], field: 3))
        #expect(try attributes(in: scope, field: 3) == left)
        #expect(scrubber.totals == [7])
    }

    @Test("keys that match a pattern are selected, also inside maps")
    func keyPatternsSelectAttributes() throws {
        var scrubber = try Scrubber(
            ScrubRule(name: "r", action: .mask(.init()), keyPatterns: ["(?i)to+ken", "^pass"], places: [.span]))
        var span = TestSpan()
        span.attributes = [
            Entry("My-TOKEN", .string(secret)), Entry("password", .int(7)), Entry("bypass", .string("b")),
            Entry("map", .map([Entry("token", .string(secret)), Entry("kept", .string("c"))])),
        ]
        span.eventAttributes = [Entry("token", .string("d"))]
        let result = try TestSpan(try scrubber.scrubbed(span.bytes))
        #expect(
            result.attributes == [
                Entry("My-TOKEN", .string("****")), Entry("password", .string("****")), Entry("bypass", .string("b")),
                Entry("map", .map([Entry("token", .string("****")), Entry("kept", .string("c"))])),
            ])
        #expect(result.eventAttributes == [Entry("token", .string("d"))])
        #expect(scrubber.canChange(attributeKey: "TOKEN") && !scrubber.canChange(attributeKey: "bypass"))
    }

    @Test("exceptions keep their values whole, whatever selects them", arguments: [[ScrubPlace.span], nil])
    func exceptionsAreLeftAlone(_ places: [ScrubPlace]?) throws {
        var scrubber = try Scrubber(
            rules: try ScrubRules(rules: [
                ScrubRule(
                    name: "allowed", action: .delete, keys: ["*"], places: places.map(Set.init),
                    exceptions: ["order", "http.*"], exceptionPatterns: ["^safe"]),
                ScrubRule(
                    name: "values", action: .mask(.init()), values: ["s3cr3t[-A-Z]+"], places: places.map(Set.init),
                    exceptions: ["http.url"]),
            ]))
        var span = TestSpan()
        span.attributes = [
            Entry("order", .map([Entry("inner", .string("a")), Entry("deep", .array([.map([Entry("x", .int(1))])]))])),
            Entry("http.url", .string(secret)), Entry("http.route", .string("/\(secret)")), Entry("safe1", .int(2)),
            Entry("unsafe", .string("b")), Entry("other", .double(3)),
        ]
        let result = try TestSpan(try scrubber.scrubbed(span.bytes))
        #expect(
            result.attributes == [
                span.attributes[0], Entry("http.url", .string(secret)), Entry("http.route", .string("/****")),
                Entry("safe1", .int(2)),
            ])
        #expect(!scrubber.canChange(attributeKey: "http.url") && scrubber.canChange(attributeKey: "http.route"))
        #expect(scrubber.canChange(attributeKey: "x") && scrubber.canChange(attributeKey: "safe"))
    }

    @Test(arguments: actions)
    func valuesSelectPartsOfEveryText(_ action: ScrubRule.Action) throws {
        var scrubber = try Scrubber(ScrubRule(name: "r", action: action, values: ["s3cr3t-[A-Z]+"]))
        let bytes = try scrubber.scrubbed(spanOfSecrets(key: "k").bytes)
        #expect(!bytes.contains(secret))
        let part = expected(action) ?? "[deleted]"
        let left = expected(action).map { [Entry("k", .string($0))] } ?? []
        let result = try TestSpan(bytes)
        #expect(result.name == "login \(part) again")
        #expect(result.eventName == part)
        #expect(result.statusMessage == "bad: \(part)")
        #expect(result.eventAttributes == left + [Entry("kept", .int(7))])
        #expect(result.linkAttributes == left)
        #expect(result.attributes.count == 2 + left.count)
        let text = scrubber.scrubName("a \(secret), b \(secret)")
        #expect(text == "a \(part), b \(part)")
        #expect(scrubber.scrubName("plain") == "plain")
    }

    @Test func keysAndValuesTogetherSelectPartsOfThoseAttributesOnly() throws {
        var scrubber = try Scrubber(
            ScrubRule(name: "r", action: .mask(.init(replacement: "token=*")), keys: ["url.*"], values: ["token=[^&]+"])
        )
        #expect(
            try scrubber.scrub("url.full", .string("/a?token=abc&x=1&token=d")) == .string("/a?token=*&x=1&token=*"))
        #expect(try scrubber.scrub("other", .string("/a?token=abc")) == .string("/a?token=abc"))
        #expect(scrubber.scrubName("/a?token=abc") == "/a?token=abc")
    }

    @Test func deletingByValueRemovesTheWholeAttributeElementOrEntry() throws {
        var scrubber = try Scrubber(ScrubRule(name: "r", action: .delete, values: ["secret"]))
        #expect(try scrubber.scrub("a", .string("a secret here")) == nil)
        #expect(
            try scrubber.scrub("a", .array([.string("x"), .string("secret"), .int(3)]))
                == .array([.string("x"), .int(3)]))
        let map = Value.map([Entry("p", .string("secret")), Entry("q", .string("r"))])
        #expect(try scrubber.scrub("a", map) == .map([Entry("q", .string("r"))]))
    }

    @Test func placesLimitARule() throws {
        for place in ScrubPlace.allCases {
            var scrubber = try Scrubber(ScrubRule(name: "r", action: .mask(.init()), values: [secret], places: [place]))
            let result = try scrubber.scrub(spanOfSecrets(key: "k"))
            let original = spanOfSecrets(key: "k")
            #expect((result.name != original.name) == (place == .name))
            #expect((result.statusMessage != original.statusMessage) == (place == .status))
            #expect((result.attributes != original.attributes) == (place == .span))
            #expect((result.eventAttributes != original.eventAttributes) == (place == .event))
            #expect((result.eventName != original.eventName) == (place == .event))
            #expect((result.linkAttributes != original.linkAttributes) == (place == .link))
            let resource = attributesMessage([Entry("k", .string(secret))], field: 1)
            #expect((try scrubber.scrub(resource: resource) != resource) == (place == .resource))
            let scope = attributesMessage([Entry("k", .string(secret))], field: 3)
            #expect((try scrubber.scrub(scope: scope) != scope) == (place == .scope))
        }
    }

    @Test func otherTypesBecomeStringsWhenTheyAreSelected() throws {
        var mask = try Scrubber(ScrubRule(name: "r", action: .mask(.init(keepLast: 1)), keys: ["k"]))
        #expect(try mask.scrub("k", .int(-123_456)) == .string("****6"))
        #expect(try mask.scrub("k", .bool(true)) == .string("****e"))
        #expect(try mask.scrub("k", .double(2.5)) == .string("****5"))
        #expect(try mask.scrub("k", .bytes([1, 2, 3, 4])) == .string("****="))
        #expect(
            try mask.scrub("k", .array([.int(77), .string("abc"), .array([.bool(false)])]))
                == .array([.string("****7"), .string("****c"), .array([.string("****e")])]))
        #expect(try mask.scrub("k", .map([Entry("x", .int(123))])) == .map([Entry("x", .string("****3"))]))
        #expect(try mask.scrub("k", .none) == Value.none)
        #expect(try mask.scrub("k", .string("")) == .string(""))

        var delete = try Scrubber(ScrubRule(name: "r", action: .delete, keys: ["k"]))
        for value: Value in [.int(1), .bool(true), .double(1), .bytes([1]), .array([.int(1)]), .map([]), .none] {
            #expect(try delete.scrub("k", value) == nil)
        }

        var hash = try Scrubber(ScrubRule(name: "r", action: .hash(key: hashKey), keys: ["k"]))
        #expect(try hash.scrub("k", .int(42)) == hash.scrub("k", .string("42")))
        #expect(try hash.scrub("k", .bytes(Array("42".utf8))) == hash.scrub("k", .string("42")))

        var truncate = try Scrubber(ScrubRule(name: "r", action: .truncate(length: 3), keys: ["k"]))
        #expect(try truncate.scrub("k", .int(12345)) == .string("123"))
        #expect(try truncate.scrub("k", .int(12)) == .int(12))
    }

    @Test func nestedEntriesAreFoundByTheirPath() throws {
        var scrubber = try Scrubber(ScrubRule(name: "r", action: .delete, keys: ["user.auth.password"]))
        let auth = Value.map([Entry("password", .string("x")), Entry("method", .string("basic"))])
        let rest = Value.map([Entry("auth", .map([Entry("method", .string("basic"))]))])
        #expect(try scrubber.scrub("user", .map([Entry("auth", auth)])) == rest)
        #expect(try scrubber.scrub("user", .array([.map([Entry("auth", auth)])])) == .array([rest]))
        #expect(try scrubber.scrub("other", .map([Entry("auth", auth)])) == .map([Entry("auth", auth)]))
    }

    @Test func masksHideEverythingWhenTooLittleWouldBeHidden() throws {
        var scrubber = try Scrubber(ScrubRule(name: "r", action: .mask(.init(keepFirst: 1, keepLast: 1)), keys: ["k"]))
        #expect(try scrubber.scrub("k", .string("abc")) == .string("****"))
        #expect(try scrubber.scrub("k", .string("abcd")) == .string("a****d"))
        #expect(try scrubber.scrub("k", .string("é≤∑😀")) == .string("é****😀"))
    }

    @Test func truncationNeverSplitsACharacter() throws {
        let text = "aé≤😀z"
        for length in 0...6 {
            var scrubber = try Scrubber(ScrubRule(name: "r", action: .truncate(length: length), keys: ["k"]))
            #expect(try scrubber.scrub("k", .string(text)) == .string(String(text.prefix(length))))
        }
    }

    @Test func rulesApplyInOrder() throws {
        var scrubber = try Scrubber(
            ScrubRule(name: "a", action: .mask(.init(replacement: "two")), values: ["one"]),
            ScrubRule(name: "b", action: .mask(.init(replacement: "three")), values: ["two"]),
            ScrubRule(name: "c", action: .mask(.init(replacement: "never")), values: ["one"]))
        #expect(try scrubber.scrub("k", .string("one two")) == .string("three three"))
        #expect(scrubber.totals == [1, 1, 0])
    }

    @Test func keyPatternsTakeAnyCharacters() throws {
        var scrubber = try Scrubber(ScrubRule(name: "r", action: .delete, keys: ["*.password", "http.*.cookie", "x*"]))
        for key in ["user.password", "a.b.password", ".password", "http.request.header.cookie", "x", "xyz"] {
            #expect(try scrubber.scrub(key, .int(1)) == nil, "\(key)")
        }
        for key in ["password", "user.passwords", "http.cookie", "http.request.cookies", "ax"] {
            #expect(try scrubber.scrub(key, .int(1)) == .int(1), "\(key)")
        }
    }

    @Test func keysThatShareLengthAndFirstEightBytesAreToldApart() throws {
        let keys = (0..<50).map { "common.prefix.\($0 + 10)" } + ["a", "b", "ab", String(repeating: "k", count: 300)]
        var scrubber = try Scrubber(ScrubRule(name: "r", action: .delete, keys: keys))
        for key in keys { #expect(try scrubber.scrub(key, .int(1)) == nil) }
        for key in ["common.prefix.99", "c", "ba", "", String(repeating: "k", count: 299)] {
            #expect(try scrubber.scrub(key, .int(1)) == .int(1))
        }
    }

    @Test func readersKnowWhatCanChange() throws {
        let byKey = try Scrubber(ScrubRule(name: "r", action: .delete, keys: ["user.*"], places: [.span]))
        #expect(byKey.canChange(attributeKey: "user.id"))
        #expect(!byKey.canChange(attributeKey: "user.id", in: .resource))
        #expect(!byKey.canChange(attributeKey: "http.method"))
        #expect(!byKey.canChangeSpanName && !byKey.canChangeStatusMessage && !byKey.canChangeEventName)
        let byValue = try Scrubber(ScrubRule(name: "r", action: .delete, detectors: [.email]))
        #expect(byValue.canChange(attributeKey: "http.method"))
        #expect(byValue.canChangeSpanName && byValue.canChangeStatusMessage && byValue.canChangeEventName)
    }

    @Test func anAttributeCanBeScrubbedOnItsOwn() throws {
        var scrubber = try Scrubber(
            ScrubRule(name: "d", action: .delete, keys: ["gone"]),
            ScrubRule(name: "m", action: .mask(.init()), keys: ["masked"]))
        for (key, outcome) in [("gone", Scrubber.AttributeOutcome.deleted), ("masked", .changed), ("kept", .unchanged)]
        {
            // A resource's first field is its first attribute: tag, length, body.
            let body = Array(attributesMessage([Entry(key, .string("v"))], field: 1).dropFirst(2).dropLast(2))
            var output: [UInt8] = []
            #expect(try body.withUnsafeBytes { try scrubber.scrubAttribute($0, into: &output) } == outcome)
            #expect(output.isEmpty == (outcome != .changed))
        }
    }
}
