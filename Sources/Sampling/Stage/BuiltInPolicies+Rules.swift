import Pipeline

/// Refinery's rules-based sampler with its field names.
extension BuiltInPolicies {
    static let rules = PolicyDefinition(
        type: "rules", summary: "The first rule that a trace meets decides, as Refinery's RulesBasedSampler.",
        options: [
            StageOption(
                "Rules", .list(.object(refineryRuleOptions)), required: true, summary: "in the order they are asked"),
            StageOption(
                "CheckNestedFields", .boolean, default: "false",
                summary: "where a field is missing, look for it in attributes that are JSON text"),
        ],
        example: "Rules: [{ Name: errors, SampleRate: 1, Conditions: [{ Field: error, Operator: exists }] }]",
        isInline: true, isTopLevelOnly: true, check: RefineryRuleParser.check,
        make: { name, settings in RefineryRuleParser.make(name: name, settings) })

    private static let refineryRuleOptions = [
        StageOption("Name", .string, summary: "for explanations and metrics"),
        StageOption("SampleRate", .number(0...1e12), summary: "one trace in so many; 0 keeps none"),
        StageOption("Drop", .boolean, default: "false", summary: "drop the trace, whatever other policies say"),
        StageOption(
            "Scope", .enumeration(RefineryRule.Scope.allCases.map(\.rawValue)), default: "trace",
            summary: "trace: each condition may be met by another span; span: one span meets them all"),
        StageOption(
            "Conditions", .list(.object(refineryConditionOptions)),
            summary: "all must be met; without any every trace is met"),
        StageOption("Sampler", .object(downstreamOptions), summary: "one sampler that decides instead of SampleRate"),
    ]

    private static let refineryConditionOptions = [
        StageOption("Field", .string, summary: "attribute or built-in field; root.X for the root span's"),
        StageOption("Fields", .list(.string), summary: "the first of these that a span has"),
        StageOption("Operator", .string, required: true, summary: RefineryRuleParser.operators.joined(separator: " ")),
        StageOption("Value", .form(.constant), summary: "what to compare with; a list for in and not-in"),
        StageOption(
            "Datatype", .enumeration(["string", "int", "float", "bool"]),
            summary: "both values are converted to it; without it values of different types are never equal"),
    ]

    /// Refinery's names of the samplers that a rule may have.
    static let downstreamTypes = [
        ("DeterministicSampler", "deterministic"), ("DynamicSampler", "dynamic"), ("EMADynamicSampler", "ema_dynamic"),
        ("EMAThroughputSampler", "ema_throughput"), ("WindowedThroughputSampler", "windowed_throughput"),
        ("TotalThroughputSampler", "total_throughput"),
    ]

    private static let downstreamOptions = downstreamTypes.map { refineryName, type in
        let definition = dynamic.first { $0.type == type }
        return StageOption(refineryName, .object(definition?.options ?? []), summary: "as policy type \(type)")
    }

    /// The one sampler in a rule's `Sampler`.
    static func downstream(_ sampler: ConfigValue?) -> (definition: PolicyDefinition, block: ConfigValue)? {
        for (refineryName, type) in downstreamTypes {
            if let block = sampler?[refineryName], let definition = dynamic.first(where: { $0.type == type }) {
                return (definition, block)
            }
        }
        return nil
    }
}
