import Testing

@testable import Patterns

private func matches(_ pattern: String, in text: String) throws -> [String] {
    var compiled = try TextPattern(pattern)
    return matches(&compiled, in: text)
}

private func matches(_ pattern: inout TextPattern, in text: String) -> [String] {
    var text = text
    return text.withUTF8 { buffer in
        let bytes = UnsafeRawBufferPointer(buffer)
        var found: [String] = []
        var position = 0
        while let match = pattern.firstMatch(in: bytes, from: position) {
            found.append(String(decoding: bytes[match], as: UTF8.self))
            position = match.upperBound
        }
        return found
    }
}

@Suite struct TextPatternTests {
    @Test(arguments: [
        ("b+", "abbbcb", ["bbb", "b"]), ("a|ab", "abab", ["a", "a"]), ("ab|a", "abab", ["ab", "ab"]),
        ("a.*?c", "abcabc", ["abc", "abc"]), ("a.*c", "abcabc", ["abcabc"]), ("^a", "aa", ["a"]), ("a$", "aa", ["a"]),
        (#"\bcat\b"#, "cat concat cat_ cat", ["cat", "cat"]), ("(?i)PassWord", "pASSWORD", ["pASSWORD"]),
        ("(?i:a)b", "AbaBAB", ["Ab"]), ("[^a-c]+", "abxyzc≤é", ["xyz", "≤é"]), (".", "é≤😀", ["é", "≤", "😀"]),
        ("[à-ü]{2}", "xéèx", ["éè"]), ("≤+", "a≤≤b", ["≤≤"]), (#"\x41\u{e9}"#, "Aé", ["Aé"]),
        ("a.c", "a\nc", []), ("(?s)a.c", "a\nc", ["a\nc"]), ("x{2,3}", "xxxxx", ["xxx", "xx"]),
        ("x{2,3}?", "xxxxx", ["xx", "xx"]), ("(?<n>ab)+", "ababx", ["abab"]), (#"[\]\-\\]+"#, "a]-\\b", ["]-\\"]),
        ("[]a]+", "]a", ["]a"]), ("[a-]+", "a-", ["a-"]), (#"\Ba"#, "a ba", ["a"]), ("(a|b)*c", "ababc", ["ababc"]),
        ("x(|a)*", "xaa", ["x"]), ("x(|a)+", "xaa", ["x"]),
    ])
    func findsWhatPerlFinds(_ pattern: String, _ text: String, _ expected: [String]) throws {
        #expect(try matches(pattern, in: text) == expected)
    }

    @Test(arguments: [
        ("(a", 0, "missing )"), ("a)", 1, "unmatched )"), ("[a", 0, "missing ]"), ("*a", 0, "nothing to repeat"),
        ("a**", 2, "two quantifiers"), ("a++", 2, "possessive"), ("a{3,2}", 1, "below"), ("a{2000}", 2, "up to 1000"),
        ("(?=a)b", 0, "look-around"), ("(?<!a)b", 0, "look-around"), (#"(a)\1"#, 3, "backreferences"),
        (#"\q"#, 0, "unknown escape"),
        ("[z-a]", 1, "backwards"), ("a\\", 1, "ends with"), ("a*", 0, "empty text"), ("^$", 0, "empty text"),
        ("((a{1000}){1000}){1000}", 0, "too large"), ("[[:alpha:]]", 1, "POSIX"),
        (#"\u{d800}"#, 0, "no such character"),
        (String(repeating: "(", count: 5000), 100, "deeper"), ("a{", 2, "expected a number"), ("(?x)a", 0, "flags"),
    ])
    func saysWhatIsWrongAndWhere(_ pattern: String, _ offset: Int, _ message: String) {
        let error = #expect(throws: PatternError.self) { try TextPattern(pattern) }
        #expect(error?.offset == offset)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    /// Random patterns on random texts, against the standard library's backtracking engine.
    @Test func agreesWithSwiftsRegex() throws {
        var random = SeededGenerator(seed: 7)
        func pick(_ choices: [String]) -> String { choices.randomElement(using: &random) ?? "" }
        func pattern(_ depth: Int) -> String {
            let count = Int.random(in: 1...3, using: &random)
            return (0..<count).map { _ in
                if depth > 0, Bool.random(using: &random) {
                    let group = "(?:\(pattern(depth - 1))|\(pattern(depth - 1)))"
                    // Engines differ in how they leave a loop over something empty, and backtracking over loops in
                    // loops takes exponential time.
                    let isEmpty = (try? PatternParser.parse(group))?.matchesEmpty ?? true
                    return group + (isEmpty || depth > 1 ? pick(["", "?"]) : pick(["", "?", "*", "+", "{1,2}", "+?"]))
                }
                let atom = pick(["a", "b", "c", "[ab]", "[^a]", ".", #"\w"#, "é", #"\b"#, "_"])
                if atom == #"\b"# { return atom }
                return atom + pick(["", "", "", "+", "*", "?", "+?", "*?", "{1,2}", "{2}"])
            }.joined()
        }
        var compared = 0
        for _ in 0..<300 {
            let source = pattern(2)
            guard var own = try? TextPattern(source) else { continue }
            let theirs = try Regex(source).matchingSemantics(.unicodeScalar).asciiOnlyWordCharacters()
                .wordBoundaryKind(.simple)
            for _ in 0..<4 {
                let length = Int.random(in: 0...12, using: &random)
                let text = (0..<length).map { _ in pick(["a", "b", "c", "_", " ", "é", "\n"]) }.joined()
                let expected = text.matches(of: theirs).map { String(text[$0.range]) }
                #expect(matches(&own, in: text) == expected, "\(source) in \(text.debugDescription)")
                compared += 1
            }
        }
        #expect(compared > 700)
    }

    @Test func patternsThatMakeBacktrackersHangTakeLinearTime() throws {
        let text = String(repeating: "a", count: 50_000) + "!"
        for pattern in ["(a+)+$", "(a|a)+$", "(a|aa)+$", "(.*a){12}b", "(x+x+)+y|a+b"] {
            let elapsed = try ContinuousClock().measure { _ = try matches(pattern, in: text) }
            #expect(elapsed < .seconds(5), "\(pattern)")
        }
    }

    @Test func manyStatesAreThrownAwayAndMadeAnew() throws {
        // The automaton of this pattern has 2^13 states.
        var own = try TextPattern("[ab]*a[ab]{12}c")
        var random = SeededGenerator(seed: 3)
        for _ in 0..<20 {
            let text = (0..<3000).map { _ in Bool.random(using: &random) ? "a" : "b" }.joined()
            #expect(matches(&own, in: text + "x").isEmpty)
            #expect(matches(&own, in: "c" + text + "abbbbbbbbbbbbc").count == 1)
        }
    }

    @Test func classesCoverExactlyTheirCharacters() throws {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            let bounds = (0..<2).map { _ in
                UInt32.random(in: 0...0x10ffff, using: &random) >> UInt32.random(in: 0..<16, using: &random)
            }
            let range = (bounds.min() ?? 0)...(bounds.max() ?? 0)
            let sequences = utf8Sequences(range)
            func covers(_ scalar: Unicode.Scalar) -> Bool {
                let bytes = Array(String(Character(scalar)).utf8)
                return sequences.contains { $0.count == bytes.count && zip($0, bytes).allSatisfy { $0.contains($1) } }
            }
            for _ in 0..<50 {
                guard let scalar = Unicode.Scalar(UInt32.random(in: 0...0x10ffff, using: &random)) else { continue }
                #expect(covers(scalar) == range.contains(scalar.value))
            }
            for edge in [range.lowerBound, range.upperBound] {
                if let scalar = Unicode.Scalar(edge) { #expect(covers(scalar)) }
                if let scalar = Unicode.Scalar(edge &+ 1) { #expect(covers(scalar) == range.contains(edge &+ 1)) }
            }
        }
    }
}
