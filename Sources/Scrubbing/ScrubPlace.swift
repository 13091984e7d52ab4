/// Where in a trace a rule looks.
///
/// The first five hold attributes; `name` and `status` are plain texts, which only rules with `values` or `detect`
/// reach.
public enum ScrubPlace: String, Hashable, Sendable, CaseIterable {
    /// Attributes of a span.
    case span
    /// Attributes of an event (an exception's message among them), and the event's name as a text.
    case event
    /// Attributes of a link.
    case link
    /// Attributes of a resource.
    case resource
    /// Attributes of an instrumentation scope.
    case scope
    /// The span's name.
    case name
    /// The message of the span's status.
    case status

    /// Whether attributes live here, so that a key can select something.
    public var hasAttributes: Bool {
        switch self {
        case .span, .event, .link, .resource, .scope: true
        case .name, .status: false
        }
    }

    var index: Int {
        switch self {
        case .span: 0
        case .event: 1
        case .link: 2
        case .resource: 3
        case .scope: 4
        case .name: 5
        case .status: 6
        }
    }
}
