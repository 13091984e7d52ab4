import Patterns
import TraceModel

/// Conditions and fields of one query in the form that is evaluated: nodes without references, so that looking at a span
/// costs no allocation and no reference counting.
///
/// Owns its constants, and the regular expressions, which learn their states while they run: one thread at a time.
final class FilterProgram {
    enum Node {
        case constant(FieldValue)
        case attribute(AttributeScope, key: UnsafeRawBufferPointer, ofParent: Bool)
        case intrinsic(Intrinsic, ofParent: Bool)
        case not(Int)
        case negation(Int)
        case and(Int, Int)
        case or(Int, Int)
        /// `anyOf`: an operand can have several values, of which one has to meet the comparison.
        case compare(Int, FieldOperator, Int, anyOf: Bool)
        case match(Int, matcher: Int, isNegated: Bool)
        case isAbsent(Int)
        case isPresent(Int)
        case arithmetic(Int, FieldOperator, Int)
    }

    let nodes: [Node]
    /// `service.name`, kept where the program asks for the root's service.
    let serviceKey: UnsafeRawBufferPointer?
    /// Whether it looks at the resource or the instrumentation scope.
    let readsUnit: Bool
    var matchers: [TextMatcher]
    private let texts: [UnsafeMutableRawBufferPointer]

    init(_ compiler: consuming FilterCompiler) {
        nodes = compiler.nodes
        serviceKey = compiler.serviceKey
        readsUnit = compiler.readsUnit
        matchers = compiler.matchers
        texts = compiler.takeTexts()
    }

    deinit {
        for text in texts { text.deallocate() }
    }
}
