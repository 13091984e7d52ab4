import OTLP
import Pipeline
import TraceModel

/// The policies of one sampler, with the conditions that spans are tested for as they arrive.
///
/// Combines votes as the Collector does: a drop vote decides; else the first policy in the list that votes to keep is
/// credited; else the trace is dropped.
final class PolicyList {
    struct Verdict {
        var isKept: Bool
        /// Index of the deciding policy, or `DecisionRecord.noPolicy`.
        var policyIndex: UInt16
        var probability: Double
    }

    let policies: [any SamplingPolicy]
    private let conditions: [any SpanCondition]
    /// First bit of each policy's conditions.
    private let firstBits: [UInt64]
    private(set) var counters: [PolicyCounters]

    init(_ policies: [any SamplingPolicy]) {
        self.policies = policies
        var conditions: [any SpanCondition] = []
        var firstBits: [UInt64] = []
        for policy in policies {
            firstBits.append(UInt64(conditions.count))
            conditions += policy.conditions
        }
        self.conditions = conditions
        self.firstBits = firstBits
        counters = policies.map { PolicyCounters(name: $0.name) }
    }

    var hasConditions: Bool { !conditions.isEmpty }

    /// Tests the conditions that no span of the trace has met yet; returns the new bits.
    func observe(_ span: borrowing SpanHead, in batch: SpanBatch, matched: UInt64) -> UInt64 {
        var matched = matched
        for (index, condition) in conditions.enumerated() where matched & (1 << UInt64(index)) == 0 {
            if condition.matches(span, in: batch) { matched |= 1 << UInt64(index) }
        }
        return matched
    }

    func decide(_ trace: TraceEvidence, matched: UInt64) -> Verdict {
        var verdict = Verdict(isKept: false, policyIndex: DecisionRecord.noPolicy, probability: 0)
        for index in policies.indices {
            switch policies[index].vote(on: trace, matched: matched >> firstBits[index]) {
            case .keep(let probability):
                counters[index].matchedTraces += 1
                if !verdict.isKept {
                    verdict.isKept = true
                    verdict.policyIndex = UInt16(index)
                }
                verdict.probability = max(verdict.probability, probability)
            case .pass(let probability):
                // A policy that could have kept the trace raises its probability, whichever policy comes first.
                verdict.probability = max(verdict.probability, probability)
            case .drop:
                return Verdict(isKept: false, policyIndex: UInt16(index), probability: 0)
            }
        }
        return verdict
    }

    func countKept(policyIndex: UInt16, spans: Int, bytes: Int) {
        guard Int(policyIndex) < counters.count else { return }
        counters[Int(policyIndex)].keptTraces += 1
        counters[Int(policyIndex)].keptSpans += UInt64(spans)
        counters[Int(policyIndex)].keptBytes += UInt64(bytes)
    }

    func name(_ policyIndex: UInt16) -> String {
        Int(policyIndex) < policies.count ? policies[Int(policyIndex)].name : ""
    }
}
