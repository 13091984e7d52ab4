internal import Pipeline

/// What changes in meaning when a policy of the Collector's `tail_sampling` moves here; docs/policies.md has it all.
enum CollectorPolicyNotes {
    /// One line for each difference that this policy, as it is written, can show.
    static func comments(_ policy: ConfigValue) -> [String] {
        var comments: [String] = []
        add(policy, to: &comments, depth: 0)
        return comments
    }

    private static func add(_ policy: ConfigValue, to comments: inout [String], depth: Int) {
        guard depth < 16, let type = policy["type"]?.scalar else { return }
        let block = policy[type]
        func say(_ text: String) { if !comments.contains(text) { comments.append(text) } }
        switch type {
        case "latency":
            if let upper = block?["upper_threshold_ms"]?.scalar, upper != "0" {
                say(
                    "The upper bound is tested on the whole trace; the Collector also keeps a trace whose first spans alone lie "
                        + "between the bounds.")
            } else {
                say("Longer than threshold_ms, not equal; Collectors up to 0.156 keep equal ones too.")
            }
        case "numeric_attribute":
            if [block?["min_value"], block?["max_value"]].contains(where: { $0?.scalar == "0" }) {
                say("A bound of 0 is a bound here; for the Collector it means none.")
            }
        case "boolean_attribute":
            if CollectorValue.boolean(block?["value"]) != true {
                say("Only the boolean false matches; the Collector also takes texts and numbers for false.")
            }
        case "rate_limiting", "bytes_limiting":
            say("The rate is that of one Kafka partition: divide it by the number of partitions.")
        case "composite":
            say(
                "The rate is that of one Kafka partition. policy_order counts, a sub-policy whose share is used up passes a "
                    + "trace on, and unused shares are lent; the Collector does none of these.")
        case "ottl_condition":
            if (block?["error_mode"]?.scalar ?? "propagate") == "propagate" {
                say(
                    "A condition that cannot be worked out does not hold; with propagate the Collector skips the policy."
                )
            }
        default: break
        }
        if CollectorValue.boolean(block?["invert_match"]) == true {
            say("Votes to keep where no span matches, and vetoes nothing; use a drop policy to drop.")
        }
        guard let block else { return }
        let inner = block["\(type)_sub_policy"]
        for policy in type == "not" ? [inner].compactMap({ $0 }) : inner?.elements ?? [] {
            add(policy, to: &comments, depth: depth + 1)
        }
    }
}
