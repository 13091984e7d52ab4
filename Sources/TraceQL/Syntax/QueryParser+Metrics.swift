extension QueryParser {
    mutating func metrics(
        _ function: MetricsFunction, isFirst: Bool, isTopLevel: Bool
    ) throws(QueryProblem) -> MetricsExpression {
        let start = token.range
        if isFirst {
            throw QueryProblem(
                "\(function.rawValue)() needs spans to count, for example {} | \(function.rawValue)()", at: start)
        }
        guard isTopLevel else {
            throw QueryProblem("arithmetic between metrics is not yet supported", at: start)
        }
        advance()
        try require("(", "after \(function.rawValue)")
        var metrics = MetricsExpression(function)
        if function == .compare {
            metrics.comparison = try comparison()
        } else if function.takesField {
            if isSign(")") {
                throw QueryProblem(
                    "\(function.rawValue)() needs a field, for example \(function.rawValue)(duration)",
                    at: token.range)
            }
            metrics.field = try field()
            while function == .quantileOverTime, take(",") { metrics.quantiles.append(try quantile()) }
        }
        try require(")", "in \(function.rawValue)(…)")
        metrics.range = start.lowerBound..<previousEnd
        if word == "by" {
            advance()
            try require("(", "after by")
            metrics.groups = try fieldList("by(…)")
            try require(")", "in by(…)")
        }
        while true {
            if take("|") {
                metrics.secondStages.append(try secondStage())
            } else if let filter = try seriesFilter() {
                metrics.secondStages.append(filter)
            } else {
                return metrics
            }
        }
    }

    private mutating func quantile() throws(QueryProblem) -> Double {
        let range = token.range
        switch numberLiteral() {
        case .int(let value)? where value == 0 || value == 1: return Double(value)
        case .float(let value)? where value <= 1: return value
        default: throw QueryProblem("a quantile is a number between 0 and 1", at: range)
        }
    }

    private mutating func comparison() throws(QueryProblem) -> MetricsExpression.Comparison {
        guard isSign("{") else { throw unexpected("in compare(…)", expected: ["{"]) }
        let start = token.range.lowerBound
        advance()
        let selection: SpansetExpression
        if take("}") {
            selection = SpansetExpression(.filter(nil), at: start..<previousEnd)
        } else {
            let condition = try field()
            try require("}", "in { … }")
            selection = SpansetExpression(.filter(condition), at: start..<previousEnd)
        }
        var numbers: [Int64] = []
        while take(",") {
            guard case .int(let value)? = numberLiteral() else {
                throw unexpected("in compare(…)", expected: ["an integer"])
            }
            numbers.append(value)
        }
        guard [0, 1, 3].contains(numbers.count) else {
            throw QueryProblem(
                "compare() takes a spanset, then perhaps a count, then perhaps start and end together",
                at: start..<previousEnd)
        }
        return MetricsExpression.Comparison(
            selection: selection, topCount: numbers.first, start: numbers.count == 3 ? numbers[1] : nil,
            end: numbers.count == 3 ? numbers[2] : nil)
    }

    private mutating func secondStage() throws(QueryProblem) -> MetricsExpression.SecondStage {
        let range = token.range
        if let filter = try seriesFilter() { return filter }
        guard let word, word == "topk" || word == "bottomk" else {
            guard let word else {
                throw unexpected("after a metric", expected: ["topk()", "bottomk()", "a comparison"])
            }
            throw .unknown("function of series", word, at: range, among: ["topk", "bottomk"])
        }
        advance()
        try require("(", "after \(word)")
        guard case .int(let count)? = numberLiteral(), count > 0 else {
            throw QueryProblem("\(word)() takes an integer above 0", at: tokens[index - 1].range)
        }
        try require(")", "in \(word)(…)")
        return word == "topk" ? .top(count) : .bottom(count)
    }

    private mutating func seriesFilter() throws(QueryProblem) -> MetricsExpression.SecondStage? {
        guard case .sign(let sign) = token.kind, let comparison = FieldOperator(rawValue: sign),
            comparison.isComparison, comparison != .matches, comparison != .doesNotMatch
        else { return nil }
        advance()
        let isNegative = take("-")
        guard let number = numberLiteral() else {
            throw unexpected("after \"\(sign)\"", expected: ["a number", "a duration"])
        }
        return .filter(comparison, isNegative ? number.negated ?? number : number)
    }

    mutating func hints() throws(QueryProblem) -> [QueryHint] {
        advance()
        try require("(", "after with")
        var hints: [QueryHint] = []
        repeat {
            guard let name = word else { throw unexpected("in with(…)", expected: ["a name"]) }
            if hints.contains(where: { $0.name == name }) {
                throw QueryProblem("\"\(name)\" is already set", at: token.range)
            }
            advance()
            try require("=", "in with(…)")
            let isNegative = take("-")
            let value = try primaryField("in with(…)")
            guard case .literal(let literal) = value.node else {
                throw QueryProblem("a hint's value is a literal", at: value.range)
            }
            if isNegative, literal.negated == nil {
                throw QueryProblem("\"-\" needs a number", at: value.range)
            }
            hints.append(QueryHint(name, isNegative ? literal.negated ?? literal : literal))
        } while take(",")
        try require(")", "in with(…)")
        return hints
    }
}
