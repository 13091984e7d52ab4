import Spelling

/// One mistake in a query: what, where, what was expected, and the name that was probably meant.
package struct QueryProblem: Error, Equatable, Sendable {
    /// Lower case, without a full stop.
    package var message: String
    /// Offsets into the query's UTF-8. Empty at the end of the query.
    package var range: Range<Int>
    /// What could stand here; empty where that says nothing.
    package var expected: [String]
    /// The name that was probably meant.
    package var suggestion: String?

    package init(_ message: String, at range: Range<Int>, expected: [String] = [], suggestion: String? = nil) {
        self.message = message
        self.range = range
        self.expected = expected
        self.suggestion = suggestion
    }

    /// A name that does not exist; the nearest of the known ones is suggested.
    static func unknown(
        _ what: String, _ name: String, at range: Range<Int>, among known: [String], listing: Bool = true
    ) -> QueryProblem {
        QueryProblem(
            "unknown \(what) \"\(printable(name))\"", at: range, expected: listing ? known : [],
            suggestion: NearestName.nearest(to: name, among: known))
    }

    /// The message with what was expected and meant, in one line.
    package var summary: String {
        var text = message
        if !expected.isEmpty { text += "; expected " + Self.choice(expected) }
        if let suggestion { text += ". Did you mean \"\(suggestion)\"?" }
        return text
    }

    /// Line and column of the problem in `query`, both from 1; columns count Unicode scalars.
    package func place(in query: String) -> (line: Int, column: Int) {
        var line = 1
        var column = 1
        for byte in query.utf8.prefix(range.lowerBound) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xc0 != 0x80 {
                column += 1
            }
        }
        return (line, column)
    }

    /// Longest part of a line that is shown.
    private static let shownWidth = 100

    /// `line:column: error: …`, the line of the query, and a caret line below the place.
    package func rendered(in query: String) -> String {
        let (line, column) = place(in: query)
        let lines = query.split(separator: "\n", omittingEmptySubsequences: false)
        let scalars = Array(lines[line - 1].unicodeScalars)
        let start = max(0, min(column - 1 - Self.shownWidth / 2, scalars.count - Self.shownWidth))
        let end = min(scalars.count, start + Self.shownWidth)
        let lead = start > 0 ? "…" : ""
        let tail = end < scalars.count ? "…" : ""
        let marked = query.utf8.dropFirst(range.lowerBound).prefix(range.count)
            .prefix { $0 != UInt8(ascii: "\n") }.count { $0 & 0xc0 != 0x80 }
        let width = max(1, min(marked, end - (column - 1)))
        let shown = Self.printable(String(String.UnicodeScalarView(scalars[start..<end])))
        let indent = String(repeating: " ", count: column - 1 - start + lead.count)
        let carets = "^" + String(repeating: "~", count: width - 1)
        return "\(line):\(column): error: \(summary)\n    \(lead)\(shown)\(tail)\n    \(indent)\(carets)\n"
    }

    /// `a, b or c`; long lists are cut.
    static func choice(_ names: [String]) -> String {
        guard let last = names.last, names.count > 1 else { return names.first ?? "" }
        if names.count > 30 { return names.prefix(30).joined(separator: ", ") + ", …" }
        return names.dropLast().joined(separator: ", ") + " or " + last
    }

    /// Control characters would move the cursor, and could do worse.
    static func printable(_ text: some StringProtocol) -> String {
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: shown.append(" ")
            default: shown.append(scalar)
            }
        }
        return String(shown)
    }
}

/// The mistakes of one query, in their order; never empty.
package struct QueryProblems: Error, Equatable, Sendable {
    package var all: [QueryProblem]

    package init(_ first: QueryProblem, _ others: [QueryProblem] = []) { all = [first] + others }

    init?(_ problems: [QueryProblem]) {
        if problems.isEmpty { return nil }
        all = problems.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    /// Every problem with its line and carets.
    package func rendered(in query: String) -> String { all.map { $0.rendered(in: query) }.joined() }
}
