import Pipeline
import TraceModel

/// The policy types: the OpenTelemetry Collector's with its names and keys, then our own.
package enum BuiltInPolicies {
    package static let all: [PolicyDefinition] =
        [
            alwaysSample, latency, numericAttribute, probabilistic, statusCode, stringAttribute, booleanAttribute,
            rateLimiting, bytesLimiting, spanCount, traceState, traceFlags, ottlCondition, and, not, drop, composite,
            root, rare, linked, upstream, percentile, traceQL, budget,
        ] + dynamic + [rules]

    private static let byType = Dictionary(uniqueKeysWithValues: all.map { ($0.type, $0) })

    package static subscript(type: String) -> PolicyDefinition? { byType[type] }

    private static let alwaysSample = PolicyDefinition(
        type: "always_sample", summary: "Keeps every trace.", options: [], example: nil,
        make: { name, _ in AlwaysSamplePolicy(name: name) })

    private static let statusCode = PolicyDefinition(
        type: "status_code", summary: "Keeps traces in which some span has one of the status codes.",
        options: [
            StageOption(
                "status_codes", .list(.enumeration(["OK", "ERROR", "UNSET"])), required: true, isNonEmpty: true,
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
            StatusCodePolicy(name: name, statusCodes: Set(settings.strings("status_codes").map(statusCode(named:))))
        })

    static func statusCode(named text: String) -> StatusCode {
        switch text {
        case "OK": .ok
        case "ERROR": .error
        default: .unset
        }
    }

    private static let latency = PolicyDefinition(
        type: "latency", summary: "Keeps traces that took longer than a threshold, from first start to last end.",
        options: [
            StageOption(
                "threshold_ms", .integer(0...Int64.max / 1_000_000), default: "0",
                summary: "milliseconds; the trace must take longer"),
            StageOption(
                "upper_threshold_ms", .integer(0...Int64.max / 1_000_000), default: "0",
                summary: "milliseconds; the trace must not take longer; 0 means no upper bound"),
        ],
        example: "latency: {threshold_ms: 5000}",
        check: { settings, policy, diagnostics in
            if !settings.isSet("threshold_ms"), !settings.isSet("upper_threshold_ms") {
                diagnostics.error(
                    "\(policy): missing key \"threshold_ms\": milliseconds; the trace must take longer",
                    at: settings.value.location)
            }
            guard let lower = settings.integer("threshold_ms"), let upper = settings.integer("upper_threshold_ms"),
                upper != 0, upper <= lower, let place = settings.value["upper_threshold_ms"]
            else { return }
            diagnostics.error(
                "\(policy): upper_threshold_ms \(upper) is not above threshold_ms \(lower): no trace can match",
                at: place.location)
        },
        make: { name, settings in
            LatencyPolicy(
                name: name, threshold: UInt64(clamping: settings.integer("threshold_ms") ?? 0),
                upperThreshold: UInt64(clamping: settings.integer("upper_threshold_ms") ?? 0))
        })

    private static let spanCount = PolicyDefinition(
        type: "span_count", summary: "Keeps traces with at least and at most so many spans.",
        options: [
            StageOption(
                "min_spans", .integer(0...Int64(UInt32.max)), default: "0", summary: "at least so many spans"),
            StageOption(
                "max_spans", .integer(0...Int64(UInt32.max)), default: "0",
                summary: "at most so many spans; 0 means no maximum"),
        ],
        example: "span_count: {min_spans: 2}",
        check: { settings, policy, diagnostics in
            let (minimum, maximum) = (settings.integer("min_spans") ?? 0, settings.integer("max_spans") ?? 0)
            if maximum != 0, maximum < minimum {
                diagnostics.error(
                    "\(policy): max_spans \(maximum) is below min_spans \(minimum): no trace can match",
                    at: settings.value["max_spans"]?.location ?? policy.location)
            }
            if minimum <= 1, maximum == 0 {
                diagnostics.warning("\(policy): every trace matches; set min_spans or max_spans", at: policy.location)
            }
        },
        make: { name, settings in
            SpanCountPolicy(
                name: name, minimum: UInt32(clamping: settings.integer("min_spans") ?? 0),
                maximum: UInt32(clamping: settings.integer("max_spans") ?? 0))
        })

    private static let rateLimiting = limiting(
        "rate_limiting", rate: "spans_per_second", unit: .spans, noun: "spans",
        summary: "Keeps traces while a rate of spans per second lasts.")

    private static let bytesLimiting = limiting(
        "bytes_limiting", rate: "bytes_per_second", unit: .bytes, noun: "bytes",
        summary: "Keeps traces while a rate of bytes per second lasts.")

    private static func limiting(
        _ type: String, rate: String, unit: LimitingPolicy.Unit, noun: String, summary: String
    ) -> PolicyDefinition {
        PolicyDefinition(
            type: type, summary: summary,
            options: [
                StageOption(
                    rate, .integer(0...TokenBucket.maximumRate), required: true,
                    summary: "\(noun) per second of stream time"),
                StageOption(
                    "burst_capacity", .integer(0...TokenBucket.maximumRate), default: "0",
                    summary: "most \(noun) at once; 0 means twice the rate; a larger trace never passes"),
            ],
            example: "\(type): {\(rate): \(unit == .spans ? 1000 : 1_000_000)}",
            check: { settings, policy, diagnostics in
                let place = settings.value[rate]?.location ?? policy.location
                if settings.integer(rate) == 0, settings.integer("burst_capacity") == 0 {
                    diagnostics.warning("\(policy): a rate of 0 keeps nothing", at: place)
                }
            },
            make: { name, settings in
                let perSecond = settings.integer(rate) ?? 0
                let burst = settings.integer("burst_capacity") ?? 0
                return LimitingPolicy(
                    name: name, unit: unit, rate: perSecond, capacity: burst > 0 ? burst : perSecond &* 2)
            })
    }
}
