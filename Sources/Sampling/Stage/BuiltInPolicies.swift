import Pipeline
import TraceModel

/// The policy types of this version, with the OpenTelemetry Collector's names and keys.
enum BuiltInPolicies {
    static let all: [PolicyDefinition] = [alwaysSample, statusCode, latency, probabilistic]

    static subscript(type: String) -> PolicyDefinition? { all.first { $0.type == type } }

    private static let alwaysSample = PolicyDefinition(
        type: "always_sample", summary: "Keeps every trace.", options: [], example: nil,
        make: { name, _ in AlwaysSamplePolicy(name: name) })

    private static let statusCode = PolicyDefinition(
        type: "status_code", summary: "Keeps traces in which some span has one of the status codes.",
        options: [
            StageOption(
                "status_codes", .list(.enumeration(["OK", "ERROR", "UNSET"])), required: true,
                summary: "the status codes to keep, for example [ERROR]")
        ],
        example: "status_code: {status_codes: [ERROR]}",
        check: { settings, policy, diagnostics in
            if let list = settings.value["status_codes"], list.elements.isEmpty, list.scalar == nil {
                diagnostics.error(
                    "\(policy): status_codes is empty; name at least one of OK, ERROR, UNSET", at: list.location)
            }
        },
        make: { name, settings in
            let codes = settings.strings("status_codes").map { text -> StatusCode in
                switch text {
                case "OK": .ok
                case "ERROR": .error
                default: .unset
                }
            }
            return StatusCodePolicy(name: name, statusCodes: Set(codes))
        })

    private static let latency = PolicyDefinition(
        type: "latency", summary: "Keeps traces that took longer than a threshold, from first start to last end.",
        options: [
            StageOption(
                "threshold_ms", .integer(0...Int64.max / 1_000_000), required: true,
                summary: "milliseconds; the trace must take longer"),
            StageOption(
                "upper_threshold_ms", .integer(0...Int64.max / 1_000_000), default: "0",
                summary: "milliseconds; the trace must not take longer; 0 means no upper bound"),
        ],
        example: "latency: {threshold_ms: 5000}",
        check: { settings, policy, diagnostics in
            guard let lower = settings.integer("threshold_ms"), let upper = settings.integer("upper_threshold_ms"),
                upper != 0, upper <= lower, let place = settings.value["upper_threshold_ms"]
            else { return }
            diagnostics.error(
                "\(policy): upper_threshold_ms \(upper) is not above threshold_ms \(lower): no trace can match",
                at: place.location)
        },
        make: { name, settings in
            LatencyPolicy(
                name: name, threshold: UInt64(settings.integer("threshold_ms") ?? 0),
                upperThreshold: UInt64(settings.integer("upper_threshold_ms") ?? 0))
        })

    private static let probabilistic = PolicyDefinition(
        type: "probabilistic", summary: "Keeps a share of all traces by a hash of the trace id, as the Collector does.",
        options: [
            StageOption(
                "sampling_percentage", .number(0...100), required: true, summary: "percent of traces to keep, 0 to 100"),
            StageOption(
                "hash_salt", .string, default: ProbabilisticPolicy.defaultSalt,
                summary: "samplers with different salts choose independently"),
        ],
        example: "probabilistic: {sampling_percentage: 1}",
        make: { name, settings in
            ProbabilisticPolicy(
                name: name, percentage: settings.number("sampling_percentage") ?? 0,
                salt: settings.string("hash_salt") ?? "")
        })
}
