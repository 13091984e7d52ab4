/// Field numbers of opentelemetry-proto v1, `trace.proto`, `common.proto`, `resource.proto` and `trace_service.proto`.
enum OTLPField {
    enum Request {
        static let resourceSpans = 1
    }

    enum ResourceSpans {
        static let resource = 1
        static let scopeSpans = 2
        static let schemaURL = 3
    }

    enum Resource {
        static let attributes = 1
        static let droppedAttributesCount = 2
    }

    enum ScopeSpans {
        static let scope = 1
        static let spans = 2
        static let schemaURL = 3
    }

    enum Scope {
        static let name = 1
        static let version = 2
        static let attributes = 3
        static let droppedAttributesCount = 4
    }

    enum Span {
        static let traceID = 1
        static let spanID = 2
        static let traceState = 3
        static let parentSpanID = 4
        static let name = 5
        static let kind = 6
        static let startTime = 7
        static let endTime = 8
        static let attributes = 9
        static let droppedAttributesCount = 10
        static let events = 11
        static let droppedEventsCount = 12
        static let links = 13
        static let droppedLinksCount = 14
        static let status = 15
        static let flags = 16
    }

    enum Event {
        static let time = 1
        static let name = 2
        static let attributes = 3
        static let droppedAttributesCount = 4
    }

    enum Link {
        static let traceID = 1
        static let spanID = 2
        static let traceState = 3
        static let attributes = 4
        static let droppedAttributesCount = 5
        static let flags = 6
    }

    enum Status {
        static let message = 2
        static let code = 3
    }

    enum KeyValue {
        static let key = 1
        static let value = 2
    }

    enum AnyValue {
        static let string = 1
        static let bool = 2
        static let int = 3
        static let double = 4
        static let array = 5
        static let map = 6
        static let bytes = 7
    }

    /// The one field of both `ArrayValue` and `KeyValueList`.
    enum List {
        static let values = 1
    }
}
