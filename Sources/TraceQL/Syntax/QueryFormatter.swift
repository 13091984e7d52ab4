import TraceModel

/// Writes queries in one canonical form: parsing the text gives the same query again.
enum QueryFormatter {
    static func text(_ query: TraceQLQuery) -> String {
        var text = self.text(query.stages)
        if let metrics = query.metrics { text += " | " + self.text(metrics) }
        if !query.hints.isEmpty {
            text += " with(" + query.hints.map { "\($0.name)=\(self.text($0.value))" }.joined(separator: ", ") + ")"
        }
        return text
    }

    static func text(_ stages: [QueryStage]) -> String { stages.map { text($0) }.joined(separator: " | ") }

    static func text(_ stage: QueryStage) -> String {
        switch stage {
        case .spansets(let expression): text(expression)
        case .scalarFilter(let filter): "\(text(filter.left)) \(filter.comparison.rawValue) \(text(filter.right))"
        case .group(let field): "by(\(text(field)))"
        case .coalesce: "coalesce()"
        case .select(let fields): "select(\(list(fields)))"
        }
    }

    private static func list(_ fields: [FieldExpression]) -> String {
        fields.map { text($0) }.joined(separator: ", ")
    }

    static func text(_ expression: SpansetExpression) -> String {
        switch expression.node {
        case .filter(nil): return "{ }"
        case .filter(let condition?): return "{ \(text(condition)) }"
        case .pipeline(let stages): return "(\(text(stages)))"
        case .operation(let binary, let left, let right):
            let leftText = parenthesized(text(left), if: left.precedence < binary.precedence)
            let rightText = parenthesized(text(right), if: right.precedence <= binary.precedence)
            return "\(leftText) \(binary.rawValue) \(rightText)"
        }
    }

    static func text(_ aggregate: Aggregate) -> String {
        "\(aggregate.function.rawValue)(\(aggregate.field.map { text($0) } ?? ""))"
    }

    static func text(_ expression: ScalarExpression) -> String {
        switch expression.node {
        case .literal(let literal): return text(literal)
        case .aggregate(let aggregate): return text(aggregate)
        case .pipeline(let stages, let aggregate): return "(\(text(stages)) | \(text(aggregate)))"
        case .binary(let binary, let left, let right):
            return joined(binary, text(left), left.precedence, text(right), right.precedence)
        }
    }

    private static func text(_ metrics: MetricsExpression) -> String {
        var arguments: [String] = []
        if let field = metrics.field { arguments.append(self.text(field)) }
        arguments += metrics.quantiles.map { QueryFormatter.text(FieldLiteral.float($0)) }
        if let comparison = metrics.comparison {
            arguments.append(self.text(comparison.selection))
            for number in [comparison.topCount, comparison.start, comparison.end] {
                if let number { arguments.append(String(number)) }
            }
        }
        var text = "\(metrics.function.rawValue)(\(arguments.joined(separator: ", ")))"
        if !metrics.groups.isEmpty { text += " by(\(list(metrics.groups)))" }
        for stage in metrics.secondStages {
            switch stage {
            case .top(let count): text += " | topk(\(count))"
            case .bottom(let count): text += " | bottomk(\(count))"
            case .filter(let comparison, let number): text += " | \(comparison.rawValue) \(self.text(number))"
            }
        }
        return text
    }

    static func text(_ field: FieldExpression) -> String {
        switch field.node {
        case .literal(let literal): return text(literal)
        case .attribute(let reference): return text(reference)
        case .intrinsic(let intrinsic, let ofParent):
            return ofParent ? "parent.\(intrinsic.rawValue)" : intrinsic.rawValue
        case .not(let operand):
            return "!" + parenthesized(text(operand), if: operand.precedence < Precedence.not)
        case .negation(let operand):
            // A bare number would take the sign for its own.
            var isNumber = false
            if case .literal(let literal) = operand.node { isNumber = literal.isNumeric }
            return "-" + parenthesized(text(operand), if: isNumber || operand.precedence < Precedence.negation)
        case .binary(let binary, let left, let right):
            return joined(binary, text(left), left.precedence, text(right), right.precedence)
        }
    }

    private static func joined(
        _ binary: FieldOperator, _ left: String, _ leftPrecedence: Int, _ right: String, _ rightPrecedence: Int
    ) -> String {
        let outer = binary.precedence
        let leftText = parenthesized(
            left, if: binary.isRightAssociative ? leftPrecedence <= outer : leftPrecedence < outer)
        let rightText = parenthesized(
            right, if: binary.isRightAssociative ? rightPrecedence < outer : rightPrecedence <= outer)
        return "\(leftText) \(binary.rawValue) \(rightText)"
    }

    private static func parenthesized(_ text: String, if isNeeded: Bool) -> String { isNeeded ? "(\(text))" : text }

    static func text(_ reference: AttributeReference) -> String {
        let prefix = (reference.ofParent ? "parent." : "") + (reference.scope == .any ? "" : reference.scope.prefix)
        return (prefix.isEmpty ? "." : prefix) + name(reference)
    }

    private static func name(_ reference: AttributeReference) -> String {
        let name = reference.name
        var needsQuotes = !name.utf8.allSatisfy { Lexer.isAttributeByte($0) && $0 != UInt8(ascii: "\"") }
        if reference.scope == .any {
            if reference.ofParent {
                // Unquoted these would be a scope, or an intrinsic of the parent.
                needsQuotes = needsQuotes || name.hasPrefix("span.") || name.hasPrefix("resource.")
                needsQuotes = needsQuotes || Intrinsic.bare[name] != nil
            } else {
                // `.5` is a number.
                needsQuotes = needsQuotes || name.utf8.allSatisfy { (0x30...0x39).contains($0) }
            }
        }
        guard needsQuotes else { return name }
        var text = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append(scalar)
        }
        return text + "\""
    }

    static func text(_ literal: FieldLiteral) -> String {
        switch literal {
        case .string(let string): return quoted(string)
        case .int(.min): return "minInt"
        case .int(let value): return String(value)
        case .float(let value): return value.description
        case .bool(let value): return value ? "true" : "false"
        case .duration(let value): return DurationText.text(value)
        case .status(.unset): return "unset"
        case .status(.ok): return "ok"
        case .status(.error): return "error"
        case .kind(let kind): return kind.name
        case .null: return "nil"
        }
    }

    private static func quoted(_ string: String) -> String {
        var text = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                text += "\\x" + String(repeating: "0", count: 2 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}

extension TraceQLQuery: CustomStringConvertible {
    /// The canonical text.
    package var description: String { QueryFormatter.text(self) }
}

extension FieldExpression: CustomStringConvertible {
    /// The canonical text.
    package var description: String { QueryFormatter.text(self) }
}
