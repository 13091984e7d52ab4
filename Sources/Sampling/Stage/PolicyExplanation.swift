public import Pipeline

/// Says of each policy of a sampler what it looks at, and when: `tailrace graph --explain`.
public enum PolicyExplanation {
    /// One line per policy, sub-policies indented below theirs.
    ///
    /// - Parameter settings: those of a checked `tail_sampler`.
    public static func lines(of settings: StageSettings) -> [String] {
        PolicyParser.make(settings).flatMap { lines(of: $0, indent: "") }
    }

    private static func lines(of policy: any SamplingPolicy, indent: String) -> [String] {
        let line = "\(indent)\(policy.name): \(summary(of: policy))"
        return [line] + policy.subpolicies.flatMap { lines(of: $0.policy, indent: indent + "  ") }
    }

    private static func summary(of policy: any SamplingPolicy) -> String {
        if let policy = policy as? TraceQLPolicy { return policy.explanation }
        if policy.needsWholeTrace { return "on the whole trace at its decision" }
        let count = policy.conditions.count
        if count > 0 { return "per span, as spans arrive: \(count) condition\(count == 1 ? "" : "s")" }
        return policy.subpolicies.isEmpty
            ? "at the decision, from what the window has counted" : "from its sub-policies"
    }
}
