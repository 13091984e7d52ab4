/// Reads the notation's text character by character and knows where each stands in the file.
struct NotationScanner {
    private let scalars: [Unicode.Scalar]
    private let value: ConfigValue
    private(set) var index = 0
    /// For each scalar its line and column in the text, both from 1; one more for the end.
    private let places: [(line: Int, column: Int)]

    init(_ value: ConfigValue) {
        self.value = value
        scalars = Array((value.scalar ?? "").unicodeScalars)
        var places: [(Int, Int)] = []
        var (line, column) = (1, 1)
        for scalar in scalars {
            places.append((line, column))
            if scalar == "\n" { (line, column) = (line + 1, 1) } else { column += 1 }
        }
        places.append((line, column))
        self.places = places
    }

    var location: SourceLocation { location(of: index) }

    func location(of index: Int) -> SourceLocation {
        // The end of the text is where its last character is, not behind the line break that follows it.
        var index = min(index, scalars.count)
        if index == scalars.count {
            while index > 0, scalars[index - 1].properties.isWhitespace { index -= 1 }
        }
        return value.location(ofTextLine: places[index].line, column: places[index].column)
    }

    var peek: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    mutating func skipSpace() {
        while let scalar = peek, scalar.properties.isWhitespace { index += 1 }
    }

    /// Skips space, then takes the character where it is next.
    mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == scalar else { return false }
        index += 1
        return true
    }

    /// What stands here, for messages.
    func found() -> String {
        var copy = self
        copy.skipSpace()
        guard let first = copy.peek else { return "the end" }
        return Wording.quoted(Self.isWordPart(first) ? copy.word() : String(first))
    }

    static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
        !scalar.properties.isWhitespace && !",>(){}[]\"'".unicodeScalars.contains(scalar)
    }

    /// Characters up to space or punctuation.
    mutating func word() -> String { run { Self.isWordPart($0) } }

    /// Characters as long as they belong.
    mutating func run(while belongs: (Unicode.Scalar) -> Bool) -> String {
        var view = String.UnicodeScalarView()
        while let scalar = peek, belongs(scalar) {
            view.append(scalar)
            index += 1
        }
        return String(view)
    }

    /// A text in quotes of either kind; `\` stands before a quote, a backslash, `n` and `t`.
    mutating func quoted() throws(SpanNotationProblem) -> String {
        let start = index
        guard let quote = peek else { throw problem("expected a quoted text, found the end") }
        index += 1
        var view = String.UnicodeScalarView()
        while let scalar = peek {
            index += 1
            if scalar == quote { return String(view) }
            guard scalar == "\\" else {
                view.append(scalar)
                continue
            }
            guard let escaped = peek else { break }
            index += 1
            switch escaped {
            case "n": view.append("\n")
            case "t": view.append("\t")
            case "\\", "\"", "'": view.append(escaped)
            default:
                throw problem(
                    "unknown escape \\\(escaped); known are \\\\, \\\", \\', \\n and \\t", at: index - 2)
            }
        }
        throw problem("this quoted text has no end", at: start)
    }

    func problem(_ message: String, at index: Int? = nil) -> SpanNotationProblem {
        var copy = self
        copy.skipSpace()
        return SpanNotationProblem(message: message, location: location(of: index ?? copy.index))
    }
}
