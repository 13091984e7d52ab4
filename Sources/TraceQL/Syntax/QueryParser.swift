import TraceModel

/// Parses queries by recursive descent. Stops at the first mistake: what follows it would be guesswork.
///
/// Recursion is bounded, in the parser by nesting and in the tree by depth, so that no query can exhaust a stack.
struct QueryParser {
    /// A query that nests deeper was not written by a person.
    static let maximumNesting = 100
    /// Longest chain like `.a = 1 || .a = 2 || …`; use a regular expression for more.
    static let maximumDepth = 500
    /// Bytes.
    static let maximumLength = 65536

    let tokens: [Token]
    var index = 0
    var nesting = 0

    package static func parse(_ query: String) throws(QueryProblem) -> TraceQLQuery {
        let length = query.utf8.count
        if length > maximumLength {
            throw QueryProblem("the query has \(length) bytes; at most \(maximumLength) are accepted", at: 0..<0)
        }
        var parser = QueryParser(tokens: try Lexer.tokens(of: query))
        return try parser.query()
    }

    private init(tokens: [Token]) { self.tokens = tokens }

    // MARK: - Tokens

    var token: Token { tokens[index] }

    var previousEnd: Int { index > 0 ? tokens[index - 1].range.upperBound : 0 }

    mutating func advance() { if index < tokens.count - 1 { index += 1 } }

    func isSign(_ sign: String) -> Bool { token.kind == .sign(sign) }

    mutating func take(_ sign: String) -> Bool {
        guard isSign(sign) else { return false }
        advance()
        return true
    }

    mutating func require(_ sign: String, _ context: String) throws(QueryProblem) {
        if !take(sign) { throw unexpected(context, expected: ["\"\(sign)\""]) }
    }

    var word: String? {
        if case .word(let word) = token.kind { return word }
        return nil
    }

    /// `unexpected "x" in context`.
    func unexpected(_ context: String, expected: [String]) -> QueryProblem {
        QueryProblem("unexpected \(token.phrase) \(context)", at: token.range, expected: expected)
    }

    func checkDepth(_ depth: Int, _ range: Range<Int>) throws(QueryProblem) {
        if depth > Self.maximumDepth {
            throw QueryProblem(
                "the query is too long a chain of operators: at most \(Self.maximumDepth) are accepted; "
                    + "a regular expression can stand for many alternatives", at: range)
        }
    }

    mutating func enter() throws(QueryProblem) {
        nesting += 1
        if nesting > Self.maximumNesting {
            throw QueryProblem("nested more than \(Self.maximumNesting) levels deep", at: token.range)
        }
    }

    // MARK: - Pipelines

    private mutating func query() throws(QueryProblem) -> TraceQLQuery {
        if token.kind == .end {
            throw QueryProblem("the query is empty; {} finds every span", at: 0..<0)
        }
        let body = try pipeline(isTopLevel: true)
        var query = TraceQLQuery(stages: body.stages, metrics: body.metrics)
        if body.aggregate != nil || body.scalar != nil {
            throw QueryProblem(
                "a pipeline cannot end with a bare number; compare it, for example count() > 2",
                at: body.lastRange)
        }
        if word == "with" { query.hints = try hints() }
        guard token.kind == .end else {
            if let word { throw unknownWord(word, after: true) }
            throw unexpected(
                "after the query", expected: query.metrics == nil ? ["\"|\"", "an operator"] : ["\"|\"", "\"by\""])
        }
        return query
    }

    struct PipelineBody {
        var stages: [QueryStage] = []
        /// `… | count()`: only inside parentheses.
        var aggregate: Aggregate?
        /// The only content, where it is no stage: `(count() + 1)`.
        var scalar: ScalarExpression?
        var metrics: MetricsExpression?
        var lastRange = 0..<0
    }

    /// Stages up to a closing parenthesis or the end.
    mutating func pipeline(isTopLevel: Bool) throws(QueryProblem) -> PipelineBody {
        var body = PipelineBody()
        repeat {
            let start = token.range.lowerBound
            if let word, let function = MetricsFunction(rawValue: word) {
                body.metrics = try metrics(function, isFirst: body.stages.isEmpty, isTopLevel: isTopLevel)
                return body
            }
            switch try stage(isFirst: body.stages.isEmpty) {
            case .stage(let stage): body.stages.append(stage)
            case .spansets(let expression): body.stages.append(.spansets(expression))
            case .scalar(let expression):
                body.lastRange = expression.range
                if isSign("|") {
                    throw QueryProblem(
                        "a number is no stage; compare it, for example count() > 2",
                        at: start..<previousEnd)
                }
                if case .aggregate(let aggregate) = expression.node, !body.stages.isEmpty {
                    body.aggregate = aggregate
                } else if body.stages.isEmpty {
                    body.scalar = expression
                } else {
                    throw QueryProblem(
                        "this stage must be compared with a number, for example count() > 2",
                        at: expression.range)
                }
                return body
            }
        } while take("|")
        return body
    }

