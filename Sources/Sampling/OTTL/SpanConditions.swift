import OTLP

/// OTTL conditions on single spans, for stages that sort spans: true when one of them holds. Conditions learn while they run:
/// one thread at a time.
package struct SpanConditions {
    private let expressions: [OTTLExpression]

    /// Conditions that `problem(in:)` finds fault with are left out.
    package init(_ conditions: [String]) {
        expressions = conditions.compactMap { try? OTTLParser.parse($0, .span) }
    }

    package var isEmpty: Bool { expressions.isEmpty }

    /// What is wrong with a condition, and where in it; nil where nothing is.
    package static func problem(in condition: String) -> String? {
        do {
            _ = try OTTLParser.parse(condition, .span)
            return nil
        } catch {
            return "\(error.message) (at character \(error.offset + 1))"
        }
    }

    /// Keys of the attributes that the conditions read; nil where one of them reads all.
    package static func attributeKeys(of conditions: [String]) -> [String]? {
        var keys: Set<String> = []
        for condition in conditions {
            guard let expression = try? OTTLParser.parse(condition, .span) else { continue }
            guard let read = expression.attributeKeys else { return nil }
            keys.formUnion(read)
        }
        return keys.sorted()
    }

    /// Evaluates in place, on the bytes of the span.
    package func matches(_ head: borrowing SpanHead, in batch: SpanBatch) -> Bool {
        let unit = batch.units[Int(head.unit)]
        let evaluator = OTTLEvaluator(
            head: copy head, message: batch.bytes(head.message), name: batch.bytes(head.name),
            traceState: batch.bytes(head.traceState), resource: batch.bytes(unit.resource),
            scope: batch.bytes(unit.scope))
        for expression in expressions where evaluator.holds(expression) { return true }
        return false
    }
}
