/// What to do instead of components that have no counterpart.
enum CollectorAdvice {
    struct Advice {
        var kind: ImportNote.Kind
        var text: String
    }

    private static let inFront = "run it in a Collector in front of Kafka"

    static func processor(_ type: String) -> Advice {
        if let advice = processors[type] { return advice }
        if type.contains("sampl") || type.contains("cascading") {
            return Advice(
                kind: .attention,
                text: "its decisions are not carried over, and everything passes: write a tail_sampler with policies "
                    + "(docs/policies.md)")
        }
        return Advice(
            kind: .attention,
            text: "Tailrace has no such stage; if spans need it before sampling, \(inFront), else behind the sampler")
    }

    private static let processors: [String: Advice] = {
        var table: [String: Advice] = [
            "batch": Advice(kind: .info, text: "not needed: records are read and written in batches anyway"),
            "groupbytrace": Advice(
                kind: .info, text: "not needed: a tail_sampler holds traces until they are complete"),
            "memory_ballast": Advice(kind: .info, text: "not needed"),
            "groupbyattrs": Advice(kind: .info, text: "not needed: kept traces are stored by trace"),
            "transform": Advice(
                kind: .attention,
                text:
                    "spans are not rewritten here: \(inFront). Deleting, masking, hashing and truncating can be rules of a "
                    + "scrub stage (config/scrub.yaml has examples)"),
            "span": Advice(kind: .attention, text: "span names are not rewritten here: \(inFront)"),
            "span_metrics": Advice(kind: .attention, text: connectors["spanmetrics"] ?? ""),
            "spanmetrics": Advice(kind: .attention, text: connectors["spanmetrics"] ?? ""),
            "service_graph": Advice(kind: .attention, text: connectors["servicegraph"] ?? ""),
            "servicegraph": Advice(kind: .attention, text: connectors["servicegraph"] ?? ""),
            "routing": Advice(
                kind: .attention,
                text: "write a route stage for each branch: { kind: route, match: { … } }, see docs/pipelines.md"),
        ]
        for type in [
            "k8sattributes", "k8s_attributes", "resourcedetection", "resource_detection", "geoip", "dns_lookup",
            "lookup",
            "awsecsattributes",
        ] {
            table[type] = Advice(
                kind: .attention,
                text: "it knows the senders of spans, which Kafka does not tell: \(inFront), next to the applications")
        }
        for type in [
            "cumulativetodelta", "deltatocumulative", "deltatorate", "metricstransform", "metrics_transform",
            "experimental_metricsgeneration", "metricsgeneration", "metric_start_time", "interval", "logdedup",
            "log_dedup",
            "logstransform",
        ] {
            table[type] = Advice(kind: .info, text: "is not for traces; left out")
        }
        return table
    }()

    /// First words for receivers that are no OTLP.
    static let receivers: [String: String] = [
        "jaeger": "Jaeger's protocols are not received here.", "zipkin": "Zipkin's protocol is not received here.",
        "opencensus": "OpenCensus is not received here.", "datadog": "Datadog's protocol is not received here.",
        "otlpjsonfile": "For recorded files there is the stage { kind: file, path: … }.",
        "file": "For recorded files there is the stage { kind: file, path: … }.",
    ]

    static let exporters: [String: String] = [
        "jaeger": "Jaeger's UI can also ask `tailrace serve` itself",
        "otlp/jaeger": "Jaeger's UI can also ask `tailrace serve` itself",
        "loadbalancing":
            "Balancing by trace id is what Kafka's partitions do here: key by trace id and run several workers",
        "load_balancing":
            "Balancing by trace id is what Kafka's partitions do here: key by trace id and run several workers",
    ]

    static let connectors: [String: String] = [
        "spanmetrics":
            "metrics of spans must be counted before sampling: run the connector in the Collector in front of Kafka, where it "
            + "sees every span. tailrace's own /metrics counts spans, traces and decisions",
        "span_metrics":
            "metrics of spans must be counted before sampling: run the connector in the Collector in front of Kafka, where it "
            + "sees every span",
        "servicegraph":
            "edges between services must be counted before sampling: run the connector in the Collector in front of Kafka, "
            + "with spans balanced by trace id",
        "service_graph":
            "edges between services must be counted before sampling: run the connector in the Collector in front of Kafka",
        "count": "counts must be made before sampling: run the connector in the Collector in front of Kafka",
        "exceptions":
            "metrics of exceptions must be counted before sampling: run the connector in the Collector in front of Kafka",
        "routing":
            "its conditions are not carried over: every pipeline behind it gets all spans. Put a route stage in front of each, "
            + "{ kind: route, match: { … } }",
        "failover": "a store that is away makes the worker wait, and loses nothing: name one exporter",
        "roundrobin": "Kafka's partitions share the work: one pipeline is enough",
        "datadog": "run it in the Collector in front of Kafka, before sampling",
    ]

    static func `extension`(_ type: String) -> Advice {
        switch type {
        case "health_check", "healthcheckv2", "healthcheck":
            Advice(kind: .info, text: "a worker answers /healthz and /readyz on 127.0.0.1:16687 (--listen)")
        case "zpages", "pprof":
            Advice(kind: .info, text: "not needed: a worker shows its state at /metrics")
        case "memory_ballast", "memory_limiter": Advice(kind: .info, text: "not needed")
        case "jaeger_storage", "jaeger_query":
            Advice(
                kind: .info,
                text: "not needed: kept traces are stored by the stage segments and served by `tailrace serve`")
        case "file_storage", "db_storage", "redis_storage":
            Advice(kind: .info, text: "not needed: what is not stored yet is still in Kafka")
        default:
            Advice(
                kind: .attention,
                text:
                    "Tailrace has no extensions: leave it in the Collector that needs it; logins to Kafka go under options of "
                    + "the kafka stages")
        }
    }
}