    enum Operand {
        case spansets(SpansetExpression)
        case scalar(ScalarExpression)
        case stage(QueryStage)
    }

    private static let stageWords = ["by", "coalesce", "select"]
    static let stageExpectations = [
        "{", "(", "count()", "avg()", "min()", "max()", "sum()", "by()", "coalesce()", "select()",
    ]

    private mutating func stage(isFirst: Bool) throws(QueryProblem) -> Operand {
        guard let word else { return try expression(0) }
        let start = token.range
        switch word {
        case "by":
            advance()
            try require("(", "after by")
            let field = try field()
            try require(")", "in by(…)")
            return .stage(.group(field))
        case "coalesce":
            if isFirst { throw QueryProblem("coalesce() needs something before it to merge", at: start) }
            advance()
            try require("(", "after coalesce")
            try require(")", "in coalesce()")
            return .stage(.coalesce)
        case "select":
            advance()
            try require("(", "after select")
            let fields = try fieldList("select(…)")
            try require(")", "in select(…)")
            return .stage(.select(fields))
        default:
            if AggregateFunction(rawValue: word) != nil { return try expression(0) }
            throw unknownWord(word, after: false)
        }
    }

    /// A word where a stage should stand, or that stands behind one.
    private func unknownWord(_ word: String, after: Bool) -> QueryProblem {
        let known =
            Self.stageWords + AggregateFunction.allCases.map(\.rawValue) + MetricsFunction.allCases.map(\.rawValue)
            + ["with"]
        if after, known.contains(word) {
            return QueryProblem(
                "unexpected \"\(word)\"; stages are separated by |", at: token.range, expected: ["\"|\""])
        }
        if ["true", "false", "nil"].contains(word) || Intrinsic.bare[word] != nil {
            return QueryProblem("conditions on spans stand in braces, for example { \(word) }", at: token.range)
        }
        var problem = QueryProblem.unknown("function", word, at: token.range, among: known)
        problem.expected = Self.stageExpectations
        return problem
    }

    /// Attributes and intrinsics separated by commas.
    mutating func fieldList(_ context: String) throws(QueryProblem) -> [FieldExpression] {
        var fields: [FieldExpression] = []
        repeat {
            let field = try primaryField(context)
            switch field.node {
            case .attribute, .intrinsic: fields.append(field)
            default:
                throw QueryProblem("\(context) takes attributes and intrinsics only", at: field.range)
            }
        } while take(",")
        return fields
    }

    // MARK: - Spansets and scalars

    /// An expression of spansets, or of numbers; which of the two shows with its first operand.
    private mutating func expression(_ minimum: Int) throws(QueryProblem) -> Operand {
        let start = token.range.lowerBound
        var left = try operand()
        while case .sign(let sign) = token.kind {
            let operatorRange = token.range
            switch left {
            case .spansets(let leftSpans):
                guard let binary = SpansetOperator(rawValue: sign) else {
                    if FieldOperator(rawValue: sign) != nil || sign == "!" {
                        throw QueryProblem(
                            "\"\(sign)\" does not combine spansets", at: operatorRange,
                            expected: SpansetOperator.allCases.map(\.rawValue))
                    }
                    return left
                }
                guard binary.precedence > minimum else { return left }
                advance()
                guard case .spansets(let right) = try expression(binary.precedence) else {
                    throw QueryProblem(
                        "\"\(sign)\" combines spansets; a number cannot stand here", at: operatorRange)
                }
                let combined = SpansetExpression(.operation(binary, leftSpans, right), at: start..<previousEnd)
                try checkDepth(combined.depth, operatorRange)
                left = .spansets(combined)
            case .scalar(let leftNumber):
                guard let binary = FieldOperator(rawValue: sign) else { return left }
                guard binary.precedence > minimum || binary.isRightAssociative && binary.precedence == minimum else {
                    return left
                }
                if binary == .and || binary == .or || binary == .matches || binary == .doesNotMatch {
                    throw QueryProblem("\"\(sign)\" does not combine numbers", at: operatorRange)
                }
                advance()
                try enter()
                defer { nesting -= 1 }
                guard case .scalar(let right) = try expression(binary.precedence) else {
                    throw QueryProblem("\"\(sign)\" needs a number on its right", at: operatorRange)
                }
                let range = start..<previousEnd
                if binary.isComparison {
                    left = .stage(.scalarFilter(ScalarFilter(binary, leftNumber, right, at: range)))
                    continue
                }
                let combined = ScalarExpression(.binary(binary, leftNumber, right), at: range)
                try checkDepth(combined.depth, operatorRange)
                left = .scalar(combined)
            case .stage:
                if SpansetOperator(rawValue: sign) != nil || FieldOperator(rawValue: sign) != nil {
                    throw QueryProblem(
                        "\"\(sign)\" cannot follow a comparison of numbers; put the parts into a pipeline with |",
                        at: operatorRange)
                }
                return left
            }
        }
        return left
    }

