import TraceModel

/// Parses the notation of spans. Recursive descent:
///
///     spans      = span-tree { "," span-tree }
///     span-tree  = "(" spans ")" | subject { detail } [ ">" spans ]
///     subject    = service [ text ] | "_" | "^" service
///     detail     = duration | "+" duration | "error" [ text ] | "ok" | "unset" | kind | attributes
///                | "resource" attributes | "event" text [ attributes ] | "link" trace | "tracestate" text | "sampled"
///     attributes = "{" [ [ "!" ] key [ ( "=" | ":" ) value ] { "," … } ] "}"
///     value      = text [ "*" count ] | "*" | "[" value { "," value } "]" | characters up to "," or "}"
struct SpanNotationParser {
    private var scanner: NotationScanner
    private let isExpectation: Bool
    private var count = 0

    private static let maximumDepth = 64
    private static let maximumCount = 10_000
    /// Bytes of a repeated text.
    private static let maximumText = 1 << 20
    private static let details =
        ["error", "ok", "unset", "resource", "event", "link", "tracestate", "sampled"]
        + SpanKind.allCases.filter { $0 != .unspecified }.map(\.name)

    /// - Parameter isExpectation: what spans shall look like, not spans to send.
    private init(_ value: ConfigValue, isExpectation: Bool) {
        scanner = NotationScanner(value)
        self.isExpectation = isExpectation
    }

    static func parse(
        _ value: ConfigValue, isExpectation: Bool
    ) throws(SpanNotationProblem) -> [SpanNotation] {
        var parser = SpanNotationParser(value, isExpectation: isExpectation)
        let spans = try parser.spans(depth: 0)
        parser.scanner.skipSpace()
        guard parser.scanner.peek == nil else {
            throw parser.scanner.problem("expected \",\", \">\" or the end, found \(parser.scanner.found())")
        }
        return spans
    }

    // MARK: - Trees

    private mutating func spans(depth: Int) throws(SpanNotationProblem) -> [SpanNotation] {
        guard depth < Self.maximumDepth else {
            throw scanner.problem("spans are nested more than \(Self.maximumDepth) deep")
        }
        var spans = try tree(depth: depth)
        while scanner.accept(",") { spans += try tree(depth: depth) }
        return spans
    }

    private mutating func tree(depth: Int) throws(SpanNotationProblem) -> [SpanNotation] {
        if scanner.accept("(") {
            let open = scanner.index - 1
            let group = try spans(depth: depth + 1)
            guard scanner.accept(")") else {
                if scanner.peek == nil { throw scanner.problem("this parenthesis is not closed", at: open) }
                throw scanner.problem("expected \",\" or \")\", found \(scanner.found())")
            }
            scanner.skipSpace()
            if scanner.peek == ">" {
                throw scanner.problem("spans in parentheses have no common children; write \">\" inside")
            }
            return group
        }
        var span = try subject()
        try details(of: &span)
        if scanner.accept(">") {
            span.children = try spans(depth: depth + 1)
        } else if span.subject != .span {
            let sign = span.subject == .unsent ? "_" : "^\(span.service)"
            throw scanner.problem("expected \">\" and spans below \(sign), found \(scanner.found())")
        }
        return [span]
    }

    private mutating func subject() throws(SpanNotationProblem) -> SpanNotation {
        scanner.skipSpace()
        var span = SpanNotation(at: scanner.location)
        let start = scanner.index
        count += 1
        guard count <= Self.maximumCount else {
            throw scanner.problem("more than \(Self.maximumCount) spans in one step")
        }
        if scanner.peek == "\"" || scanner.peek == "'" {
            span.service = try scanner.quoted()
            return span
        }
        let word = scanner.word()
        if word.isEmpty {
            throw scanner.problem("expected a span, which begins with its service, found \(scanner.found())")
        }
        guard !isExpectation || (word != "_" && !word.hasPrefix("^")) else {
            throw scanner.problem("\(word) belongs in steps that send spans, not in expectations", at: start)
        }
        if word == "_" {
            span.subject = .unsent
        } else if word.hasPrefix("^") {
            span.subject = .earlier
            span.service = String(word.dropFirst())
            if span.service.isEmpty, scanner.peek == "\"" || scanner.peek == "'" {
                span.service = try scanner.quoted()
            }
            if span.service.isEmpty {
                throw scanner.problem("expected a service after ^, as in ^frontend > cart", at: start)
            }
        } else {
            if word.contains("=") { throw scanner.problem("attributes stand in braces: {\(word)}", at: start) }
            if Units.nanoseconds(word) != nil || word.hasPrefix("+") {
                throw scanner.problem("expected the service before \(Wording.quoted(word))", at: start)
            }
            span.service = word
        }
        return span
    }

