/// `and`: keeps traces that all of its sub-policies keep; different spans may be the reason for each.
///
/// Asks them in their order and stops at the first that does not keep, so that a limiter at the end is charged only for
/// traces that would be kept.
public final class AndPolicy: SamplingPolicy {
    public let name: String
    public let subpolicies: [PolicyNode]
    public let randomness: String?

    public init(name: String, _ policies: [any SamplingPolicy]) {
        self.name = name
        subpolicies = policies.map { PolicyNode($0) }
        randomness = Conjunction.randomness(of: policies, name: name)
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        Conjunction.vote(subpolicies, on: trace, matched: matched)
    }
}

/// `drop`: drops traces that all of its sub-policies keep, whatever other policies say; says nothing of others.
public final class DropPolicy: SamplingPolicy {
    public let name: String
    public let subpolicies: [PolicyNode]

    public init(name: String, _ policies: [any SamplingPolicy]) {
        self.name = name
        subpolicies = policies.map { PolicyNode($0) }
    }

    /// - Returns: `drop`, or `pass` with the probability that a trace like this is dropped.
    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        switch Conjunction.vote(subpolicies, on: trace, matched: matched) {
        case .keep: .drop
        case let other: .pass(probability: other.probability)
        }
    }
}

/// `not`: keeps what its sub-policy does not keep.
public final class NotPolicy: SamplingPolicy {
    public let name: String
    public let subpolicies: [PolicyNode]
    public let randomness: String?
    private let sub: PolicyNode

    public init(name: String, _ policy: any SamplingPolicy) {
        self.name = name
        sub = PolicyNode(policy)
        subpolicies = [sub]
        randomness = policy.randomness.map { "not \($0)" }
    }

    public func vote(on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        switch sub.vote(on: trace, matched: matched) {
        case .keep(let probability): .pass(probability: 1 - probability)
        case .pass(let probability), .limited(let probability): .keep(probability: 1 - probability)
        case .drop: .drop
        }
    }
}

/// What `and` and `drop` have in common: all sub-policies must keep.
enum Conjunction {
    static func vote(_ nodes: [PolicyNode], on trace: TraceEvidence, matched: ConditionBits) -> SamplingVote {
        var failure: SamplingVote?
        /// Product over sources of randomness, the least of each: equal sources keep nested sets.
        var chance = 1.0
        var source: String?
        var sourceChance = 1.0
        for node in nodes {
            // Behind the first that does not keep, only what leaves no trace is asked, for the probability.
            if failure != nil, node.isCharged { continue }
            let vote = node.vote(on: trace, matched: matched)
            if vote == .drop { return .drop }
            if let randomness = node.randomness {
                if randomness == source {
                    sourceChance = min(sourceChance, vote.probability)
                } else {
                    chance *= sourceChance
                    (source, sourceChance) = (randomness, vote.probability)
                }
            } else {
                chance *= vote.probability
            }
            if !vote.isKeep, failure == nil { failure = vote }
            if chance * sourceChance == 0, failure != nil { break }
        }
        chance *= sourceChance
        switch failure {
        case nil: return .keep(probability: chance)
        case .limited: return .limited(probability: chance)
        default: return .pass(probability: chance)
        }
    }

    /// One source counts as the whole's; several make one of its own.
    static func randomness(of policies: [any SamplingPolicy], name: String) -> String? {
        let sources = Set(policies.compactMap(\.randomness))
        return sources.count > 1 ? "and \(name)" : sources.first
    }
}

extension SamplingPolicy {
    /// Whether asking the policy changes what it says next, it or a policy below it.
    var isCharged: Bool {
        self is any StatefulPolicy || subpolicies.contains { $0.policy.isCharged }
    }
}
