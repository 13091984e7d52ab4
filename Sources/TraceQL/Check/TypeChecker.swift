import Patterns

/// Checks what a query means: types of operands, regular expressions, and what cannot be evaluated. Finds all mistakes.
struct TypeChecker {
    private(set) var problems: [QueryProblem] = []

    static func problems(in query: TraceQLQuery) -> [QueryProblem] {
        var checker = TypeChecker()
        checker.check(query.stages, isGrouped: false)
        if let metrics = query.metrics { checker.check(metrics) }
        return checker.problems
    }

    private mutating func report(_ message: String, at range: Range<Int>) {
        problems.append(QueryProblem(message, at: range))
    }

    // MARK: - Stages

    /// Returns whether there can be several spansets after these stages.
    @discardableResult
    private mutating func check(_ stages: [QueryStage], isGrouped: Bool) -> Bool {
        var isGrouped = isGrouped
        for stage in stages {
            switch stage {
            case .spansets(let expression): isGrouped = check(expression, isGrouped: isGrouped)
            case .scalarFilter(let filter): check(filter)
            case .group(let field):
                _ = type(of: field)
                if !field.referencesSpan {
                    report("by() needs a field of the spans; \(field) is the same for all of them", at: field.range)
                }
                isGrouped = true
            case .coalesce: isGrouped = false
            case .select: break
            }
        }
        return isGrouped
    }

    /// Returns whether its result can be several spansets.
    private mutating func check(_ expression: SpansetExpression, isGrouped: Bool) -> Bool {
        switch expression.node {
        case .filter(nil): return isGrouped
        case .filter(let condition?):
            checkCondition(condition)
            return isGrouped
        case .pipeline(let stages): return check(stages, isGrouped: isGrouped)
        case .operation(let binary, let left, let right):
            // Operands work on one spanset at a time; only a by() inside of them makes several.
            let isLeftGrouped = check(left, isGrouped: false)
            let isRightGrouped = check(right, isGrouped: false)
            if binary.isStructural, isGrouped || isLeftGrouped || isRightGrouped {
                report(
                    "\"\(binary.rawValue)\" compares the spans of one spanset, and by() makes several; merge them with "
                        + "| coalesce()", at: expression.range)
            }
            return isGrouped
        }
    }

    private mutating func checkCondition(_ condition: FieldExpression) {
        let before = problems.count
        let type = type(of: condition)
        guard problems.count == before, type != .bool, type != .attribute else { return }
        report("{ } needs a condition that is true or false, and \(condition) is \(type.phrase)", at: condition.range)
    }

    // MARK: - Scalars

    private mutating func check(_ filter: ScalarFilter) {
        let before = problems.count
        let left = check(filter.left)
        let right = check(filter.right)
        guard problems.count == before else { return }
        _ = (left, right)
        if case .aggregate = filter.left.node, case .literal = filter.right.node { return }
        report(
            "only an aggregate compared with a number is supported yet, as in count() > 2 or avg(duration) > 1s",
            at: filter.range)
    }

    private mutating func check(_ expression: ScalarExpression) -> FieldType {
        switch expression.node {
        case .literal(let literal): return literal.type
        case .aggregate(let aggregate): return check(aggregate)
        case .pipeline(let stages, let aggregate):
            check(stages, isGrouped: false)
            return check(aggregate)
        case .binary(_, let left, let right):
            _ = check(left)
            _ = check(right)
            return .number
        }
    }

    private mutating func check(_ aggregate: Aggregate) -> FieldType {
        guard let field = aggregate.field else { return .int }
        checkNumber(field, of: "\(aggregate.function.rawValue)()")
        return .number
    }

    /// A field that a number is wanted of.
    private mutating func checkNumber(_ field: FieldExpression, of function: String) {
        let before = problems.count
        let type = type(of: field)
        guard problems.count == before else { return }
        if type != .attribute, !type.isNumeric {
            report("\(function) needs a number, and \(field) is \(type.phrase)", at: field.range)
        } else if !field.referencesSpan {
            report("\(function) needs a field of the spans; \(field) is the same for all of them", at: field.range)
        }
    }

    // MARK: - Metrics

    private mutating func check(_ metrics: MetricsExpression) {
        if let field = metrics.field { checkNumber(field, of: "\(metrics.function.rawValue)()") }
        if metrics.function == .quantileOverTime, metrics.quantiles.isEmpty {
            report(
                "quantile_over_time() needs at least one quantile, for example quantile_over_time(duration, 0.99)",
                at: metrics.range)
        }
        if let comparison = metrics.comparison { _ = check(comparison.selection, isGrouped: false) }
    }

    // MARK: - Fields

