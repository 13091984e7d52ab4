import OTLP
import TraceQL

/// `traceql`: keeps traces in which a TraceQL query finds something.
///
/// A query that can be answered span by span is tested as spans arrive, in place on their bytes; any other is evaluated on
/// the whole trace at its decision.
public final class TraceQLPolicy: SamplingPolicy {
    public let name: String
    public let conditions: [any SpanCondition]
    public let needsWholeTrace: Bool
    /// How the query is evaluated, for people.
    public let explanation: String
    private let verdict: BitCondition
    /// Nil where the conditions suffice.
    private let evaluator: QueryEvaluator?
    private let trace = QueryTrace()

    /// - Parameter query: parsed and checked, without metrics.
    package init(name: String, query: TraceQLQuery) {
        self.name = name
        let plan = QueryPlan(query)
        explanation = plan.summary
        switch plan {
        case .perSpan(let predicates, let verdict):
            conditions = predicates.map { TraceQLCondition(SpanPredicate($0)) }
            self.verdict = verdict
            evaluator = nil
            needsWholeTrace = false
        case .wholeTrace:
            conditions = []
            verdict = .any([])
            evaluator = QueryEvaluator(query)
            needsWholeTrace = true
        }
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        isMatch(trace, matched) ? .keep(probability: 1) : .pass(probability: 0)
    }

    private func isMatch(_ evidence: TraceEvidence, _ matched: ConditionBits) -> Bool {
        guard let evaluator else {
            var bits: UInt64 = 0
            for index in conditions.indices where matched[index] { bits |= 1 << UInt64(index) }
            return verdict.holds(bits)
        }
        // The spans are borrowed for the time of the vote.
        defer { trace.removeAll() }
        evidence.spans.visit { span in
            trace.add(message: span.span, resource: span.resource, scope: span.scope)
            return true
        }
        return evaluator.matches(trace)
    }
}

/// One predicate of a query, tested in place.
final class TraceQLCondition: SpanCondition {
    private let predicate: SpanPredicate

    init(_ predicate: SpanPredicate) { self.predicate = predicate }

    func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool { predicate.matches(span, in: batch) }
}