    // MARK: - Details

    private mutating func details(of span: inout SpanNotation) throws(SpanNotationProblem) {
        while true {
            scanner.skipSpace()
            guard let next = scanner.peek, !",>)".unicodeScalars.contains(next) else { return }
            let start = scanner.index
            if span.subject != .span {
                throw scanner.problem("expected \">\" and spans below it, found \(scanner.found())")
            }
            switch next {
            case "\"", "'":
                guard span.name == nil else {
                    throw scanner.problem("the span has a name already: \(Wording.quoted(span.name ?? ""))")
                }
                span.name = try scanner.quoted()
            case "{":
                span.attributes += try attributes()
            default:
                let word = scanner.word()
                guard !word.isEmpty else {
                    throw scanner.problem(
                        "expected a detail of the span, \",\", \">\" or the end, found \(scanner.found())")
                }
                try detail(word, at: start, of: &span)
            }
        }
    }

    private mutating func detail(
        _ word: String, at start: Int, of span: inout SpanNotation
    ) throws(SpanNotationProblem) {
        if word.hasPrefix("+") {
            guard !isExpectation else {
                throw scanner.problem("\(Wording.quoted(word)): starts are not compared", at: start)
            }
            span.offset = try duration(String(word.dropFirst()), at: start)
            return
        }
        if let first = word.unicodeScalars.first, ("0"..."9").contains(first) {
            span.duration = try duration(word, at: start)
            return
        }
        switch word {
        case "error":
            span.status = .error
            scanner.skipSpace()
            if scanner.peek == "\"" || scanner.peek == "'" { span.statusMessage = try scanner.quoted() }
        case "ok": span.status = .ok
        case "unset": span.status = .unset
        case "sampled": span.isSampled = true
        case "resource": span.resource += try attributes()
        case "event":
            let name = try text(after: word)
            scanner.skipSpace()
            span.events.append(
                SpanNotation.Event(name: name, attributes: scanner.peek == "{" ? try attributes() : []))
        case "tracestate": span.traceState = try text(after: word)
        case "link":
            scanner.skipSpace()
            let location = scanner.location
            let name = scanner.word()
            guard !name.isEmpty else {
                throw scanner.problem("expected the name of a trace after link, found \(scanner.found())")
            }
            span.links.append(PipelineTest.TraceReference(name: name, location: location))
        default:
            if let kind = SpanKind.allCases.first(where: { $0 != .unspecified && $0.name == word }) {
                span.kind = kind
                return
            }
            if word.contains("=") { throw scanner.problem("attributes stand in braces: {\(word)}", at: start) }
            let suggestion = Wording.suggestion(for: word, among: Self.details)
            let known =
                suggestion.isEmpty ? "; a name stands in quotes; known words: \(Wording.list(Self.details))" : "."
            throw scanner.problem("unknown word \(Wording.quoted(word))\(known)\(suggestion)", at: start)
        }
    }

    private mutating func text(after word: String) throws(SpanNotationProblem) -> String {
        scanner.skipSpace()
        guard scanner.peek == "\"" || scanner.peek == "'" else {
            throw scanner.problem("expected a quoted text after \(word), found \(scanner.found())")
        }
        return try scanner.quoted()
    }

    private func duration(_ text: String, at start: Int) throws(SpanNotationProblem) -> UInt64 {
        guard let nanoseconds = Units.nanoseconds(text) else {
            let hint =
                Double(text) != nil
                ? "has no unit; write \(text)ms" : "is no duration; expected one such as 120ms, 1.5s or 1m30s"
            throw scanner.problem("\(Wording.quoted(text)) \(hint)", at: start)
        }
        // A year: times stay within what a span can say.
        guard nanoseconds <= 366 * 86_400 * 1_000_000_000 else {
            throw scanner.problem("\(Wording.quoted(text)) is longer than a year", at: start)
        }
        return UInt64(nanoseconds)
    }

    // MARK: - Attributes

    private mutating func attributes() throws(SpanNotationProblem) -> [SpanNotation.Entry] {
        guard scanner.accept("{") else {
            throw scanner.problem("expected attributes such as {key=value}, found \(scanner.found())")
        }
        let open = scanner.index - 1
        var entries: [SpanNotation.Entry] = []
        while !scanner.accept("}") {
            if !entries.isEmpty, !scanner.accept(",") {
                if scanner.peek == nil { throw scanner.problem("this brace is not closed", at: open) }
                throw scanner.problem("expected \",\" or \"}\", found \(scanner.found())")
            }
            scanner.skipSpace()
            if scanner.peek == nil { throw scanner.problem("this brace is not closed", at: open) }
            let start = scanner.index
            let entry = try entry()
            if entries.contains(where: { $0.key == entry.key }) {
                throw scanner.problem("the attribute \(Wording.quoted(entry.key)) is there twice", at: start)
            }
            entries.append(entry)
        }
        return entries
    }

