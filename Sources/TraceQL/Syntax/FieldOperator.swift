/// Operators between the fields of one span.
package enum FieldOperator: String, Sendable, CaseIterable {
    case and = "&&"
    case or = "||"
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case matches = "=~"
    case doesNotMatch = "!~"
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"
    case power = "^"

    /// A larger number binds tighter. `&&` and `||` are equal, as in Tempo: `a || b && c` is `(a || b) && c`.
    var precedence: Int {
        switch self {
        case .and, .or: Precedence.boolean
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .matches, .doesNotMatch:
            Precedence.comparison
        case .add, .subtract: Precedence.sum
        case .multiply, .divide, .modulo: Precedence.product
        case .power: Precedence.power
        }
    }

    var isRightAssociative: Bool { self == .power }

    var isArithmetic: Bool { precedence >= Precedence.sum }

    var isOrdering: Bool {
        switch self {
        case .less, .lessOrEqual, .greater, .greaterOrEqual: true
        default: false
        }
    }

    var isComparison: Bool { precedence == Precedence.comparison }
}

/// How tightly operators bind.
enum Precedence {
    static let boolean = 1
    static let comparison = 2
    static let sum = 3
    /// `!` binds looser than products: `!.a * 2` is `!(.a * 2)`.
    static let not = 4
    static let product = 5
    static let power = 6
    static let negation = 7
    static let primary = 8
}

/// Operators between spansets.
package enum SpansetOperator: String, Sendable, CaseIterable {
    case and = "&&"
    case or = "||"
    case child = ">"
    case parent = "<"
    case descendant = ">>"
    case ancestor = "<<"
    case sibling = "~"
    case notChild = "!>"
    case notParent = "!<"
    case notDescendant = "!>>"
    case notAncestor = "!<<"
    case notSibling = "!~"
    case unionChild = "&>"
    case unionParent = "&<"
    case unionDescendant = "&>>"
    case unionAncestor = "&<<"
    case unionSibling = "&~"

    var precedence: Int { self == .and || self == .or ? Precedence.boolean : Precedence.comparison }

    /// Whether it looks at how spans are related in the trace.
    var isStructural: Bool { self != .and && self != .or }
}
