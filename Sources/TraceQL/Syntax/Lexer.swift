/// Cuts a query into tokens.
///
/// What an attribute's name may contain is Tempo's rule: everything up to a space or one of `{}()=~!<>&|^,`. So `.a-1` is an
/// attribute of that name, and `.a - 1` is a difference.
struct Lexer {
    private let bytes: [UInt8]
    private var position = 0

    static func tokens(of query: String) throws(QueryProblem) -> [Token] {
        var lexer = Lexer(bytes: Array(query.utf8))
        var tokens: [Token] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Longest first.
    private static let signs: [[UInt8]] =
        [
            "!>>", "!<<", "&>>", "&<<", "!>", "!<", "!~", "!=", "&>", "&<", "&~", "&&", "||", "=~", ">=", "<=", ">>",
            "<<", "|", "!", "=", ">", "<", "~", "+", "-", "*", "/", "%", "^", "(", ")", "{", "}", ",",
        ].map { Array($0.utf8) }

    private func peek(_ distance: Int = 0) -> UInt8? {
        position + distance < bytes.count ? bytes[position + distance] : nil
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private mutating func next() throws(QueryProblem) -> Token {
        try skipSpace()
        let start = position
        guard let byte = peek() else { return Token(kind: .end, range: start..<start) }
        switch byte {
        case UInt8(ascii: "\""): return Token(kind: .string(try quoted(), isRaw: false), range: start..<position)
        case UInt8(ascii: "`"): return Token(kind: .string(try raw(), isRaw: true), range: start..<position)
        case UInt8(ascii: "."):
            if let number = try leadingDotNumber() { return number }
            position += 1
            return try attribute(.any, ofParent: false, from: start)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: break
        }
        if Self.isWordStart(byte) { return try word() }
        if byte == UInt8(ascii: "="), peek(1) == UInt8(ascii: "=") {
            throw QueryProblem("unknown operator \"==\"", at: start..<(start + 2), suggestion: "=")
        }
        for sign in Self.signs where bytes[position...].starts(with: sign) {
            position += sign.count
            return Token(kind: .sign(text(start..<position)), range: start..<position)
        }
        throw unexpectedCharacter()
    }

    private func unexpectedCharacter() -> QueryProblem {
        var end = position + 1
        while end < bytes.count, bytes[end] & 0xc0 == 0x80 { end += 1 }
        let character = text(position..<end)
        let shown = QueryProblem.printable(character)
        let code = character.unicodeScalars.first.map { String($0.value, radix: 16, uppercase: true) } ?? ""
        let padded = String(repeating: "0", count: max(0, 4 - code.count)) + code
        let name = bytes[position] > 0x20 && bytes[position] < 0x7f ? "\"\(shown)\"" : "U+\(padded)"
        // What word processors make of quotes.
        let isCurly = ["\u{201c}", "\u{201d}", "\u{2018}", "\u{2019}", "'"].contains(character)
        return QueryProblem(
            isCurly ? "strings are written \"…\" or `…`, not with \(shown)" : "unexpected character \(name)",
            at: position..<end)
    }

    /// White space, `// …` and `/* … */`.
    private mutating func skipSpace() throws(QueryProblem) {
        while let byte = peek() {
            let start = position
            if Self.isSpace(byte) {
                position += 1
            } else if byte == 0xc2, peek(1) == 0xa0 {
                // No-break space: pasted from a page.
                position += 2
            } else if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "/") {
                while let byte = peek(), byte != UInt8(ascii: "\n") { position += 1 }
            } else if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "*") {
                position += 2
                while peek() != UInt8(ascii: "*") || peek(1) != UInt8(ascii: "/") {
                    if peek() == nil { throw QueryProblem("this comment never ends", at: start..<(start + 2)) }
                    position += 1
                }
                position += 2
            } else {
                return
            }
        }
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private static func isWordStart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static let attributeEnds = Set("{}()=~!<>&|^,".utf8)

    /// Whether an attribute's name can contain this without quotes.
    static func isAttributeByte(_ byte: UInt8) -> Bool { !isSpace(byte) && !attributeEnds.contains(byte) }

    // MARK: - Words and attributes

    /// Words that start an attribute when a dot follows.
    static let scopes = ["span", "resource", "event", "link", "instrumentation", "parent"]

    private mutating func word() throws(QueryProblem) -> Token {
        let start = position
        while let byte = peek(), Self.isWordStart(byte) || Self.isDigit(byte) { position += 1 }
        let word = text(start..<position)
        switch peek() {
        case UInt8(ascii: "."):
            let wordEnd = position
            if word == "parent" {
                position += 1
                return try parentAttribute(from: start)
            }
            if !word.isEmpty, let scope = AttributeScope(rawValue: word) {
                position += 1
                return try attribute(scope, ofParent: false, from: start)
            }
            while let byte = peek(), Self.isAttributeByte(byte) { position += 1 }
            throw unknownScope(word, start..<wordEnd, whole: start..<position)
        case UInt8(ascii: ":"):
            return try scopedIntrinsic(word, from: start)
        default:
            return Token(kind: .word(word), range: start..<position)
        }
    }

    private func unknownScope(_ word: String, _ range: Range<Int>, whole: Range<Int>) -> QueryProblem {
        let name = text(whole)
        if word == "trace" {
            let rest = String(name.dropFirst("trace.".count))
            return QueryProblem(
                "a trace has no attributes of its own, only trace:duration, trace:id, trace:rootName and "
                    + "trace:rootService", at: whole,
                suggestion: Intrinsic.scoped["trace"]?[rest].map { _ in "trace:\(rest)" })
        }
        var problem = QueryProblem.unknown("scope", word, at: range, among: Self.scopes)
        // `http.status_code` is an attribute whose scope was forgotten.
        if problem.suggestion == nil { problem.suggestion = ".\(name)" }
        return problem
    }

    private mutating func parentAttribute(from start: Int) throws(QueryProblem) -> Token {
        for scope in [AttributeScope.span, .resource] where bytes[position...].starts(with: scope.prefix.utf8) {
            position += scope.prefix.utf8.count
            return try attribute(scope, ofParent: true, from: start)
        }
        let nameStart = position
        let token = try attribute(.any, ofParent: true, from: start)
        if let intrinsic = Intrinsic.bare[text(nameStart..<position)], Intrinsic.ofParent.contains(intrinsic) {
            return Token(kind: .parentIntrinsic(intrinsic), range: token.range)
        }
        return token
    }

    /// The name behind a scope's dot. Parts of it may be quoted: `span."a b".c`.
    private mutating func attribute(
        _ scope: AttributeScope, ofParent: Bool, from start: Int
    ) throws(QueryProblem) -> Token {
        var name: [UInt8] = []
        while let byte = peek(), Self.isAttributeByte(byte) {
            position += 1
            if byte == UInt8(ascii: "\"") {
                name += try quotedPart()
            } else {
                name.append(byte)
            }
        }
        if name.isEmpty {
            throw QueryProblem(
                "an attribute's name is missing after \"\(text(start..<position))\"", at: start..<position)
        }
        let reference = AttributeReference(scope, String(decoding: name, as: UTF8.self), ofParent: ofParent)
        return Token(kind: .attribute(reference), range: start..<position)
    }

    /// The rest of a quoted part of a name; only `\"` and `\\` are escapes.
    private mutating func quotedPart() throws(QueryProblem) -> [UInt8] {
        let start = position - 1
        var part: [UInt8] = []
        while let byte = peek() {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return part
            case UInt8(ascii: "\\"):
                guard let escaped = peek(), escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\") else {
                    throw QueryProblem(
                        "unknown escape in an attribute's name", at: (position - 1)..<min(position + 1, bytes.count),
                        expected: ["\\\"", "\\\\"])
                }
                part.append(escaped)
                position += 1
            default: part.append(byte)
            }
        }
        throw QueryProblem("this quoted name has no closing \"", at: start..<(start + 1))
    }

    private mutating func scopedIntrinsic(_ scope: String, from start: Int) throws(QueryProblem) -> Token {
        let scopeEnd = position
        position += 1
        let nameStart = position
        while let byte = peek(), Self.isWordStart(byte) || Self.isDigit(byte) { position += 1 }
        guard let names = Intrinsic.scoped[scope] else {
            throw .unknown("scope", scope, at: start..<scopeEnd, among: Intrinsic.scoped.keys.sorted())
        }
        let name = text(nameStart..<position)
        if let intrinsic = names[name] { return Token(kind: .intrinsic(intrinsic), range: start..<position) }
        var problem = QueryProblem.unknown(
            "intrinsic", "\(scope):\(name)", at: start..<position, among: names.keys.map { "\(scope):\($0)" }.sorted())
        // `trace:name` is no typo of anything, but another scope may have it.
        if problem.suggestion == nil {
            problem.suggestion = Lexer.scopes.first { Intrinsic.scoped[$0]?[name] != nil }
                .map { "\($0):\(name)" }
        }
        throw problem
    }

    // MARK: - Numbers

    /// `.5`, where no name of an attribute can be meant.
    private mutating func leadingDotNumber() throws(QueryProblem) -> Token? {
        var end = position + 1
        while end < bytes.count, Self.isAttributeByte(bytes[end]) { end += 1 }
        let digits = bytes[(position + 1)..<end]
        guard !digits.isEmpty, digits.allSatisfy(Self.isDigit) else { return nil }
        let range = position..<end
        guard let value = Double("0" + text(range)) else { return nil }
        position = end
        return Token(kind: .float(value), range: range)
    }

    private mutating func skipDigits() {
        while let byte = peek(), Self.isDigit(byte) { position += 1 }
    }

    private mutating func number() throws(QueryProblem) -> Token {
        let start = position
        skipDigits()
        var isFloat = false
        if peek() == UInt8(ascii: "."), let digit = peek(1), Self.isDigit(digit) {
            isFloat = true
            position += 1
            skipDigits()
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            let hasSign = peek(1) == UInt8(ascii: "+") || peek(1) == UInt8(ascii: "-")
            if let digit = peek(hasSign ? 2 : 1), Self.isDigit(digit) {
                isFloat = true
                position += hasSign ? 2 : 1
                skipDigits()
            }
        }
        if let byte = peek(), Self.isWordStart(byte) || byte == 0xc2 || byte == 0xce {
            return try duration(from: start)
        }
        let range = start..<position
        if isFloat {
            guard let value = Double(text(range)), value.isFinite else {
                throw QueryProblem("this number is too large", at: range)
            }
            return Token(kind: .float(value), range: range)
        }
        guard let value = Int64(text(range)) else {
            throw QueryProblem(
                "this integer is too large; the largest is \(Int64.max), the smallest is written minInt", at: range)
        }
        return Token(kind: .int(value), range: range)
    }

    private mutating func duration(from start: Int) throws(QueryProblem) -> Token {
        position = start
        while let byte = peek(),
            Self.isWordStart(byte) || Self.isDigit(byte) || byte == UInt8(ascii: ".") || byte >= 0x80
        {
            position += 1
        }
        let range = start..<position
        switch DurationText.parse(bytes[range]) {
        case .nanoseconds(let value): return Token(kind: .duration(value), range: range)
        case .tooLong: throw QueryProblem("this duration is too long; the longest is 292 years", at: range)
        case .unknownUnit(let unit):
            throw QueryProblem(
                "\"\(QueryProblem.printable(text(range)))\" is no number and no duration: unknown unit \"\(unit)\"",
                at: range, expected: DurationText.unitNames)
        case .malformed:
            throw QueryProblem(
                "\"\(QueryProblem.printable(text(range)))\" is no number and no duration; durations look like 1.5s, "
                    + "200ms or 1h30m", at: range)
        }
    }

    // MARK: - Strings

    private mutating func raw() throws(QueryProblem) -> String {
        let start = position
        position += 1
        while let byte = peek() {
            position += 1
            if byte == UInt8(ascii: "`") { return text((start + 1)..<(position - 1)) }
        }
        throw QueryProblem("this string has no closing `", at: start..<(start + 1))
    }

    /// A string with Go's escapes.
    private mutating func quoted() throws(QueryProblem) -> String {
        let start = position
        position += 1
        var content: [UInt8] = []
        while let byte = peek() {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: content, as: UTF8.self)
            case UInt8(ascii: "\\"): content += try escape()
            case UInt8(ascii: "\n"):
                throw QueryProblem("a \"string\" ends on its line; write \\n or use `…`", at: start..<(position - 1))
            default: content.append(byte)
            }
        }
        throw QueryProblem("this string has no closing \"", at: start..<(start + 1))
    }

    private mutating func escape() throws(QueryProblem) -> [UInt8] {
        let start = position - 1
        guard let byte = peek() else {
            throw QueryProblem("this string has no closing \"", at: start..<bytes.count)
        }
        position += 1
        switch byte {
        case UInt8(ascii: "a"): return [0x07]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "v"): return [0x0b]
        case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): return [byte]
        case UInt8(ascii: "x"): return try scalar(digits: 2, from: start)
        case UInt8(ascii: "u"): return try scalar(digits: 4, from: start)
        case UInt8(ascii: "U"): return try scalar(digits: 8, from: start)
        default:
            throw QueryProblem(
                "unknown escape in a string; for a regular expression use `…` or write \\\\",
                at: start..<min(position, bytes.count))
        }
    }

    private mutating func scalar(digits: Int, from start: Int) throws(QueryProblem) -> [UInt8] {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let byte = peek(), byte < 0x80, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw QueryProblem("this escape needs \(digits) hex digits", at: start..<position)
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw QueryProblem("no such character", at: start..<position)
        }
        return Array(String(Character(scalar)).utf8)
    }
}
