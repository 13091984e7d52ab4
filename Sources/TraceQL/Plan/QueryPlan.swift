/// How the answer "does this trace match?" can be had.
package enum QueryPlan: Equatable, Sendable {
    /// From bits that are set as spans arrive, one for each predicate that some span has met.
    case perSpan(predicates: [FieldExpression?], verdict: BitCondition)
    /// From all spans of the trace together.
    ///
    /// - reason: what in the query needs them.
    case wholeTrace(reason: String)

    /// A sampler has 64 bits for all its policies.
    static let maximumPredicates = 16

    package init(_ query: TraceQLQuery) {
        if query.metrics != nil {
            self = .wholeTrace(reason: "a metric is computed from many traces")
            return
        }
        var builder = PlanBuilder()
        do {
            let sets = try builder.sets(after: query.stages, [PlanBuilder.Part(guards: [], conditions: [])])
            let verdict = try builder.isNonEmpty(sets)
            self = .perSpan(predicates: builder.predicates, verdict: verdict)
        } catch {
            self = .wholeTrace(reason: error.text)
        }
    }

    /// For people: `tailrace graph --explain`.
    package var summary: String {
        switch self {
        case .perSpan(let predicates, _):
            let count = predicates.count
            return "per span, as spans arrive: \(count) condition\(count == 1 ? "" : "s")"
        case .wholeTrace(let reason): return "on the whole trace at its decision: \(reason)"
        }
    }
}

/// A condition on bits, each of which says that some span of the trace has met a predicate.
package indirect enum BitCondition: Equatable, Sendable {
    case bit(Int)
    case all([BitCondition])
    case any([BitCondition])

    package func holds(_ bits: UInt64) -> Bool {
        switch self {
        case .bit(let index): bits >> UInt64(index) & 1 != 0
        case .all(let conditions): conditions.allSatisfy { $0.holds(bits) }
        case .any(let conditions): conditions.contains { $0.holds(bits) }
        }
    }
}

/// Turns stages into predicates on spans.
///
/// A spanset is a union of parts: the spans that meet all conditions of a part, provided that the part's guards hold for the
/// trace. `{a} && {b}` has two parts, each guarded by "some span meets a" and "some span meets b".
struct PlanBuilder {
    struct Part {
        var guards: [BitCondition]
        var conditions: [FieldExpression]
    }

    struct NeedsWholeTrace: Error {
        var text: String
    }

    private(set) var predicates: [FieldExpression?] = []

    mutating func sets(after stages: [QueryStage], _ input: [Part]) throws(NeedsWholeTrace) -> [Part] {
        var parts = input
        for stage in stages {
            switch stage {
            case .spansets(let expression): parts = try sets(of: expression, parts)
            // Columns change nothing, and there is one spanset to merge.
            case .select, .coalesce: break
            case .scalarFilter: throw NeedsWholeTrace(text: "it compares an aggregate")
            case .group: throw NeedsWholeTrace(text: "it groups spans with by()")
            }
        }
        return parts
    }

    private mutating func sets(of expression: SpansetExpression, _ input: [Part]) throws(NeedsWholeTrace) -> [Part] {
        switch expression.node {
        case .filter(nil): return input
        case .filter(let condition?):
            try requireSpanOnly(condition)
            var parts = input
            for index in parts.indices { parts[index].conditions.append(condition) }
            return parts
        case .pipeline(let stages): return try sets(after: stages, input)
        case .operation(let binary, let left, let right):
            if binary.isStructural {
                throw NeedsWholeTrace(text: "\"\(binary.rawValue)\" looks at how spans are related")
            }
            var parts = try sets(of: left, input)
            let rightParts = try sets(of: right, input)
            if parts.count + rightParts.count > QueryPlan.maximumPredicates {
                throw NeedsWholeTrace(text: "it combines too many spansets")
            }
            if binary == .and {
                let both = [try isNonEmpty(parts), try isNonEmpty(rightParts)]
                parts += rightParts
                for index in parts.indices { parts[index].guards += both }
            } else {
                parts += rightParts
            }
            return parts
        }
    }

    /// The condition under which some span is in a union of parts.
    mutating func isNonEmpty(_ parts: [Part]) throws(NeedsWholeTrace) -> BitCondition {
        var alternatives: [BitCondition] = []
        for part in parts {
            let bit = BitCondition.bit(try bit(part.conditions))
            var all = part.guards.filter { $0 != bit }
            all.append(bit)
            let condition = all.count == 1 ? bit : .all(all)
            if !alternatives.contains(condition) { alternatives.append(condition) }
        }
        return alternatives.count == 1 ? alternatives[0] : .any(alternatives)
    }

    private mutating func bit(_ conditions: [FieldExpression]) throws(NeedsWholeTrace) -> Int {
        let predicate: FieldExpression?
        if let first = conditions.first {
            predicate = conditions.dropFirst().reduce(first) { FieldExpression(.binary(.and, $0, $1)) }
        } else {
            predicate = nil
        }
        if let known = predicates.firstIndex(of: predicate) { return known }
        if predicates.count == QueryPlan.maximumPredicates {
            throw NeedsWholeTrace(text: "it has more than \(QueryPlan.maximumPredicates) conditions")
        }
        predicates.append(predicate)
        return predicates.count - 1
    }

    private func requireSpanOnly(_ condition: FieldExpression) throws(NeedsWholeTrace) {
        var reason: String?
        _ = condition.contains { node in
            switch node {
            case .attribute(let reference) where reference.ofParent:
                reason = "\(QueryFormatter.text(reference)) is of the span's parent"
            case .intrinsic(let intrinsic, let ofParent):
                if ofParent {
                    reason = "parent.\(intrinsic.rawValue) is of the span's parent"
                } else if intrinsic.isOfTrace {
                    reason = "\(intrinsic.rawValue) is known with the last span"
                } else if intrinsic.isOfTree {
                    reason = "\(intrinsic.rawValue) depends on the span's place in the trace"
                }
            default: break
            }
            return reason != nil
        }
        if let reason { throw NeedsWholeTrace(text: reason) }
    }
}
