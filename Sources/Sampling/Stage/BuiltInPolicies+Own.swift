import Pipeline
import TraceModel

/// Our own types. Their keys may stand beside name and type, or in a block like the Collector's.
extension BuiltInPolicies {
    private static let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"]

    static let root = PolicyDefinition(
        type: "root", summary: "Keeps traces whose root span meets all conditions given.",
        options: [
            StageOption("service", .list(.string), summary: "service.name of the root is one of these"),
            StageOption("operation", .list(.string), summary: "the root's name is one of these"),
            StageOption("operation_pattern", .string, summary: "pattern that matches some part of the root's name"),
            StageOption("kind", .list(.enumeration(kinds)), summary: "the root's kind is one of these"),
            StageOption(
                "status_codes", .list(.enumeration(["OK", "ERROR", "UNSET"])),
                summary: "the root's status is one of these"),
            StageOption("longer_than", .duration, summary: "the root span itself took longer"),
            StageOption(
                "attributes", .map(.string),
                summary: "span or resource attributes of the root with exactly these values"),
        ],
        example: "service: [checkout], status_codes: [ERROR]", isInline: true,
        check: { settings, policy, diagnostics in
            if let pattern = settings.value["operation_pattern"] { checkPattern(pattern, policy, &diagnostics) }
            let keys = [
                "service", "operation", "operation_pattern", "kind", "status_codes", "longer_than", "attributes",
            ]
            if !keys.contains(where: settings.isSet) {
                diagnostics.warning(
                    "\(policy): no conditions: every trace with a root span matches", at: policy.location)
            }
        },
        make: { name, settings in
            var wanted = RootCondition.Wanted()
            wanted.services = settings.strings("service")
            wanted.names = settings.strings("operation")
            wanted.namePattern = settings.string("operation_pattern").flatMap {
                try? StringTest(patterns: [$0], cacheSize: 128)
            }
            wanted.kinds = settings.strings("kind").compactMap { kinds.firstIndex(of: $0).map { UInt8($0) } }
            wanted.statuses = settings.strings("status_codes").map { statusCode(named: $0).rawValue }
            wanted.longerThan = settings.duration("longer_than").map { UInt64(clamping: $0) &* 1_000_000 }
            wanted.attributes = (settings.value["attributes"]?.entries ?? []).map { ($0.key, $0.value.scalar ?? "") }
            return RootPolicy(name: name, RootCondition(wanted))
        })

    static let rare = PolicyDefinition(
        type: "rare", summary: "Keeps the first trace of each service, operation or shape per interval.",
        options: [
            StageOption(
                "by", .enumeration(["service", "operation", "shape"]), default: "operation",
                summary: "service; operation: service and span name; shape: the set of calls in the trace"),
            StageOption("interval", .duration, default: "1h", summary: "one trace of each in this stream time"),
            StageOption(
                "max_keys", .integer(1...1_000_000), default: "10000",
                summary: "how many are remembered; while it is full nothing new is rare"),
        ],
        example: "interval: 1h", isInline: true,
        check: { settings, policy, diagnostics in
            positive("interval", settings, policy, &diagnostics)
        },
        make: { name, settings in
            let key: RarePolicy.Key =
                switch settings.string("by") {
                case "service": .service
                case "shape": .shape
                default: .operation
                }
            return RarePolicy(
                name: name, key: key, interval: settings.duration("interval") ?? 3_600_000,
                maximumKeys: Int(clamping: settings.integer("max_keys") ?? 10_000))
        })

    static let linked = PolicyDefinition(
        type: "linked", summary: "Keeps traces that span links join to a trace that was kept.",
        options: [
            StageOption(
                "direction", .enumeration(["from", "to", "both"]), default: "both",
                summary: "from: traces that a kept trace links to; to: traces that link to a kept trace"),
            StageOption(
                "horizon", .duration, default: "10m", summary: "how long a kept trace is followed, in stream time"),
            StageOption(
                "max_traces", .integer(1...1_000_000), default: "10000",
                summary: "how many are remembered of either kind"),
        ],
        example: "horizon: 10m", isInline: true,
        check: { settings, policy, diagnostics in positive("horizon", settings, policy, &diagnostics) },
        make: { name, settings in
            let direction: LinkedPolicy.Direction =
                switch settings.string("direction") {
                case "from": .from
                case "to": .to
                default: .both
                }
            return LinkedPolicy(
                name: name, direction: direction, horizon: settings.duration("horizon") ?? 600_000,
                maximumTraces: Int(clamping: settings.integer("max_traces") ?? 10_000))
        })

    static let upstream = PolicyDefinition(
        type: "upstream", summary: "Keeps what samplers before this one chose to keep.",
        options: [
            StageOption(
                "sampled_flag", .boolean, default: "true", summary: "some span has W3C's sampled flag"),
            StageOption(
                "threshold", .boolean, default: "true", summary: "the tracestate has a threshold that the trace reaches"
            ),
        ],
        example: "threshold: true", isInline: true,
        check: { settings, policy, diagnostics in
            if settings.boolean("sampled_flag") == false, settings.boolean("threshold") == false {
                diagnostics.error(
                    "\(policy): sampled_flag and threshold are both off: no trace can match", at: policy.location)
            }
        },
        make: { name, settings in
            UpstreamPolicy(
                name: name, honoursFlag: settings.boolean("sampled_flag") ?? true,
                honoursThreshold: settings.boolean("threshold") ?? true)
        })

    static let percentile = PolicyDefinition(
        type: "percentile", summary: "Keeps traces that are slower than a percentile of their root's operation.",
        options: [
            StageOption("percentile", .number(50...99.999), default: "99", summary: "50 to below 100"),
            StageOption("half_life", .duration, default: "10m", summary: "stream time after which a trace counts half"),
            StageOption(
                "min_traces", .integer(1...1_000_000), default: "100",
                summary: "traces of an operation before the policy says anything of it"),
            StageOption(
                "max_operations", .integer(17...100_000), default: "1000",
                summary: "operations with figures of their own; the others share some"),
        ],
        example: "percentile: 99", isInline: true,
        check: { settings, policy, diagnostics in positive("half_life", settings, policy, &diagnostics) },
        make: { name, settings in
            PercentilePolicy(
                name: name, percentile: settings.number("percentile") ?? 99,
                halfLife: settings.duration("half_life") ?? 600_000,
                minimumCount: Int(clamping: settings.integer("min_traces") ?? 100),
                maximumOperations: Int(clamping: settings.integer("max_operations") ?? 1000))
        })

    private static func positive(
        _ key: String, _ settings: StageSettings, _ policy: PolicyPlace, _ diagnostics: inout Diagnostics
    ) {
        if let value = settings.duration(key), value <= 0 {
            diagnostics.error(
                "\(policy): \(key) must be longer than 0", at: settings.value[key]?.location ?? policy.location)
        }
    }
}
