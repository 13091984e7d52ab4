/// Splits a condition into words. Bytes, since the language is ASCII outside of its texts.
struct OTTLLexer {
    struct Token: Equatable {
        enum Kind: Equatable {
            /// Names with dots: `span.attributes`, `IsMatch`, `and`.
            case word
            case text([UInt8])
            case int(Int64)
            case double(Double)
            case bytes([UInt8])
            /// `==`, `(`, `[` and the like.
            case symbol
            case end
        }

        var kind: Kind
        /// As written.
        var source: String
        var offset: Int
    }

    static func tokens(of condition: String) throws(OTTLError) -> [Token] {
        var lexer = OTTLLexer(bytes: Array(condition.utf8))
        var tokens: [Token] = []
        while true {
            let token = try lexer.next(after: tokens.last)
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private let bytes: [UInt8]
    private var position = 0

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func next(after last: Token?) throws(OTTLError) -> Token {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
        let start = position
        guard position < bytes.count else { return Token(kind: .end, source: "", offset: start) }
        let byte = bytes[position]
        if isLetter(byte) { return word(from: start) }
        if byte == UInt8(ascii: "\"") { return try text(from: start) }
        if isDigit(byte) || byte == UInt8(ascii: ".") { return try number(from: start) }
        if byte == UInt8(ascii: "-"), position + 1 < bytes.count, isDigit(bytes[position + 1]), !isOperand(last) {
            return try number(from: start)
        }
        return try symbol(from: start)
    }

    /// Behind an operand a minus sign subtracts.
    private func isOperand(_ token: Token?) -> Bool {
        guard let token else { return false }
        return token.kind == .symbol ? token.source == ")" || token.source == "]" : true
    }

    private mutating func word(from start: Int) -> Token {
        while position < bytes.count, isLetter(bytes[position]) || isDigit(bytes[position]) || bytes[position] == 0x2e {
            position += 1
        }
        return Token(kind: .word, source: source(start), offset: start)
    }

    private mutating func text(from start: Int) throws(OTTLError) -> Token {
        position += 1
        var content: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            var byte = bytes[position]
            if byte == UInt8(ascii: "\\") {
                position += 1
                guard position < bytes.count else { break }
                switch bytes[position] {
                case UInt8(ascii: "n"): byte = 0x0a
                case UInt8(ascii: "t"): byte = 0x09
                case UInt8(ascii: "r"): byte = 0x0d
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): byte = bytes[position]
                default:
                    throw OTTLError(
                        message:
                            "unknown escape \\\(Character(Unicode.Scalar(bytes[position]))); write \\\\ for a backslash",
                        offset: position - 1)
                }
            }
            content.append(byte)
            position += 1
        }
        guard position < bytes.count else { throw OTTLError(message: "the text has no closing quote", offset: start) }
        position += 1
        return Token(kind: .text(content), source: source(start), offset: start)
    }

    private mutating func number(from start: Int) throws(OTTLError) -> Token {
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        if bytes[position] == UInt8(ascii: "0"), position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "x") {
            return try hexadecimal(from: start)
        }
        while position < bytes.count, isDigit(bytes[position]) || [0x2e, 0x65, 0x45].contains(bytes[position]) {
            // The sign of an exponent.
            let isExponent = bytes[position] | 0x20 == UInt8(ascii: "e")
            position += 1
            if isExponent, position < bytes.count, [0x2b, 0x2d].contains(bytes[position]) { position += 1 }
        }
        let text = source(start)
        if let whole = Int64(text) { return Token(kind: .int(whole), source: text, offset: start) }
        guard let number = Double(text), number.isFinite else {
            throw OTTLError(message: "\"\(text)\" is no number", offset: start)
        }
        return Token(kind: .double(number), source: text, offset: start)
    }

    private mutating func hexadecimal(from start: Int) throws(OTTLError) -> Token {
        position += 2
        var digits: [UInt8] = []
        while position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue {
            digits.append(UInt8(digit))
            position += 1
        }
        guard !digits.isEmpty, digits.count % 2 == 0 else {
            throw OTTLError(
                message: "bytes are written as pairs of hexadecimal digits, for example 0x0af1", offset: start)
        }
        let content = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        return Token(kind: .bytes(content), source: source(start), offset: start)
    }

    private mutating func symbol(from start: Int) throws(OTTLError) -> Token {
        let two = String(decoding: bytes[start..<min(start + 2, bytes.count)], as: UTF8.self)
        if ["==", "!=", "<=", ">="].contains(two) {
            position += 2
            return Token(kind: .symbol, source: two, offset: start)
        }
        let one = String(Character(Unicode.Scalar(bytes[start])))
        guard ["(", ")", "[", "]", ",", "<", ">", "+", "-", "*", "/", "{", "}"].contains(one) else {
            let hint =
                switch one {
                case "=": "; compare with =="
                case "&": "; write and"
                case "|": "; write or"
                case "!": "; write not"
                case "'": "; texts stand in double quotes"
                default: ""
                }
            throw OTTLError(message: "unexpected \"\(one)\"\(hint)", offset: start)
        }
        position += 1
        return Token(kind: .symbol, source: one, offset: start)
    }

    private func source(_ start: Int) -> String { String(decoding: bytes[start..<position], as: UTF8.self) }

    private func isLetter(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x41...0x5a).contains(byte) || byte == 0x5f
    }

    private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
