import Spelling
import TraceModel

extension QueryParser {
    /// Words that stand for values.
    static let literalWords: [String: FieldLiteral] = {
        var words: [String: FieldLiteral] = [
            "true": .bool(true), "false": .bool(false), "nil": .null, "ok": .status(.ok), "error": .status(.error),
            "unset": .status(.unset), "minInt": .int(.min), "maxInt": .int(.max),
        ]
        for kind in SpanKind.allCases { words[kind.name] = .kind(kind) }
        return words
    }()

    mutating func field() throws(QueryProblem) -> FieldExpression { try field(0) }

    /// Operators that bind tighter than `minimum`.
    private mutating func field(_ minimum: Int) throws(QueryProblem) -> FieldExpression {
        let start = token.range.lowerBound
        var left = try prefixedField()
        while case .sign(let sign) = token.kind, let binary = FieldOperator(rawValue: sign),
            binary.precedence > minimum
        {
            let operatorRange = token.range
            advance()
            let right: FieldExpression
            if binary.isRightAssociative {
                // Each one of a chain calls the next.
                try enter()
                defer { nesting -= 1 }
                right = try field(binary.precedence - 1)
            } else {
                right = try field(binary.precedence)
            }
            left = FieldExpression(.binary(binary, left, right), at: start..<previousEnd)
            try checkDepth(left.depth, operatorRange)
        }
        return left
    }

    private mutating func prefixedField() throws(QueryProblem) -> FieldExpression {
        let start = token.range.lowerBound
        guard isSign("!") || isSign("-") else { return try primaryField("in an expression") }
        try enter()
        defer { nesting -= 1 }
        if take("!") {
            // The operand takes in products, as `!` binds looser than they do.
            let operand = try field(Precedence.not)
            return FieldExpression(.not(operand), at: start..<previousEnd)
        }
        advance()
        // A sign in front of a number belongs to the number.
        if let literal = numberLiteral()?.negated {
            return FieldExpression(.literal(literal), at: start..<previousEnd)
        }
        let operand = try field(Precedence.negation)
        return FieldExpression(.negation(operand), at: start..<previousEnd)
    }

    mutating func primaryField(_ context: String) throws(QueryProblem) -> FieldExpression {
        let range = token.range
        let node: FieldExpression.Node
        switch token.kind {
        case .sign("("):
            try enter()
            defer { nesting -= 1 }
            advance()
            let inner = try field()
            guard take(")") else {
                if let word { throw unknownField(word, context: "in ( … )") }
                throw unexpected("in ( … )", expected: ["an operator", "\")\""])
            }
            return inner
        case .attribute(let reference): node = .attribute(reference)
        case .intrinsic(let intrinsic): node = .intrinsic(intrinsic, ofParent: false)
        case .parentIntrinsic(let intrinsic): node = .intrinsic(intrinsic, ofParent: true)
        case .string(let text, _): node = .literal(.string(text))
        case .int(let value): node = .literal(.int(value))
        case .float(let value): node = .literal(.float(value))
        case .duration(let value): node = .literal(.duration(value))
        case .word(let word):
            if let intrinsic = Intrinsic.bare[word] {
                node = .intrinsic(intrinsic, ofParent: false)
            } else if let literal = Self.literalWords[word] {
                node = .literal(literal)
            } else {
                throw unknownField(word, context: context)
            }
        default:
            throw unexpected(context, expected: ["an attribute", "an intrinsic", "a value"])
        }
        advance()
        return FieldExpression(node, at: range)
    }

    /// A bare word that is no intrinsic: a typo, or an attribute whose scope was forgotten.
    func unknownField(_ word: String, context: String) -> QueryProblem {
        let isKnown = Intrinsic.bare[word] != nil || Self.literalWords[word] != nil
        if isKnown { return unexpected(context, expected: ["an operator"]) }
        let known = Intrinsic.bare.keys.sorted() + Self.literalWords.keys.sorted()
        let isOperator = ["and", "or", "not"].contains(word.lowercased())
        if isOperator {
            let meant = ["and": "&&", "or": "||", "not": "!"][word.lowercased()]
            return QueryProblem("unknown operator \"\(word)\"", at: token.range, suggestion: meant)
        }
        let nearest = NearestName.nearest(to: word, among: known)
        return QueryProblem(
            "unknown name \"\(QueryProblem.printable(word))\"; an attribute needs a scope: .\(word), span.\(word) or "
                + "resource.\(word)", at: token.range, suggestion: nearest)
    }
}