    /// The type of an expression; mistakes inside of it are reported, and it counts as an attribute from there on.
    private mutating func type(of field: FieldExpression) -> FieldType {
        switch field.node {
        case .literal(let literal): return literal.type
        case .attribute: return .attribute
        case .intrinsic(let intrinsic, _): return intrinsic.type
        case .not(let operand):
            let type = type(of: operand)
            if type != .bool, type != .attribute {
                report("\"!\" needs true or false, and \(operand) is \(type.phrase)", at: field.range)
            }
            return .bool
        case .negation(let operand):
            let type = type(of: operand)
            if type == .attribute { return .number }
            if !type.isNumeric {
                report("\"-\" needs a number, and \(operand) is \(type.phrase)", at: field.range)
                return .attribute
            }
            return type
        case .binary(let binary, let left, let right):
            let leftType = type(of: left)
            let rightType = type(of: right)
            if binary.isArithmetic { return arithmetic(binary, left, leftType, right, rightType, field.range) }
            if binary == .and || binary == .or {
                checkLogic(binary, left, leftType)
                checkLogic(binary, right, rightType)
            } else if leftType == .null || rightType == .null {
                checkNil(binary, left, leftType, right, rightType, field.range)
            } else {
                checkComparison(binary, left, leftType, right, rightType, field.range)
            }
            return .bool
        }
    }

    private mutating func arithmetic(
        _ binary: FieldOperator, _ left: FieldExpression, _ leftType: FieldType, _ right: FieldExpression,
        _ rightType: FieldType, _ range: Range<Int>
    ) -> FieldType {
        for (operand, type) in [(left, leftType), (right, rightType)] where type != .attribute && !type.isNumeric {
            report("\"\(binary.rawValue)\" needs numbers, and \(operand) is \(type.phrase)", at: operand.range)
            return .attribute
        }
        if binary == .divide || binary == .modulo, case .literal(.int(0)) = right.node, leftType == .int {
            report("division by zero", at: range)
        }
        if leftType == .int, rightType == .int { return .int }
        return .number
    }

    private mutating func checkLogic(_ binary: FieldOperator, _ operand: FieldExpression, _ type: FieldType) {
        if type != .bool, type != .attribute {
            report("\"\(binary.rawValue)\" needs true or false, and \(operand) is \(type.phrase)", at: operand.range)
        }
    }

    private mutating func checkNil(
        _ binary: FieldOperator, _ left: FieldExpression, _ leftType: FieldType, _ right: FieldExpression,
        _ rightType: FieldType, _ range: Range<Int>
    ) {
        guard binary == .equal || binary == .notEqual else {
            report("\"\(binary.rawValue)\" cannot be applied to nil; only = nil and != nil can", at: range)
            return
        }
        for (operand, type) in [(left, leftType), (right, rightType)] {
            if case .literal = operand.node, type != .null {
                report("\(operand) is \(type.phrase) and never nil", at: range)
            }
        }
    }

    private mutating func checkComparison(
        _ binary: FieldOperator, _ left: FieldExpression, _ leftType: FieldType, _ right: FieldExpression,
        _ rightType: FieldType, _ range: Range<Int>
    ) {
        if binary == .matches || binary == .doesNotMatch {
            checkPattern(binary, left, leftType, right)
            return
        }
        let isComparable =
            leftType == rightType || leftType == .attribute || rightType == .attribute
            || leftType.isNumeric && rightType.isNumeric
        guard isComparable else {
            var message = "\(left) is \(leftType.phrase) and \(right) is \(rightType.phrase): they never compare"
            // `kind = "server"`: statuses and kinds are written without quotes.
            for (operand, other) in [(left, rightType), (right, leftType)] {
                guard case .literal(.string(let text)) = operand.node else { continue }
                if let meant = QueryParser.literalWords[text], meant.type == other {
                    message += "; write \(text) without quotes"
                }
            }
            report(message, at: range)
            return
        }
        for (operand, type) in [(left, leftType), (right, rightType)]
        where binary.isOrdering && (type == .bool || type == .status || type == .kind) {
            report(
                "\"\(binary.rawValue)\" needs an order, and \(operand) is \(type.phrase); use = or !=", at: range)
            return
        }
    }

    private mutating func checkPattern(
        _ binary: FieldOperator, _ left: FieldExpression, _ leftType: FieldType, _ right: FieldExpression
    ) {
        if leftType != .string, leftType != .attribute {
            report("\"\(binary.rawValue)\" matches strings, and \(left) is \(leftType.phrase)", at: left.range)
        }
        guard case .literal(.string(let pattern)) = right.node else {
            report("the right side of \"\(binary.rawValue)\" is a regular expression in quotes", at: right.range)
            return
        }
        do {
            _ = try TextMatcher(pattern, isAnchored: true)
        } catch {
            // The place inside the literal is exact unless there are escapes before it.
            let offset = String(pattern.unicodeScalars.prefix(error.offset)).utf8.count
            let start = min(
                right.range.lowerBound + 1 + offset, max(right.range.lowerBound, right.range.upperBound - 1))
            report("bad regular expression: \(error.message)", at: start..<max(start, right.range.upperBound - 1))
        }
    }
}

extension TraceQLQuery {
    /// Parses and checks a query.
    package static func checked(_ text: String) -> Result<TraceQLQuery, QueryProblems> {
        do {
            let query = try QueryParser.parse(text)
            if let problems = QueryProblems(TypeChecker.problems(in: query)) { return .failure(problems) }
            return .success(query)
        } catch {
            return .failure(QueryProblems(error))
        }
    }
}
