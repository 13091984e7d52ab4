/// `rules`: Refinery's rules-based sampler. The first rule that a trace meets decides, with a rate, a sampler of its own, or by
/// dropping; a trace that meets none is kept.
///
/// A rule with `Drop` drops the trace whatever other policies of the sampler say.
public final class RulesPolicy: CreditingPolicy {
    public let name: String
    /// One per rule.
    public let subpolicies: [PolicyNode]
    private let matcher: RefineryRuleMatcher
    private(set) var credited: PolicyNode?

    /// - Parameter actions: what each of the rules does, in their order.
    init(name: String, rules: [RefineryRule], checksNested: Bool, actions: [RuleActionPolicy]) {
        self.name = name
        matcher = RefineryRuleMatcher(rules, checksNested: checksNested)
        subpolicies = actions.map { PolicyNode($0) }
    }

    public var needsWholeTrace: Bool { true }
    public var randomness: String? { "w3c" }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        credited = nil
        guard let index = matcher.firstMatch(trace) else { return .keep(probability: 1) }
        let node = subpolicies[index]
        credited = node.policy.subpolicies.first ?? node
        return node.vote(on: trace, matched: matched)
    }
}

/// What a rule does with the traces that meet it.
final class RuleActionPolicy: SamplingPolicy {
    enum Action {
        case drop
        /// One trace in so many; 0 for none.
        case sample(rate: Double)
        case sampler(PolicyNode)
    }

    let name: String
    private let action: Action

    init(name: String, _ action: Action) {
        self.name = name
        self.action = action
    }

    var subpolicies: [PolicyNode] {
        if case .sampler(let node) = action { return [node] }
        return []
    }

    var needsWholeTrace: Bool { subpolicies.contains { $0.policy.needsWholeTrace } }
    var randomness: String? { "w3c" }

    func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        switch action {
        case .drop: .drop
        case .sample(let rate): rate > 0 ? DynamicPolicy.vote(on: trace, rate: rate) : .pass(probability: 0)
        case .sampler(let node): node.vote(on: trace, matched: matched)
        }
    }
}
