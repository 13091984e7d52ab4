import Testing

@testable import Patterns

@Suite struct TextMatcherTests {
    @Test(
        "an unanchored pattern matches anywhere, as Go's MatchString",
        arguments: [
            ("v1", "grpc.v1.Health", true), ("^v1", "grpc.v1", false), ("v1$", "grpc.v1", true), ("", "", true),
            (".*", "", true), ("a*", "bbb", true), ("^$", "x", false), ("(?i)ERROR", "an error", true),
            (#"^/api/.*/health$"#, "/api/v2/health", true), (#"^/api/.*/health$"#, "/api/v2/healthz", false),
            (#"\bcat\b"#, "concat", false), (#"\bcat\b"#, "a cat.", true), ("é+", "caféé", true), ("x|y|", "q", true),
        ])
    func unanchored(_ pattern: String, _ text: String, _ expected: Bool) throws {
        var matcher = try TextMatcher(pattern)
        #expect(matcher.matches(text) == expected)
        // The second time the states are known.
        #expect(matcher.matches(text) == expected)
    }

    @Test(
        "an anchored pattern must match the whole text",
        arguments: [
            ("a|ab", "ab", true), ("ab", "abc", false), ("bc", "abc", false), ("a.*", "abc", true), ("", "", true),
            ("", "a", false), ("a|b.*", "axx", false), ("a*?", "aaa", true),
        ])
    func anchored(_ pattern: String, _ text: String, _ expected: Bool) throws {
        var matcher = try TextMatcher(pattern, isAnchored: true)
        #expect(matcher.matches(text) == expected)
    }

    @Test("a matcher that finds and a pattern that locates agree on random texts")
    func agreesWithTextPattern() throws {
        var random = SeededGenerator(seed: 11)
        for pattern in ["ab+c", "(a|b)*cc", "[^a]c\\b", "^b.*c$", "a{2,3}b"] {
            var matcher = try TextMatcher(pattern)
            var locator = try TextPattern(pattern)
            for _ in 0..<300 {
                var text = String(
                    (0..<Int.random(in: 0..<12, using: &random)).map { _ in "abc ".randomElement(using: &random)! })
                let isFound = text.withUTF8 { locator.firstMatch(in: UnsafeRawBufferPointer($0), from: 0) != nil }
                #expect(matcher.matches(text) == isFound, "\(pattern) on \(text)")
            }
        }
    }
}
