/// Where an attribute is looked for.
package enum AttributeScope: String, Sendable, CaseIterable {
    /// `.key`: the first hit of span, resource, event, link and instrumentation scope.
    case any = ""
    case span
    case resource
    case event
    case link
    case instrumentation

    /// The prefix in a query, with the dot.
    var prefix: String { "\(rawValue)." }
}

/// An attribute of a span or of what belongs to it.
package struct AttributeReference: Equatable, Sendable {
    package var scope: AttributeScope
    /// Of the span's parent instead.
    package var ofParent: Bool
    package var name: String

    package init(_ scope: AttributeScope, _ name: String, ofParent: Bool = false) {
        self.scope = scope
        self.name = name
        self.ofParent = ofParent
    }

    /// Names are equal when their bytes are.
    package static func == (left: AttributeReference, right: AttributeReference) -> Bool {
        left.scope == right.scope && left.ofParent == right.ofParent && left.name.utf8.elementsEqual(right.name.utf8)
    }
}

/// Fields that every span has without being attributes.
package enum Intrinsic: String, Sendable, CaseIterable {
    case duration
    case name
    case status
    case statusMessage
    case kind
    case parent
    case nestedSetLeft
    case nestedSetRight
    case nestedSetParent
    case childCount = "span:childCount"
    case spanID = "span:id"
    case parentID = "span:parentID"
    case traceDuration = "trace:duration"
    case rootName = "trace:rootName"
    case rootService = "trace:rootService"
    case traceID = "trace:id"
    case eventName = "event:name"
    case eventTimeSinceStart = "event:timeSinceStart"
    case linkTraceID = "link:traceID"
    case linkSpanID = "link:spanID"
    case instrumentationName = "instrumentation:name"
    case instrumentationVersion = "instrumentation:version"

    /// Names without a scope, as Tempo's first versions had them.
    static let bare: [String: Intrinsic] = [
        "duration": .duration, "name": .name, "status": .status, "statusMessage": .statusMessage, "kind": .kind,
        "parent": .parent, "childCount": .childCount, "rootName": .rootName, "rootServiceName": .rootService,
        "traceDuration": .traceDuration, "nestedSetLeft": .nestedSetLeft, "nestedSetRight": .nestedSetRight,
        "nestedSetParent": .nestedSetParent,
    ]

    /// Names by scope, as in `span:duration`.
    static let scoped: [String: [String: Intrinsic]] = [
        "trace": ["duration": .traceDuration, "rootName": .rootName, "rootService": .rootService, "id": .traceID],
        "span": [
            "duration": .duration, "name": .name, "kind": .kind, "status": .status, "statusMessage": .statusMessage,
            "id": .spanID, "parentID": .parentID, "childCount": .childCount,
        ],
        "event": ["name": .eventName, "timeSinceStart": .eventTimeSinceStart],
        "link": ["traceID": .linkTraceID, "spanID": .linkSpanID],
        "instrumentation": ["name": .instrumentationName, "version": .instrumentationVersion],
    ]

    /// Those that are read from a parent span: `parent.duration`. Their names are not attributes there.
    static let ofParent: Set<Intrinsic> = [.duration, .name, .status, .statusMessage, .kind]

    package var type: FieldType {
        switch self {
        case .duration, .traceDuration, .eventTimeSinceStart: .duration
        case .name, .statusMessage, .spanID, .parentID, .rootName, .rootService, .traceID, .eventName, .linkTraceID,
            .linkSpanID, .instrumentationName, .instrumentationVersion:
            .string
        case .status: .status
        case .kind: .kind
        case .parent: .null
        case .nestedSetLeft, .nestedSetRight, .nestedSetParent, .childCount: .int
        }
    }

    /// Whether its value is the same for all spans of a trace, and known only with all of them.
    var isOfTrace: Bool {
        switch self {
        case .traceDuration, .rootName, .rootService: true
        default: false
        }
    }

    /// Whether it depends on the span's place in the trace's tree.
    var isOfTree: Bool {
        switch self {
        case .nestedSetLeft, .nestedSetRight, .nestedSetParent, .childCount: true
        default: false
        }
    }

    /// Whether a span can have several.
    var isRepeated: Bool {
        switch self {
        case .eventName, .eventTimeSinceStart, .linkTraceID, .linkSpanID: true
        default: false
        }
    }
}

/// What a field is known to be before any span is seen.
package enum FieldType: String, Sendable {
    /// An attribute: its type is that of the value a span brings.
    case attribute
    case string
    case int
    case float
    /// The result of arithmetic that involves attributes: int or float.
    case number
    case bool = "boolean"
    case duration
    case status
    case kind
    case null = "nil"

    var isNumeric: Bool {
        switch self {
        case .int, .float, .number, .duration: true
        default: false
        }
    }

    /// With its article, for messages.
    var phrase: String {
        switch self {
        case .attribute: "an attribute"
        case .int: "an integer"
        case .null: "nil"
        default: "a \(rawValue)"
        }
    }
}
