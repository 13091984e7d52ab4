/// What the keys of Refinery's `Samplers` are, and by which fields Tailrace tells them apart.
///
/// Refinery takes them from the API key that spans come with. Spans in Kafka have none.
package enum RefineryTarget: String, CaseIterable, Sendable {
    /// Honeycomb environments.
    case environment
    /// Datasets of Honeycomb Classic: services, with OpenTelemetry.
    case dataset

    /// The root span's value, else that of any span.
    var fields: [String] {
        switch self {
        case .environment:
            [
                "root.deployment.environment.name", "root.deployment.environment", "deployment.environment.name",
                "deployment.environment",
            ]
        case .dataset: ["root.service.name", "service.name"]
        }
    }

    /// For people.
    var attribute: String {
        switch self {
        case .environment: "deployment.environment.name (or deployment.environment)"
        case .dataset: "service.name"
        }
    }
}
