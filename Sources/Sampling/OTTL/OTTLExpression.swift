/// What a condition is about: where a path without context begins.
enum OTTLContext: Sendable {
    case span
    case event
}

/// A boolean expression of the OpenTelemetry Transformation Language, as the Collector's `ottl_condition` uses it.
///
/// https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/pkg/ottl/LANGUAGE.md
indirect enum OTTLExpression {
    case constant(Bool)
    case all([OTTLExpression])
    case any([OTTLExpression])
    case not(OTTLExpression)
    case compare(OTTLOperand, OTTLComparison, OTTLOperand)
    /// A function that returns true or false.
    case function(OTTLFunction, [OTTLOperand])
}

enum OTTLComparison: String {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
}

indirect enum OTTLOperand {
    case literal(OTTLValue)
    case path(OTTLPath)
    case function(OTTLFunction, [OTTLOperand])
    case arithmetic(OTTLOperand, OTTLArithmetic, OTTLOperand)
    /// A pattern compiled when the condition was read; the second argument of `IsMatch`.
    case pattern(StringTest)
}

enum OTTLArithmetic: String {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
}

/// A path to a field of a span, event, resource or scope, with keys where the field is a map or list.
struct OTTLPath {
    enum Field: String, CaseIterable {
        case name
        case traceID = "trace_id"
        case traceIDText = "trace_id.string"
        case spanID = "span_id"
        case spanIDText = "span_id.string"
        case parentSpanID = "parent_span_id"
        case parentSpanIDText = "parent_span_id.string"
        case traceState = "trace_state"
        case flags
        case kind
        case kindText = "kind.string"
        case kindDeprecatedText = "kind.deprecated_string"
        case startTime = "start_time_unix_nano"
        case endTime = "end_time_unix_nano"
        case start = "start_time"
        case end = "end_time"
        case attributes
        case droppedAttributes = "dropped_attributes_count"
        case droppedEvents = "dropped_events_count"
        case droppedLinks = "dropped_links_count"
        case status
        case statusCode = "status.code"
        case statusMessage = "status.message"
        case version
        case eventTime = "time_unix_nano"
        case time
        case eventIndex = "event_index"
    }

    enum Owner: Sendable {
        case span, event, resource, scope

        /// Fields that exist there.
        var fields: [Field] {
            switch self {
            case .span:
                Field.allCases.filter { ![.version, .eventTime, .time, .eventIndex].contains($0) }
            case .event: [.name, .attributes, .droppedAttributes, .eventTime, .time, .eventIndex]
            case .resource: [.attributes, .droppedAttributes]
            case .scope: [.name, .version, .attributes, .droppedAttributes]
            }
        }
    }

    enum Key: Equatable {
        case text([UInt8])
        case index(Int)
    }

    var owner: Owner
    var field: Field
    var keys: [Key]
}

enum OTTLFunction: String, CaseIterable {
    case isMatch = "IsMatch"
    case isRootSpan = "IsRootSpan"
    case isString = "IsString"
    case isInt = "IsInt"
    case isDouble = "IsDouble"
    case isBool = "IsBool"
    case isMap = "IsMap"
    case isList = "IsList"
    case hasPrefix = "HasPrefix"
    case hasSuffix = "HasSuffix"
    case containsValue = "ContainsValue"
    case length = "Len"
    case int = "Int"
    case double = "Double"
    case string = "String"
    case lowerCase = "ToLowerCase"
    case upperCase = "ToUpperCase"
    case duration = "Duration"
    case traceID = "TraceID"
    case spanID = "SpanID"

    var argumentCount: Int {
        switch self {
        case .isRootSpan: 0
        case .isMatch, .hasPrefix, .hasSuffix, .containsValue: 2
        default: 1
        }
    }

    var isCondition: Bool {
        switch self {
        case .isMatch, .isRootSpan, .isString, .isInt, .isDouble, .isBool, .isMap, .isList, .hasPrefix, .hasSuffix,
            .containsValue:
            true
        default: false
        }
    }
}

/// What is wrong with a condition, and at which character (counted from 0).
struct OTTLError: Error, Equatable {
    var message: String
    var offset: Int
}