    private mutating func operand() throws(QueryProblem) -> Operand {
        let start = token.range
        switch token.kind {
        case .sign("{"): return .spansets(try filter())
        case .sign("("): return try parenthesized()
        case .sign("-"):
            advance()
            guard let literal = numberLiteral()?.negated else {
                throw unexpected("after \"-\"", expected: ["a number", "a duration"])
            }
            return .scalar(ScalarExpression(.literal(literal), at: start.lowerBound..<previousEnd))
        case .int, .float, .duration:
            guard let literal = numberLiteral() else { return .scalar(ScalarExpression(.literal(.int(0)))) }
            return .scalar(ScalarExpression(.literal(literal), at: start))
        case .word(let word):
            guard let function = AggregateFunction(rawValue: word) else { throw unknownWord(word, after: false) }
            let aggregate = try aggregate(function)
            return .scalar(ScalarExpression(.aggregate(aggregate), at: start.lowerBound..<previousEnd))
        case .attribute, .intrinsic, .parentIntrinsic:
            throw QueryProblem("conditions on spans stand in braces: { … }", at: start)
        default: throw unexpected("where a spanset or a stage should stand", expected: Self.stageExpectations)
        }
    }

    /// A number without sign, taken.
    mutating func numberLiteral() -> FieldLiteral? {
        switch token.kind {
        case .int(let value):
            advance()
            return .int(value)
        case .float(let value):
            advance()
            return .float(value)
        case .duration(let value):
            advance()
            return .duration(value)
        default: return nil
        }
    }

    private mutating func filter() throws(QueryProblem) -> SpansetExpression {
        let start = token.range.lowerBound
        advance()
        if take("}") { return SpansetExpression(.filter(nil), at: start..<previousEnd) }
        let condition = try field()
        guard take("}") else {
            if let word { throw unknownField(word, context: "in { … }") }
            throw unexpected("in { … }", expected: ["an operator", "\"}\""])
        }
        return SpansetExpression(.filter(condition), at: start..<previousEnd)
    }

    private mutating func parenthesized() throws(QueryProblem) -> Operand {
        try enter()
        defer { nesting -= 1 }
        let start = token.range.lowerBound
        advance()
        let body = try pipeline(isTopLevel: false)
        try require(")", "in ( … )")
        let range = start..<previousEnd
        if let scalar = body.scalar { return .scalar(scalar) }
        if let aggregate = body.aggregate {
            let expression = ScalarExpression(.pipeline(body.stages, aggregate), at: range)
            try checkDepth(expression.depth, range)
            return .scalar(expression)
        }
        if body.stages.count == 1, case .spansets(let expression) = body.stages[0] { return .spansets(expression) }
        let expression = SpansetExpression(.pipeline(body.stages), at: range)
        try checkDepth(expression.depth, range)
        return .spansets(expression)
    }

    private mutating func aggregate(_ function: AggregateFunction) throws(QueryProblem) -> Aggregate {
        advance()
        try require("(", "after \(function.rawValue)")
        if function == .count {
            guard take(")") else { throw QueryProblem("count() takes no argument", at: token.range) }
            return Aggregate(.count)
        }
        if isSign(")") {
            throw QueryProblem(
                "\(function.rawValue)() needs a field, for example \(function.rawValue)(duration)", at: token.range)
        }
        let field = try field()
        try require(")", "in \(function.rawValue)(…)")
        return Aggregate(function, field)
    }
}
