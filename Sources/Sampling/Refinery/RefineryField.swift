/// A field as Refinery's configuration names it: `http.route`, `root.http.route`, `?.NUM_DESCENDANTS`.
struct RefineryField: Hashable, Sendable {
    /// Without `root.`.
    var name: String
    var isOfRoot: Bool

    init(_ text: String) {
        isOfRoot = text.hasPrefix("root.")
        name = isOfRoot ? String(text.dropFirst(5)) : text
    }

    /// The number of spans, span events and links of the trace. Refinery has no other virtual field.
    static let descendants = "?.NUM_DESCENDANTS"

    var isDescendants: Bool { !isOfRoot && name == Self.descendants }
}

/// Fields that are no attributes: what Honeycomb makes of a span's other parts (husky's `otlp/traces_direct.go`).
enum RefineryBuiltIn: String, CaseIterable, Sendable {
    case traceID = "trace.trace_id"
    case spanID = "trace.span_id"
    /// Missing on root spans.
    case parentID = "trace.parent_id"
    case traceState = "trace.trace_state"
    case linkedTraceID = "trace.link.trace_id"
    case linkedSpanID = "trace.link.span_id"
    case name
    case parentName = "parent_name"
    case type
    case kind = "span.kind"
    case duration = "duration_ms"
    /// 0 unset, 1 ok, 2 error.
    case statusCode = "status_code"
    case statusMessage = "status_message"
    /// True where the span's status is an error, else missing.
    case error
    case eventCount = "span.num_events"
    case linkCount = "span.num_links"
    case libraryName = "library.name"
    case libraryVersion = "library.version"
    case isInstrumentationLibrary = "telemetry.instrumentation_library"
    case signalType = "meta.signal_type"
    case annotationType = "meta.annotation_type"
    case hasInvalidDuration = "meta.invalid_duration"
    case timeSinceSpanStart = "meta.time_since_span_start_ms"
    case hasInvalidTimeSinceSpanStart = "meta.invalid_time_since_span_start"
    /// Refinery's `AddCountsToRoot`, on root spans: spans, span events, links, and all of them.
    case spansOfTrace = "meta.span_count"
    case spanEventsOfTrace = "meta.span_event_count"
    case spanLinksOfTrace = "meta.span_link_count"
    case eventsOfTrace = "meta.event_count"
    /// Of the span's first event that is named `exception`.
    case exceptionMessage = "exception.message"
    case exceptionType = "exception.type"
    case exceptionStacktrace = "exception.stacktrace"
    case exceptionEscaped = "exception.escaped"

    var isException: Bool {
        switch self {
        case .exceptionMessage, .exceptionType, .exceptionStacktrace, .exceptionEscaped: true
        default: false
        }
    }

    var isCountOfTrace: Bool {
        switch self {
        case .spansOfTrace, .spanEventsOfTrace, .spanLinksOfTrace, .eventsOfTrace: true
        default: false
        }
    }

    /// Scopes whose spans Honeycomb marks with `telemetry.instrumentation_library`.
    static let instrumentationLibraries = [
        "io.opentelemetry", "opentelemetry.instrumentation", "OpenTelemetry.Instrumentation",
        "OpenTelemetry::Instrumentation", "go.opentelemetry.io/contrib/instrumentation",
        "@opentelemetry/instrumentation",
    ].map { Array($0.utf8) }
}
