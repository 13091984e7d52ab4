import Patterns
import Pipeline

/// Parses a condition by recursive descent: `or`, `and`, `not`, comparisons, sums, products, paths and functions.
struct OTTLParser {
    private static let maximumDepth = 64
    private static let enumerations: [String: Int64] = [
        "SPAN_KIND_UNSPECIFIED": 0, "SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3,
        "SPAN_KIND_PRODUCER": 4, "SPAN_KIND_CONSUMER": 5, "STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1,
        "STATUS_CODE_ERROR": 2,
    ]

    private let tokens: [OTTLLexer.Token]
    private let context: OTTLContext
    private var position = 0
    private var depth = 0

    static func parse(_ condition: String, _ context: OTTLContext) throws(OTTLError) -> OTTLExpression {
        var parser = OTTLParser(tokens: try OTTLLexer.tokens(of: condition), context: context)
        if parser.next.kind == .end { throw OTTLError(message: "the condition is empty", offset: 0) }
        let expression = try parser.disjunction()
        if parser.next.kind != .end { throw parser.unexpected("and, or, or the end of the condition") }
        return expression
    }

    private init(tokens: [OTTLLexer.Token], context: OTTLContext) {
        self.tokens = tokens
        self.context = context
    }

    private var next: OTTLLexer.Token { tokens[min(position, tokens.count - 1)] }

    private mutating func takeSymbol(_ symbol: String) -> Bool {
        guard next.kind == .symbol, next.source == symbol else { return false }
        position += 1
        return true
    }

    private mutating func takeWord(_ word: String) -> Bool {
        guard next.kind == .word, next.source == word else { return false }
        position += 1
        return true
    }

    private func unexpected(_ expected: String) -> OTTLError {
        let found = next.kind == .end ? "the end of the condition" : Wording.quoted(next.source)
        return OTTLError(message: "expected \(expected), found \(found)", offset: next.offset)
    }

    // MARK: - Booleans

