/// Why bytes are no valid `ExportTraceServiceRequest`, and where. A plain value: making one allocates nothing.
public struct ScanError: Error, Equatable, Sendable {
    /// What is wrong. Each case is one sentence a user can act on.
    public enum Code: UInt8, Sendable, CaseIterable {
        /// The bytes end inside a field.
        case truncated
        /// A varint has more than ten bytes.
        case malformedVarint
        /// A field number of zero or above 2^29-1, or a wire type that does not exist.
        case malformedTag
        /// A length points past the end of its message.
        case lengthPastEnd
        /// A group ends that never began, or never ends.
        case unbalancedGroup
        /// A trace id that is not 16 bytes long.
        case traceIDLength
        /// A span id that is not 8 bytes long.
        case spanIDLength
        /// A trace id of zeros.
        case zeroTraceID
        /// A span id of zeros.
        case zeroSpanID
        /// A span that ends before it starts.
        case endBeforeStart
        /// A string that is not UTF-8.
        case invalidUTF8
        /// Values nested deeper than 100 levels.
        case nestedTooDeep
        /// A resource, scope or schema URL that appears twice in its message.
        case duplicateField
        /// A record larger than the source accepts.
        case tooLarge
        /// A record without a single byte (a Kafka tombstone or an empty value).
        case empty
    }

    public var code: Code
    /// Byte offset from the start of the record.
    public var offset: Int

    @inlinable
    public init(_ code: Code, at offset: Int) {
        self.code = code
        self.offset = offset
    }
}

extension ScanError: CustomStringConvertible {
    public var description: String { "\(code.explanation) at byte \(offset)" }
}

extension ScanError.Code {
    /// The reason as dead letters and errors state it.
    public var explanation: String {
        switch self {
        case .truncated: "the record ends inside a field"
        case .malformedVarint: "malformed varint"
        case .malformedTag: "malformed field tag"
        case .lengthPastEnd: "a field's length points past the end of its message"
        case .unbalancedGroup: "unbalanced group"
        case .traceIDLength: "trace id is not 16 bytes long"
        case .spanIDLength: "span id is not 8 bytes long"
        case .zeroTraceID: "trace id is zero"
        case .zeroSpanID: "span id is zero"
        case .endBeforeStart: "span ends before it starts"
        case .invalidUTF8: "a string is not valid UTF-8"
        case .nestedTooDeep: "values nested deeper than 100 levels"
        case .duplicateField: "a resource, scope or schema URL appears twice in one message"
        case .tooLarge: "record is larger than the source accepts"
        case .empty: "record is empty"
        }
    }

    /// The reason as a metric label: snake_case, stable.
    public var label: String {
        switch self {
        case .truncated: "truncated"
        case .malformedVarint: "malformed_varint"
        case .malformedTag: "malformed_tag"
        case .lengthPastEnd: "length_past_end"
        case .unbalancedGroup: "unbalanced_group"
        case .traceIDLength: "trace_id_length"
        case .spanIDLength: "span_id_length"
        case .zeroTraceID: "zero_trace_id"
        case .zeroSpanID: "zero_span_id"
        case .endBeforeStart: "end_before_start"
        case .invalidUTF8: "invalid_utf8"
        case .nestedTooDeep: "nested_too_deep"
        case .duplicateField: "duplicate_field"
        case .tooLarge: "too_large"
        case .empty: "empty"
        }
    }
}
