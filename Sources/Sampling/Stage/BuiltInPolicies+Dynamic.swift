import Pipeline

/// Refinery's samplers with their field names, in a block or beside name and type.
extension BuiltInPolicies {
    static let dynamic: [PolicyDefinition] = [
        PolicyDefinition(
            type: "deterministic", summary: "Keeps one trace in SampleRate, as Refinery's DeterministicSampler.",
            options: [rateOption("SampleRate", required: true, "one trace in so many")],
            example: "SampleRate: 10", isInline: true, isTopLevelOnly: true,
            make: { name, settings in DeterministicPolicy(name: name, rate: settings.number("SampleRate") ?? 1) }),
        definition(
            "dynamic", "DynamicSampler", goal: rateOption("SampleRate", required: true, "goal: one event in so many"),
            more: [StageOption("ClearFrequency", .duration, default: "30s", summary: "how often rates are computed")],
            example: "SampleRate: 10, FieldList: [service.name]",
            algorithm: {
                .average(goalRate: $0.number("SampleRate") ?? 10, interval: $0.duration("ClearFrequency") ?? 30_000)
            }),
        definition(
            "ema_dynamic", "EMADynamicSampler",
            goal: rateOption("GoalSampleRate", required: true, "goal: one event in so many"), more: movingOptions,
            example: "GoalSampleRate: 10, FieldList: [service.name]",
            algorithm: { .movingAverage(goalRate: $0.number("GoalSampleRate") ?? 10, moving($0)) }),
        definition(
            "ema_throughput", "EMAThroughputSampler",
            goal: rateOption("GoalThroughputPerSec", required: true, "goal: spans per second"),
            more: movingOptions + [
                StageOption(
                    "InitialSampleRate", .number(1...1e12), default: "10", summary: "before there is any traffic"),
                StageOption(
                    "UseClusterSize", .boolean, default: "false", isInert: true,
                    summary: "accepted; every task has the goal"),
            ],
            example: "GoalThroughputPerSec: 100, FieldList: [service.name]",
            algorithm: {
                .movingThroughput(
                    goal: $0.number("GoalThroughputPerSec") ?? 100, initialRate: $0.number("InitialSampleRate") ?? 10,
                    moving($0))
            }),
        definition(
            "windowed_throughput", "WindowedThroughputSampler",
            goal: rateOption("GoalThroughputPerSec", required: true, "goal: spans per second"),
            more: [
                StageOption("UpdateFrequency", .duration, default: "1s", summary: "how often rates are computed"),
                StageOption(
                    "LookbackFrequency", .duration,
                    summary: "length of the sliding window; 30 times UpdateFrequency without it"),
                StageOption(
                    "UseClusterSize", .boolean, default: "false", isInert: true,
                    summary: "accepted; every task has the goal"),
            ],
            example: "GoalThroughputPerSec: 100, FieldList: [service.name]",
            algorithm: {
                let update = max(1, $0.duration("UpdateFrequency") ?? 1000)
                // A whole number of updates.
                let lookback = max(update, ($0.duration("LookbackFrequency") ?? update * 30) / update * update)
                return .windowed(goal: $0.number("GoalThroughputPerSec") ?? 100, update: update, lookback: lookback)
            }),
        definition(
            "total_throughput", "TotalThroughputSampler",
            goal: rateOption("GoalThroughputPerSec", required: true, "goal: spans per second"),
            more: [
                StageOption("ClearFrequency", .duration, default: "30s", summary: "how often rates are computed"),
                StageOption(
                    "UseClusterSize", .boolean, default: "false", isInert: true,
                    summary: "accepted; every task has the goal"),
            ],
            example: "GoalThroughputPerSec: 100, FieldList: [service.name]",
            algorithm: {
                .total(
                    goal: $0.number("GoalThroughputPerSec") ?? 100, interval: $0.duration("ClearFrequency") ?? 30_000)
            }),
    ]

    private static func rateOption(_ name: String, required: Bool, _ summary: String) -> StageOption {
        StageOption(name, .number(1...1e12), required: required, summary: summary)
    }

    private static let movingOptions = [
        StageOption("AdjustmentInterval", .duration, default: "15s", summary: "how often rates are computed"),
        StageOption("Weight", .number(0.001...0.999), default: "0.5", summary: "weight of the newest interval"),
        StageOption("AgeOutValue", .number(0...1e9), summary: "averages below it are forgotten; by default Weight"),
        StageOption(
            "BurstMultiple", .number(-1e9...1e9), default: "2",
            summary: "what is a burst; negative turns detection off, 0 means 2"),
        StageOption(
            "BurstDetectionDelay", .integer(0...1_000_000), default: "3", summary: "intervals before it counts"),
    ]

    private static func moving(_ settings: StageSettings) -> DynamicSampler.Moving {
        var moving = DynamicSampler.Moving()
        moving.interval = settings.duration("AdjustmentInterval") ?? 15_000
        moving.weight = settings.number("Weight") ?? 0.5
        moving.ageOut = settings.number("AgeOutValue") ?? moving.weight
        let multiple = settings.number("BurstMultiple") ?? 2
        moving.burstMultiple = multiple == 0 ? 2 : max(0, multiple)
        moving.burstDelay = Int(clamping: settings.integer("BurstDetectionDelay") ?? 3)
        return moving
    }

    private static func definition(
        _ type: String, _ refineryName: String, goal: StageOption, more: [StageOption], example: String,
        algorithm: @escaping @Sendable (StageSettings) -> DynamicSampler.Algorithm
    ) -> PolicyDefinition {
        PolicyDefinition(
            type: type, summary: "Samples each key at a rate learned from the traffic, as Refinery's \(refineryName).",
            options: [goal] + more + [
                StageOption("FieldList", .list(.string), required: true, summary: "attributes that make the key"),
                StageOption(
                    "UseTraceLength", .boolean, default: "false", summary: "the number of spans is part of the key"),
                StageOption(
                    "MaxKeys", .integer(0...1_000_000), default: "500",
                    summary: "keys with rates of their own, 0 means 500; the others share one"),
            ],
            example: example, isInline: true, isTopLevelOnly: true,
            check: { settings, policy, diagnostics in
                if settings.definition.contains(where: { $0.name == "UpdateFrequency" }),
                    let update = settings.duration("UpdateFrequency"),
                    let lookback = settings.duration("LookbackFrequency"),
                    update > 0, lookback / update > 10_000
                {
                    diagnostics.error(
                        "\(policy): LookbackFrequency is more than 10000 times UpdateFrequency",
                        at: settings.value["LookbackFrequency"]?.location ?? policy.location)
                }
                for option in settings.definition {
                    guard case .duration = option.type, let value = settings.duration(option.name), value <= 0 else {
                        continue
                    }
                    diagnostics.error(
                        "\(policy): \(option.name) must be longer than 0",
                        at: settings.value[option.name]?.location ?? policy.location)
                }
            },
            make: { name, settings in
                let keys = Int(clamping: settings.integer("MaxKeys") ?? 500)
                return DynamicPolicy(
                    name: name, DynamicSampler(algorithm(settings), maximumKeys: keys == 0 ? 500 : keys),
                    fields: settings.strings("FieldList").map { RefineryField($0) },
                    usesTraceLength: settings.boolean("UseTraceLength") ?? false)
            })
    }
}