    private mutating func disjunction() throws(OTTLError) -> OTTLExpression {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth {
            throw OTTLError(message: "expressions nest deeper than \(Self.maximumDepth)", offset: next.offset)
        }
        var parts = [try conjunction()]
        while takeWord("or") { parts.append(try conjunction()) }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private mutating func conjunction() throws(OTTLError) -> OTTLExpression {
        var parts = [try negation()]
        while takeWord("and") { parts.append(try negation()) }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func negation() throws(OTTLError) -> OTTLExpression {
        var isNegated = false
        while takeWord("not") { isNegated.toggle() }
        let term = try term()
        return isNegated ? .not(term) : term
    }

    private mutating func term() throws(OTTLError) -> OTTLExpression {
        guard next.kind == .symbol, next.source == "(" else { return try comparison() }
        // Parentheses hold a boolean, or an operand of a comparison: which of the two shows behind them.
        let start = position
        var failure: OTTLError?
        do throws(OTTLError) {
            position += 1
            let inner = try disjunction()
            guard takeSymbol(")") else { throw unexpected(")") }
            if !isOperator(next) { return inner }
        } catch {
            failure = error
        }
        position = start
        do throws(OTTLError) { return try comparison() } catch {
            // The reading that came further says more about the mistake.
            guard let failure, failure.offset > error.offset else { throw error }
            throw failure
        }
    }

    private mutating func comparison() throws(OTTLError) -> OTTLExpression {
        if next.kind == .word, next.source == "true" || next.source == "false",
            !isOperator(tokens[min(position + 1, tokens.count - 1)])
        {
            position += 1
            return .constant(tokens[position - 1].source == "true")
        }
        let start = next
        let left = try sum()
        guard next.kind == .symbol, let comparison = OTTLComparison(rawValue: next.source) else {
            if case .function(let function, let arguments) = left, function.isCondition {
                return .function(function, arguments)
            }
            throw next.kind == .end || next.kind == .word
                ? OTTLError(
                    message: "\(Wording.quoted(start.source)) is no condition; compare it, for example with == true",
                    offset: start.offset)
                : unexpected("a comparison: == != < <= > >=")
        }
        position += 1
        return .compare(left, comparison, try sum())
    }

    private func isOperator(_ token: OTTLLexer.Token) -> Bool {
        token.kind == .symbol
            && (OTTLComparison(rawValue: token.source) != nil || OTTLArithmetic(rawValue: token.source) != nil)
    }

    // MARK: - Operands

    private mutating func sum() throws(OTTLError) -> OTTLOperand {
        var left = try product()
        while next.kind == .symbol, next.source == "+" || next.source == "-",
            let operation = OTTLArithmetic(rawValue: next.source)
        {
            position += 1
            left = .arithmetic(left, operation, try product())
        }
        return left
    }

    private mutating func product() throws(OTTLError) -> OTTLOperand {
        var left = try operand()
        while next.kind == .symbol, next.source == "*" || next.source == "/",
            let operation = OTTLArithmetic(rawValue: next.source)
        {
            position += 1
            left = .arithmetic(left, operation, try operand())
        }
        return left
    }

    private mutating func operand() throws(OTTLError) -> OTTLOperand {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth {
            throw OTTLError(message: "expressions nest deeper than \(Self.maximumDepth)", offset: next.offset)
        }
        let token = next
        switch token.kind {
        case .text(let content):
            position += 1
            return .literal(.text(content))
        case .int(let number):
            position += 1
            return .literal(.int(number))
        case .double(let number):
            position += 1
            return .literal(.double(number))
        case .bytes(let content):
            position += 1
            return .literal(.data(content))
        case .word: return try named(token)
        case .symbol where token.source == "(":
            position += 1
            let inner = try sum()
            guard takeSymbol(")") else { throw unexpected(")") }
            return inner
        case .symbol, .end: throw unexpected("a path, a value or a function")
        }
    }

    private mutating func named(_ token: OTTLLexer.Token) throws(OTTLError) -> OTTLOperand {
        position += 1
        switch token.source {
        case "true", "false": return .literal(.bool(token.source == "true"))
        case "nil": return .literal(.absent)
        default: break
        }
        if let value = Self.enumerations[token.source] { return .literal(.int(value)) }
        if next.kind == .symbol, next.source == "(" { return try call(token) }
        if token.source.allSatisfy({ $0.isUppercase || $0 == "_" || $0.isNumber }) {
            let hint = Wording.suggestion(for: token.source, among: Self.enumerations.keys.sorted())
            throw OTTLError(message: "unknown name \(Wording.quoted(token.source)).\(hint)", offset: token.offset)
        }
        return .path(try path(token))
    }

    private mutating func path(_ token: OTTLLexer.Token) throws(OTTLError) -> OTTLPath {
        var rest = token.source
        var owner: OTTLPath.Owner = context == .event ? .event : .span
        let owners: [(String, OTTLPath.Owner)] = [
            ("spanevent.", .event), ("span.", .span), ("resource.", .resource), ("instrumentation_scope.", .scope),
            ("scope.", .scope),
        ]
        if let (prefix, found) = owners.first(where: { rest.hasPrefix($0.0) }) {
            if found == .event, context == .span {
                throw OTTLError(
                    message: "a condition on spans cannot see events; write it under spanevent", offset: token.offset)
            }
            owner = found
            rest = String(rest.dropFirst(prefix.count))
        }
        guard let field = OTTLPath.Field(rawValue: rest), owner.fields.contains(field) else {
            let known = owner.fields.map(\.rawValue)
            let hint = Wording.suggestion(for: rest, among: known)
            throw OTTLError(
                message: "unknown path \(Wording.quoted(token.source))"
                    + (hint.isEmpty ? "; known here: \(known.joined(separator: ", "))" : ".\(hint)"),
                offset: token.offset)
        }
        var path = OTTLPath(owner: owner, field: field, keys: [])
        while takeSymbol("[") {
            switch next.kind {
            case .text(let key): path.keys.append(.text(key))
            case .int(let index) where index >= 0: path.keys.append(.index(Int(clamping: index)))
            default: throw unexpected("a key in double quotes, or an index")
            }
            position += 1
            guard takeSymbol("]") else { throw unexpected("]") }
        }
        if !path.keys.isEmpty, field != .attributes, field != .traceState {
            throw OTTLError(message: "\(token.source) has no keys", offset: token.offset)
        }
        return path
    }

    private mutating func call(_ token: OTTLLexer.Token) throws(OTTLError) -> OTTLOperand {
        guard let function = OTTLFunction(rawValue: token.source) else {
            let known = OTTLFunction.allCases.map(\.rawValue)
            let hint = Wording.suggestion(for: token.source, among: known)
            throw OTTLError(
                message: "unknown function \(Wording.quoted(token.source))"
                    + (hint.isEmpty ? "; known functions: \(known.joined(separator: ", "))" : ".\(hint)"),
                offset: token.offset)
        }
        _ = takeSymbol("(")
        var arguments: [OTTLOperand] = []
        var offsets: [Int] = []
        while !takeSymbol(")") {
            if !arguments.isEmpty, !takeSymbol(",") { throw unexpected(", or )") }
            offsets.append(next.offset)
            arguments.append(try sum())
        }
        guard arguments.count == function.argumentCount else {
            throw OTTLError(
                message: "\(token.source) takes \(function.argumentCount) arguments, not \(arguments.count)",
                offset: token.offset)
        }
        return .function(function, try compiled(function, arguments, offsets))
    }

    /// Works out what does not depend on a span.
    private func compiled(
        _ function: OTTLFunction, _ arguments: [OTTLOperand], _ offsets: [Int]
    ) throws(OTTLError) -> [OTTLOperand] {
        switch function {
        case .isMatch:
            guard case .literal(.text(let pattern)) = arguments[1] else {
                throw OTTLError(message: "the pattern of IsMatch is a text in double quotes", offset: offsets[1])
            }
            let text = String(decoding: pattern, as: UTF8.self)
            do {
                let test = try StringTest(patterns: [text], cacheSize: 128)
                return [arguments[0], .pattern(test)]
            } catch {
                // Exact unless there are escapes before the place.
                let offset = String(text.unicodeScalars.prefix(error.offset)).utf8.count
                throw OTTLError(message: "pattern: \(error.message)", offset: offsets[1] + 1 + offset)
            }
        case .duration:
            guard case .literal(.text(let text)) = arguments[0],
                let milliseconds = Units.duration(String(decoding: text, as: UTF8.self))
            else {
                throw OTTLError(message: "Duration takes a text such as \"500ms\" or \"2s\"", offset: offsets[0])
            }
            let (nanoseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
            return [.literal(.int(overflow ? .max : nanoseconds))]
        case .traceID, .spanID:
            guard case .literal(.data(let bytes)) = arguments[0], bytes.count == (function == .traceID ? 16 : 8) else {
                throw OTTLError(
                    message: "\(function.rawValue) takes \(function == .traceID ? 16 : 8) bytes, for example 0x0af1…",
                    offset: offsets[0])
            }
            return arguments
        default: return arguments
        }
    }
}
