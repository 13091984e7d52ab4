import TraceModel

/// A value written in a query.
package enum FieldLiteral: Equatable, Sendable {
    case string(String)
    case int(Int64)
    case float(Double)
    case bool(Bool)
    /// Nanoseconds.
    case duration(Int64)
    case status(StatusCode)
    case kind(SpanKind)
    case null

    package var type: FieldType {
        switch self {
        case .string: .string
        case .int: .int
        case .float: .float
        case .bool: .bool
        case .duration: .duration
        case .status: .status
        case .kind: .kind
        case .null: .null
        }
    }

    var isNumeric: Bool { type.isNumeric }

    /// Strings are equal when their bytes are: Swift's own equality takes composed and decomposed letters for the same.
    package static func == (left: FieldLiteral, right: FieldLiteral) -> Bool {
        switch (left, right) {
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.int(let left), .int(let right)): left == right
        case (.float(let left), .float(let right)): left == right
        case (.bool(let left), .bool(let right)): left == right
        case (.duration(let left), .duration(let right)): left == right
        case (.status(let left), .status(let right)): left == right
        case (.kind(let left), .kind(let right)): left == right
        case (.null, .null): true
        default: false
        }
    }

    /// The number with the other sign; nil for what is no number.
    var negated: FieldLiteral? {
        switch self {
        case .int(let value): .int(0 &- value)
        case .float(let value): .float(-value)
        case .duration(let value): .duration(0 &- value)
        default: nil
        }
    }
}

/// An expression over the fields of one span.
///
/// Two expressions are equal when they mean the same, wherever in a query they stood.
package struct FieldExpression: Equatable, Sendable {
    package indirect enum Node: Equatable, Sendable {
        case literal(FieldLiteral)
        case attribute(AttributeReference)
        case intrinsic(Intrinsic, ofParent: Bool)
        case not(FieldExpression)
        case negation(FieldExpression)
        case binary(FieldOperator, FieldExpression, FieldExpression)
    }

    package let node: Node
    /// Offsets into the query's UTF-8.
    package let range: Range<Int>
    /// Levels of the tree. The parser bounds it, so that everything after it may recurse.
    let depth: Int

    package init(_ node: Node, at range: Range<Int> = 0..<0) {
        self.node = node
        self.range = range
        switch node {
        case .literal, .attribute, .intrinsic: depth = 1
        case .not(let operand), .negation(let operand): depth = operand.depth + 1
        case .binary(_, let left, let right): depth = max(left.depth, right.depth) + 1
        }
    }

    package static func == (left: FieldExpression, right: FieldExpression) -> Bool { left.node == right.node }

    /// Whether its value can differ between spans or traces.
    var referencesSpan: Bool {
        switch node {
        case .literal: false
        case .attribute, .intrinsic: true
        case .not(let operand), .negation(let operand): operand.referencesSpan
        case .binary(_, let left, let right): left.referencesSpan || right.referencesSpan
        }
    }

    var precedence: Int {
        switch node {
        case .literal, .attribute, .intrinsic: Precedence.primary
        case .not: Precedence.not
        case .negation: Precedence.negation
        case .binary(let binary, _, _): binary.precedence
        }
    }

    /// Whether any part of it meets a condition.
    func contains(where condition: (Node) -> Bool) -> Bool {
        if condition(node) { return true }
        switch node {
        case .literal, .attribute, .intrinsic: return false
        case .not(let operand), .negation(let operand): return operand.contains(where: condition)
        case .binary(_, let left, let right):
            return left.contains(where: condition) || right.contains(where: condition)
        }
    }
}
