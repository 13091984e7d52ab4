import Patterns
import TraceModel

/// Collects the nodes of a `FilterProgram`.
struct FilterCompiler: ~Copyable {
    private(set) var nodes: [FilterProgram.Node] = []
    private(set) var matchers: [TextMatcher] = []
    private(set) var serviceKey: UnsafeRawBufferPointer?
    private(set) var readsUnit = false
    private var texts: [UnsafeMutableRawBufferPointer] = []

    init() {}

    deinit {
        for text in texts { text.deallocate() }
    }

    /// Hands over the memory of the constants.
    mutating func takeTexts() -> [UnsafeMutableRawBufferPointer] {
        defer { texts = [] }
        return texts
    }

    /// Adds a checked expression and returns its node.
    mutating func add(_ field: FieldExpression) -> Int {
        let node: FilterProgram.Node
        switch field.node {
        case .literal(let literal): node = .constant(constant(literal))
        case .attribute(let reference):
            if !reference.ofParent, reference.scope != .span, reference.scope != .event, reference.scope != .link {
                readsUnit = true
            }
            node = .attribute(reference.scope, key: keep(reference.name), ofParent: reference.ofParent)
        case .intrinsic(let intrinsic, let ofParent):
            if intrinsic == .rootService, serviceKey == nil { serviceKey = keep("service.name") }
            if intrinsic == .instrumentationName || intrinsic == .instrumentationVersion { readsUnit = true }
            node = .intrinsic(intrinsic, ofParent: ofParent)
        case .not(let operand): node = .not(add(operand))
        case .negation(let operand): node = .negation(add(operand))
        case .binary(let binary, let left, let right): node = self.node(binary, left, right)
        }
        nodes.append(node)
        return nodes.count - 1
    }

    private mutating func node(
        _ binary: FieldOperator, _ left: FieldExpression, _ right: FieldExpression
    ) -> FilterProgram.Node {
        switch binary {
        case .and, .or:
            // Nothing has side effects, so the cheaper side can be asked first.
            let (first, second) = right.cost < left.cost ? (right, left) : (left, right)
            let (firstNode, secondNode) = (add(first), add(second))
            return binary == .and ? .and(firstNode, secondNode) : .or(firstNode, secondNode)
        case .matches, .doesNotMatch:
            guard case .literal(.string(let pattern)) = right.node,
                let matcher = try? TextMatcher(pattern, isAnchored: true)
            else {
                // The type checker has refused it.
                return .constant(.bool(false))
            }
            matchers.append(matcher)
            return .match(add(left), matcher: matchers.count - 1, isNegated: binary == .doesNotMatch)
        case .equal, .notEqual:
            let isNil = (left.node == .literal(.null), right.node == .literal(.null))
            // `nil = nil` and `nil != nil` are both false.
            if isNil == (true, true) { return .constant(.bool(false)) }
            if isNil.0 || isNil.1 {
                let operand = add(isNil.0 ? right : left)
                return binary == .equal ? .isAbsent(operand) : .isPresent(operand)
            }
            let leftNode = add(left, comparedWith: right)
            let rightNode = add(right, comparedWith: left)
            return .compare(leftNode, binary, rightNode, anyOf: left.isRepeated || right.isRepeated)
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            let (leftNode, rightNode) = (add(left), add(right))
            return .compare(leftNode, binary, rightNode, anyOf: left.isRepeated || right.isRepeated)
        case .add, .subtract, .multiply, .divide, .modulo, .power:
            let (leftNode, rightNode) = (add(left), add(right))
            return .arithmetic(leftNode, binary, rightNode)
        }
    }

    /// An operand of `=` or `!=`. The text of an id becomes the id, so that upper case and missing zeros do not matter.
    private mutating func add(_ operand: FieldExpression, comparedWith other: FieldExpression) -> Int {
        guard case .literal(.string(let text)) = operand.node, case .intrinsic(let intrinsic, _) = other.node else {
            return add(operand)
        }
        switch intrinsic {
        case .traceID, .linkTraceID:
            guard let id = TraceID(hex: text) else { return add(operand) }
            nodes.append(.constant(.traceID(id)))
        case .spanID, .parentID, .linkSpanID:
            guard let id = SpanID(hex: text) else { return add(operand) }
            nodes.append(.constant(.spanID(id)))
        default: return add(operand)
        }
        return nodes.count - 1
    }

    mutating func constant(_ literal: FieldLiteral) -> FieldValue {
        switch literal {
        case .string(let text): .string(keep(text))
        case .int(let value): .int(value)
        case .float(let value): .double(value)
        case .bool(let value): .bool(value)
        case .duration(let value): .duration(value)
        case .status(let code): .status(code.rawValue)
        case .kind(let kind): .kind(kind.rawValue)
        case .null: .absent
        }
    }

    /// A copy of a text that lives as long as the program.
    private mutating func keep(_ text: String) -> UnsafeRawBufferPointer {
        let bytes = Array(text.utf8)
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
        copy.copyBytes(from: bytes)
        texts.append(copy)
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(copy)[..<bytes.count])
    }
}

extension FieldExpression {
    /// Whether a span can have several values of it: fields of events and links, and attributes of any scope.
    var isRepeated: Bool {
        switch node {
        case .attribute(let reference): reference.scope == .event || reference.scope == .link || reference.scope == .any
        case .intrinsic(let intrinsic, _): intrinsic.isRepeated
        default: false
        }
    }

    /// About how long it takes to evaluate, in comparisons of two numbers.
    fileprivate var cost: Int {
        switch node {
        case .literal: 0
        case .intrinsic(let intrinsic, let ofParent):
            switch intrinsic {
            case _ where ofParent: 20
            case .eventName, .eventTimeSinceStart, .linkTraceID, .linkSpanID, .statusMessage: 50
            case .instrumentationName, .instrumentationVersion: 10
            default: 1
            }
        case .attribute(let reference):
            switch reference.scope {
            case .span, .resource: 20
            case .instrumentation: 10
            case .event, .link: 100
            case .any: 60
            }
        case .not(let operand), .negation(let operand): operand.cost
        case .binary(.matches, let left, _), .binary(.doesNotMatch, let left, _): left.cost + 40
        case .binary(_, let left, let right): left.cost + right.cost + 1
        }
    }
}
