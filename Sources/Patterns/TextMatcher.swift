/// A regular expression that only tells whether a UTF-8 text matches, in linear time.
///
/// It reads the text once, forwards, and stops as soon as a match is sure. Unlike `TextPattern` it accepts patterns that
/// match the empty text. It learns its states while it runs: one thread at a time, copies are independent.
package struct TextMatcher: Sendable {
    private var automaton: PatternAutomaton

    /// - Parameter isAnchored: the whole text must match; otherwise any part of it may (Go's `MatchString`).
    package init(_ pattern: String, isAnchored: Bool = false) throws(PatternError) {
        var node = try PatternParser.parse(pattern)
        if isAnchored { node = .sequence([.assertion(.textStart), node, .assertion(.textEnd)]) }
        automaton = PatternAutomaton(
            try PatternProgram(node, isReversed: false, isSearch: !isAnchored), findsLongest: false)
    }

    package mutating func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        automaton.hasMatch(in: text)
    }

    package mutating func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
    }
}
