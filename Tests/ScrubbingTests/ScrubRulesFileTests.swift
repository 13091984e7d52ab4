import Foundation
import Scrubbing
import Testing
import Yams

private func parse(_ yaml: String) throws -> ScrubRules {
    try ScrubRules.parse(yaml: try #require(try Yams.compose(yaml: yaml)), file: "scrub.yaml")
}

private func shippedFile() throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return try String(contentsOf: root.appendingPathComponent("config/scrub.yaml"), encoding: .utf8)
}

@Suite struct ScrubRulesFileTests {
    @Test func everyOptionIsRead() throws {
        let rules = try parse(
            """
            rules:
              - { name: a, action: delete, keys: [x, 'y.*'], where: [span, event] }
              - { name: b, action: mask, values: 'a+', keep_first: 1, keep_last: 2, with: '#' }
              - { name: c, action: hash, detect: [email, jwt], key: k, where: name }
              - name: d
                action: truncate
                keys: db.statement
                length: 10
              - { name: e, action: delete, key_patterns: '(?i)a$', except: b, except_patterns: [c, d] }
            """)
        #expect(
            rules.rules == [
                ScrubRule(name: "a", action: .delete, keys: ["x", "y.*"], places: [.span, .event]),
                ScrubRule(
                    name: "b", action: .mask(.init(keepFirst: 1, keepLast: 2, replacement: "#")), values: ["a+"]),
                ScrubRule(name: "c", action: .hash(key: "k"), detectors: [.email, .jwt], places: [.name]),
                ScrubRule(name: "d", action: .truncate(length: 10), keys: ["db.statement"]),
                ScrubRule(
                    name: "e", action: .delete, keyPatterns: ["(?i)a$"], exceptions: ["b"],
                    exceptionPatterns: ["c", "d"]),
            ])
        #expect(rules.names == ["a", "b", "c", "d", "e"])
    }

    @Test func everythingWrongIsReportedAtOnceWithItsPlace() throws {
        let error = #expect(throws: ScrubRuleError.self) {
            try parse(
                """
                rules:
                  - { name: a, action: delte, keys: [x] }
                  - { name: a, action: mask, key: [x], values: ['ok', '(b'] }
                  - { name: c, action: hash, keys: [x], lenght: 3 }
                  - { action: truncate, detect: [card_numbr, email], where: [spam], length: ten }
                  - { name: e, action: delete }
                  - { name: f, action: delete, keys: [x], where: [name] }
                  - { name: g, action: delete, keys: [x, [y]], keep_last: 2 }
                  - { name: h, action: mask, values: 'x*', keep_first: -1 }
                  - { name: i, action: hash, keys: [k], key: '${SECRET}' }
                  - oops
                rule: []
                """)
        }
        let expected = """
            scrub.yaml:2:24: rules[0].action: unknown action "delte", expected delete, mask, hash, truncate or set; did you mean "delete"?
            scrub.yaml:3:13: rules[1].name: "a" is already the name of rules[0]
            scrub.yaml:3:30: rules[1].key: key belongs to action hash, not to mask
            scrub.yaml:3:55: rules[1].values[1]: missing ) (character 1 of the pattern)
            scrub.yaml:4:5: rules[2].key: a rule that hashes needs a key
            scrub.yaml:4:41: rules[2].lenght: unknown key "lenght", expected name, action, keys, key_patterns, values, detect, where, except, except_patterns or key; did you mean "length"?
            scrub.yaml:5:5: rules[3].name: name is missing
            scrub.yaml:5:34: rules[3].detect[0]: unknown name "card_numbr", expected card_number, email, jwt, ipv4 or authorization; did you mean "card_number"?
            scrub.yaml:5:62: rules[3].where[0]: unknown name "spam", expected span, event, link, resource, scope, name or status; did you mean "span"?
            scrub.yaml:5:77: rules[3].length: expected a whole number
            scrub.yaml:6:5: rules[4]: selects nothing; expected keys, key_patterns, values or detect
            scrub.yaml:7:50: rules[5].where: keys select attributes, and a name or status has none; leave keys out to search its text
            scrub.yaml:8:42: rules[6].keys[1]: expected a text
            scrub.yaml:8:48: rules[6].keep_last: keep_last belongs to action mask, not to delete
            scrub.yaml:9:38: rules[7].values[0]: the pattern matches the empty text, so every text (character 1 of the pattern)
            scrub.yaml:9:56: rules[7].keep_first: must be between 0 and 10000
            scrub.yaml:10:46: rules[8].key: the variable in the key was not expanded
            scrub.yaml:11:5: rules[9]: expected a mapping with name, action and keys, values or detect
            scrub.yaml:12:1: rule: unknown key "rule", expected rules; did you mean "rules"?
            """
        let lines = error?.description.split(separator: "\n").map(String.init) ?? []
        for (line, wanted) in zip(lines, expected.split(separator: "\n").map(String.init)) { #expect(line == wanted) }
        #expect(lines.count == 19)
    }

    @Test func aFileThatIsNoRulesFileIsAnError() throws {
        for yaml in ["[]", "text", "rules: 3", "{}", "rules: {a: b}"] {
            #expect(throws: ScrubRuleError.self, "\(yaml)") { try parse(yaml) }
        }
        #expect(try parse("rules: []").rules.isEmpty)
    }

    @Test func rulesMadeInCodeAreCheckedToo() throws {
        let error = #expect(throws: ScrubRuleError.self) {
            try ScrubRules(rules: [
                ScrubRule(name: "", action: .hash(key: ""), keys: ["", "ok"]),
                ScrubRule(name: "b", action: .truncate(length: -1), values: ["["]),
            ])
        }
        #expect(
            error?.problems.map(\.path)
                == ["rules[0].name", "rules[0].key", "rules[0].keys[0]", "rules[1].length", "rules[1].values[0]"])
        let many = (0..<65).map { ScrubRule(name: "r\($0)", action: .delete, keys: ["k"]) }
        #expect(throws: ScrubRuleError.self) { try ScrubRules(rules: many) }
        #expect(try ScrubRules(rules: Array(many.dropLast())).rules.count == 64)
    }

    @Test func theShippedRulesDoWhatTheySay() throws {
        let rules = try parse(try shippedFile())
        #expect(rules.names == ["passwords", "tokens", "user-ids", "cards"])
        var scrubber = Scrubber(rules: rules)
        var span = TestSpan()
        span.name = "charge 4111 1111 1111 1111"
        span.statusMessage = "declined: 5555-5555-5555-4444"
        span.attributes = [
            Entry("user.password", .string("hunter2")), Entry("user.token", .string("tok-1")),
            Entry("user.id", .string("u-123456")), Entry("http.route", .string("/cart")),
            Entry("body", .string("{\"pan\":\"378282246310005\"}")), Entry("pan", .int(4_111_111_111_111_111)),
        ]
        let result = try scrubber.scrub(span)
        #expect(result.name == "charge ****")
        #expect(result.statusMessage == "declined: ****")
        #expect(
            result.attributes == [
                Entry("user.id", .string("****56")), Entry("http.route", .string("/cart")),
                Entry("body", .string("{\"pan\":\"****\"}")), Entry("pan", .string("****")),
            ])
        #expect(scrubber.totals == [1, 1, 1, 4])
    }

    /// The examples in comments are what users switch on first.
    @Test func theShippedExamplesWork() throws {
        let yaml = try shippedFile().replacingOccurrences(of: "  # - ", with: "  - ")
            .replacingOccurrences(of: "  #  ", with: "   ").replacingOccurrences(of: "${SCRUB_KEY}", with: "a key")
        let rules = try parse(yaml)
        #expect(rules.rules.count == 18)
        var scrubber = Scrubber(rules: rules)
        let texts: [(String, String, String?)] = [
            ("aws.secret", "x", nil), ("http.request.header.cookie", "a=b", nil),
            ("note", "Authorization: Bearer abcdefgh123", "Authorization: ****"),
            ("note", "from jane@example.com", "from <e-mail>"),
            ("url.full", "https://a/b?Token=abc&x=1", "https://a/b?secret=****&x=1"),
            ("body", #"{"user":"u","password" : "p w"}"#, #"{"user":"u","secret":"****"}"#),
            ("db.connection", "postgres://bob:pw@host/db", "postgres://****@host/db"),
            ("note", "ssn 078-05-1120.", "ssn ****."),
            ("pem", "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----!", "****!"),
            ("db.statement", "SELECT 'a', 'b' FROM t", "SELECT ?, ? FROM t"),
            ("db.query.text", String(repeating: "é", count: 3000), String(repeating: "é", count: 2000)),
        ]
        for (key, text, expected) in texts {
            #expect(try scrubber.scrub(key, .string(text)) == expected.map { .string($0) }, "\(key): \(text)")
        }
        let hashed = try scrubber.scrub("client.address", .string("10.1.2.3"))
        #expect(hashed != .string("10.1.2.3"))
    }
}
