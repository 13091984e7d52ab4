import Patterns

/// Which rules an attribute's key belongs to, and of which it is an exception.
///
/// Patterns learn while they run: one thread at a time, copies are independent.
struct KeySelector: Sendable {
    private struct PatternRule: Sendable {
        var matcher: TextMatcher
        var rules: UInt64
    }

    private let keys: KeyMatcher
    private let excepted: KeyMatcher
    private var patterns: [PatternRule]
    private var exceptionPatterns: [PatternRule]
    /// Whether some rule has exceptions.
    let hasExceptions: Bool

    init(_ rules: [ScrubRule]) {
        keys = KeyMatcher(keys: rules.map(\.keys))
        excepted = KeyMatcher(keys: rules.map(\.exceptions))
        patterns = Self.compiled(rules.map(\.keyPatterns))
        exceptionPatterns = Self.compiled(rules.map(\.exceptionPatterns))
        hasExceptions = !excepted.isEmpty || !exceptionPatterns.isEmpty
    }

    /// One entry per pattern; those that are broken were reported when the rules were read.
    private static func compiled(_ patterns: [[String]]) -> [PatternRule] {
        patterns.enumerated().flatMap { rule, texts in
            texts.compactMap { text in
                (try? TextMatcher(text)).map { PatternRule(matcher: $0, rules: 1 << UInt64(rule)) }
            }
        }
    }

    /// The rules, as bits, that select the key.
    @inline(__always)
    mutating func rules(for key: UnsafeRawBufferPointer) -> UInt64 {
        var found = keys.rules(for: key)
        if !patterns.isEmpty { found |= Self.search(&patterns, in: key) }
        return found
    }

    /// The rules, as bits, that leave the key alone.
    mutating func exceptions(for key: UnsafeRawBufferPointer) -> UInt64 {
        var found = excepted.isEmpty ? 0 : excepted.rules(for: key)
        if !exceptionPatterns.isEmpty { found |= Self.search(&exceptionPatterns, in: key) }
        return found
    }

    private static func search(_ patterns: inout [PatternRule], in key: UnsafeRawBufferPointer) -> UInt64 {
        var found: UInt64 = 0
        for index in patterns.indices where found & patterns[index].rules == 0 {
            if patterns[index].matcher.matches(key) { found |= patterns[index].rules }
        }
        return found
    }
}
