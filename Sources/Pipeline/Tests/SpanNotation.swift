package import TraceModel

/// One span in the compact notation of tests, with what stands below it:
/// `frontend "GET /cart" 120ms > cart "AddItem" 30ms error {db.system=redis}`.
///
/// In a step that sends spans what is not written has a default; in an expectation it is not compared.
package struct SpanNotation: Sendable {
    package enum Subject: Sendable, Equatable {
        case span
        /// `_`: a span that is never sent; what stands below it has a parent that is not there.
        case unsent
        /// `^cart`: the span of this service that the trace sent last.
        case earlier
    }

    package struct Entry: Sendable {
        package enum Value: Sendable, Equatable {
            case value(AttributeValue)
            /// `key=*`: there, whatever its value.
            case any
            /// `!key`: not there.
            case absent
        }

        package var key: String
        package var value: Value
        package var location: SourceLocation
    }

    package struct Event: Sendable {
        package var name: String
        package var attributes: [Entry]
    }

    package var subject = Subject.span
    package var service = ""
    package var name: String?
    /// Nanoseconds.
    package var duration: UInt64?
    /// From the start of the parent, nanoseconds.
    package var offset: UInt64?
    package var status: StatusCode?
    package var statusMessage: String?
    package var kind: SpanKind?
    package var attributes: [Entry] = []
    package var resource: [Entry] = []
    package var events: [Event] = []
    /// Names of traces.
    package var links: [PipelineTest.TraceReference] = []
    package var traceState: String?
    package var isSampled = false
    package var location: SourceLocation
    package var children: [SpanNotation] = []

    package init(at location: SourceLocation) { self.location = location }

    /// The span as messages name it: `cart "AddItem"`.
    package var title: String { service + (name.map { " \"\($0)\"" } ?? "") }

    /// Spans in it, itself included; those that are not sent do not count.
    package var count: Int { (subject == .span ? 1 : 0) + children.reduce(0) { $0 + $1.count } }

    package static let expectation =
        "spans such as frontend \"GET /\" 120ms > cart \"AddItem\" 30ms error {user.id=7}"
}

/// A mistake in the notation.
package struct SpanNotationProblem: Error, Sendable, Equatable {
    package var message: String
    package var location: SourceLocation
}
