/// A regular expression that finds matches in UTF-8 text: leftmost first, greedy or lazy as in Perl, in linear time.
///
/// One automaton finds where the match ends; a second one, for the reversed pattern, finds where it begins. Both learn
/// their states while they run, so a pattern belongs to one thread at a time; copies are independent.
///
/// Not Swift's `Regex`: that one backtracks (a crafted value can hold it for hours), works on `String`, is not
/// `Sendable` and is slower by orders of magnitude. The tests hold this one against it.
package struct TextPattern: Sendable {
    private var forward: PatternAutomaton
    private var backward: PatternAutomaton

    package init(_ pattern: String) throws(PatternError) {
        let node = try PatternParser.parse(pattern)
        if node.matchesEmpty {
            throw PatternError(message: "the pattern matches the empty text, so every text", offset: 0)
        }
        forward = PatternAutomaton(
            try PatternProgram(node, isReversed: false, isSearch: true), findsLongest: false)
        backward = PatternAutomaton(
            try PatternProgram(node, isReversed: true, isSearch: false), findsLongest: true)
    }

    /// The first match at or behind `start`, which is 0 or the end of the match before.
    package mutating func firstMatch(in text: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        guard let end = forward.matchEnd(in: text, from: start),
            let begin = backward.matchStart(in: text, from: end, limit: start), begin < end
        else { return nil }
        return begin..<end
    }
}
