/// OpenTelemetry's span status code; raw values are those of OTLP.
public enum StatusCode: UInt8, Sendable, CaseIterable {
    case unset = 0
    case ok = 1
    case error = 2
}
