import OTLP
import Pipeline
import RemoteSampling

/// Definition of the stage kind `remote_sampling`: lets every span pass, and counts root spans for Jaeger's remote sampling.
enum RemoteSamplingStage {
    static let definition = StageDefinition(
        kind: "remote_sampling", role: .filter,
        summary: "Counts root spans by service and operation, and answers clients' remote samplers with probabilities.",
        inputs: [.spans],
        outputs: [OutputPort("spans", .spans, summary: "all spans, unchanged")],
        options: [
            StageOption(
                "target_samples_per_second", .number(0.000_001...1_000_000), default: "1",
                summary: "sampled traces per second of each operation, over all instances of its service"),
            StageOption(
                "initial_sampling_probability", .number(0.000_000_1...1), default: "0.001",
                summary: "for operations that were not seen yet"),
            StageOption(
                "min_sampling_probability", .number(0.000_000_1...1), default: "0.00001",
                summary: "never less than this"),
            StageOption(
                "max_sampling_probability", .number(0.000_000_1...1), default: "1", summary: "never more than this"),
            StageOption(
                "min_samples_per_second", .number(0...1_000_000), default: "0.016666666666666666",
                summary: "what each instance may sample of each operation whatever the probability"),
            StageOption(
                "calculation_interval", .duration, default: "1m", summary: "time between two calculations, at least 1s"),
            StageOption(
                "polling_interval", .duration, default: "1m",
                summary: "how often clients ask: what they follow is up to so old"),
            StageOption(
                "unmarked_spans", .enumeration(RemoteSamplingSettings.UnmarkedSpans.allCases.map(\.rawValue)),
                default: "auto",
                summary:
                    "root spans that do not tell their probability: of clients that follow (remote), that do not (unsampled), or (auto) of clients that follow where their service asks"
            ),
            StageOption(
                "max_operations", .integer(1...1_000_000), default: "2000",
                summary: "operations with a probability of their own; the others of a service share one"),
        ],
        check: { settings, diagnostics in
            for key in ["calculation_interval", "polling_interval"] {
                if let value = settings.value[key], let duration = settings.duration(key), duration < 1000 {
                    diagnostics.error("\(key) must be at least 1s", at: value.location)
                }
            }
            let parsed = Self.settings(settings)
            if parsed.minSamplingProbability > parsed.maxSamplingProbability {
                let place = settings.value["min_sampling_probability"] ?? settings.value["max_sampling_probability"]
                diagnostics.error(
                    "min_sampling_probability \(parsed.minSamplingProbability) is larger than max_sampling_probability "
                        + "\(parsed.maxSamplingProbability)", at: (place ?? settings.value).location)
            }
        },
        attributeKeysRead: { _ in ["service.name"] + RootSpanCounter.markKeys },
        make: .filter { settings, environment in
            let parsed = Self.settings(settings)
            return RootSpanCounter(
                service: RemoteSamplingService.shared(environment.shared, stage: settings.name, settings: parsed),
                settings: parsed, shares: environment.shared.object(PartitionShare.name) { PartitionShare() })
        })

    static func settings(_ settings: StageSettings) -> RemoteSamplingSettings {
        let standard = RemoteSamplingSettings()
        var parsed = standard
        parsed.targetSamplesPerSecond =
            settings.number("target_samples_per_second") ?? standard.targetSamplesPerSecond
        parsed.initialSamplingProbability =
            settings.number("initial_sampling_probability") ?? standard.initialSamplingProbability
        parsed.minSamplingProbability = settings.number("min_sampling_probability") ?? standard.minSamplingProbability
        parsed.maxSamplingProbability = settings.number("max_sampling_probability") ?? standard.maxSamplingProbability
        parsed.minSamplesPerSecond = settings.number("min_samples_per_second") ?? standard.minSamplesPerSecond
        parsed.calculationInterval = max(1000, settings.duration("calculation_interval") ?? 60_000)
        parsed.pollingInterval = max(1000, settings.duration("polling_interval") ?? 60_000)
        parsed.unmarkedSpans =
            settings.string("unmarked_spans").flatMap(RemoteSamplingSettings.UnmarkedSpans.init(rawValue:)) ?? .auto
        parsed.maxOperations = Int(settings.integer("max_operations") ?? 2000)
        return parsed
    }
}
