import Pipeline

extension PolicyList {
    /// What the policies say of a trace.
    package struct Verdict {
        package var isKept: Bool
        /// Index of the deciding policy among all nodes, or `DecisionRecord.noPolicy`.
        var policyIndex: UInt16
        /// That a trace like this is kept, from where it began: what samplers before let through is counted in.
        var probability: Double
        /// The part of it that this sampler adds.
        var ownProbability: Double
        /// Where a budget thought of keeping the trace's outline: the chance of being kept whole, and this sampler's part of it.
        var whole: (probability: Double, own: Double)?
        var cause: Cause
        /// What the budget decided, where a budget did.
        var budget: BudgetDecision?
        /// What an adaptive policy says of it, for the decision log.
        var detail = DecisionDetail(.none)

        /// Whether only the trace's outline is kept.
        var isOutline: Bool { isKept && budget?.isOutline == true }

        enum Cause: Equatable {
            case matched
            case noneMatched
            case dropPolicy
            case limited
            /// A rule was for it, and its sampling left it out.
            case sampledOut
            case tooLarge
        }
    }
}

extension PolicyList.Verdict {
    /// A policy keeps the trace that none kept before. What others say of it does not matter any more.
    @inline(__always)
    mutating func keep(by policyIndex: UInt16) {
        isKept = true
        cause = .matched
        self.policyIndex = policyIndex
        detail = DecisionDetail(.none)
    }

    /// - Parameter upstream: the probability with which a trace like this came here.
    mutating func apply(_ decision: BudgetDecision, by node: PolicyNode, upstream: Double) {
        let own = upstream > 0 ? min(1, decision.probability / upstream) : 0
        // Policies before it that left this trace might have kept it, each by a random number of its own.
        let before = ownProbability
        ownProbability = 1 - (1 - before) * (1 - own)
        if decision.hasOutline {
            let ownWhole = upstream > 0 ? min(1, decision.wholeProbability / upstream) : 0
            let combined = 1 - (1 - before) * (1 - ownWhole)
            whole = (combined * upstream, combined)
        }
        probability = ownProbability * upstream
        policyIndex = UInt16(truncatingIfNeeded: node.index)
        isKept = decision.isKept
        if isKept { cause = .matched }
        budget = decision
    }

    init(_ cause: Cause, _ policyIndex: UInt16) {
        self.init(
            isKept: false, policyIndex: policyIndex, probability: 0, ownProbability: 0, cause: cause)
    }
}