    private mutating func entry() throws(SpanNotationProblem) -> SpanNotation.Entry {
        let (start, location) = (scanner.index, scanner.location)
        let isAbsent = scanner.accept("!")
        if isAbsent, !isExpectation {
            throw scanner.problem("\"!\" says that an attribute is not there: for expectations only", at: start)
        }
        let key = try key()
        if isAbsent { return SpanNotation.Entry(key: key, value: .absent, location: location) }
        guard scanner.accept("=") || scanner.accept(":") else {
            throw scanner.problem("expected \"=\" and a value after \(Wording.quoted(key)), found \(scanner.found())")
        }
        scanner.skipSpace()
        let valueStart = scanner.index
        if scanner.peek == "*" {
            let text = bareText()
            guard text == "*" else {
                return SpanNotation.Entry(key: key, value: .value(.string(text)), location: location)
            }
            guard isExpectation else {
                throw scanner.problem("* stands for any value: for expectations only; quote it", at: valueStart)
            }
            return SpanNotation.Entry(key: key, value: .any, location: location)
        }
        return SpanNotation.Entry(key: key, value: .value(try value(of: key)), location: location)
    }

    private mutating func key() throws(SpanNotationProblem) -> String {
        scanner.skipSpace()
        if scanner.peek == "\"" || scanner.peek == "'" { return try scanner.quoted() }
        let key = scanner.run { !$0.properties.isWhitespace && !"=:,{}[]\"'".unicodeScalars.contains($0) }
        if key.isEmpty { throw scanner.problem("expected the key of an attribute, found \(scanner.found())") }
        return key
    }

    private mutating func value(of key: String) throws(SpanNotationProblem) -> AttributeValue {
        scanner.skipSpace()
        switch scanner.peek {
        case "\"", "'": return .string(try repeated(try scanner.quoted()))
        case "[":
            let open = scanner.index
            _ = scanner.accept("[")
            var elements: [AttributeValue] = []
            while !scanner.accept("]") {
                if !elements.isEmpty, !scanner.accept(",") {
                    if scanner.peek == nil { throw scanner.problem("this list is not closed", at: open) }
                    throw scanner.problem("expected \",\" or \"]\", found \(scanner.found())")
                }
                scanner.skipSpace()
                if scanner.peek == nil { throw scanner.problem("this list is not closed", at: open) }
                // Lists of lists are legal in OTLP and of no use in a test.
                if scanner.peek == "[" { throw scanner.problem("a list cannot hold a list here") }
                elements.append(try value(of: key))
            }
            return .array(elements)
        default:
            let text = bareText()
            guard !text.isEmpty else {
                throw scanner.problem(
                    "expected the value of \(Wording.quoted(key)), found \(scanner.found()); an empty text is \"\"")
            }
            return Self.typed(text)
        }
    }

    /// `"x"*5000`: a text so many times, for tests of limits.
    private mutating func repeated(_ text: String) throws(SpanNotationProblem) -> String {
        guard scanner.accept("*") else { return text }
        scanner.skipSpace()
        let start = scanner.index
        let word = scanner.word()
        guard let times = Int(word), times >= 0, times <= Self.maximumText / max(1, text.utf8.count) else {
            throw scanner.problem(
                "expected how many times after *, at most \(Self.maximumText) bytes in all, found \(Wording.quoted(word))",
                at: start)
        }
        return String(repeating: text, count: times)
    }

    /// A value without quotes may have spaces: it ends with the entry.
    private mutating func bareText() -> String {
        let text = scanner.run { !",{}[]\n".unicodeScalars.contains($0) }
        var end = text.unicodeScalars[...]
        while let last = end.last, last.properties.isWhitespace { end = end.dropLast() }
        return String(end)
    }

    /// Numbers and truth values are what they look like; quoted they are texts.
    private static func typed(_ text: String) -> AttributeValue {
        if text == "true" { return .bool(true) }
        if text == "false" { return .bool(false) }
        if let number = Int64(text) { return .int(number) }
        // `infinity` and `nan` are words, and so is `0x10`.
        if let first = text.utf8.first, UInt8(ascii: "0")...UInt8(ascii: "9") ~= first || "-+.".utf8.contains(first),
            !text.lowercased().hasPrefix("0x"), let number = Double(text), number.isFinite
        {
            return .double(number)
        }
        return .string(text)
    }
}
