/// One request read from a file of spans.
public struct SpanFileRecord: Sendable, Equatable {
    /// The `ExportTraceServiceRequest`. Translated from JSON it is valid; taken from a protobuf file it is unchecked.
    public var protobuf: [UInt8]
    /// Milliseconds since the recording's first line, where the line states it.
    public var arrivalMilliseconds: Int64?
    public var position: SpanFilePosition

    public init(protobuf: [UInt8], arrivalMilliseconds: Int64?, position: SpanFilePosition) {
        self.protobuf = protobuf
        self.arrivalMilliseconds = arrivalMilliseconds
        self.position = position
    }
}

/// What the next record of a file of spans turned out to be.
public enum SpanFileItem: Sendable, Equatable {
    case request(SpanFileRecord)
    /// A record that cannot be used; reading goes on behind it.
    case malformed(SpanFileError)
}
