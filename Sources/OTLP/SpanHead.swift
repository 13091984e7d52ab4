public import TraceModel

/// What the scanner knows about one span without decoding it: ids, times and where the rest lies in the record.
///
/// A trivial value (no references), so that arrays of it are copied with memcpy and cost no reference counting.
/// All ranges are relative to the record's first byte.
public struct SpanHead: Sendable {
    public var traceID: TraceID
    public var spanID: SpanID
    /// Zero for a root span.
    public var parentSpanID: SpanID
    /// Nanoseconds since the Unix epoch.
    public var startTime: UInt64
    /// Nanoseconds since the Unix epoch.
    public var endTime: UInt64
    /// The `Span` message without its tag and length.
    public var message: ByteRange
    public var name: ByteRange
    public var traceState: ByteRange
    /// From the first attribute's tag to the end of the last attribute; other fields may lie between.
    public var attributes: ByteRange
    public var flags: UInt32
    /// Index into the batch's `units`: the resource and scope this span belongs to.
    public var unit: UInt32
    public var attributeCount: UInt32
    /// OTLP's value; numbers that OTLP does not define are kept as 0.
    public var kind: UInt8
    /// OTLP's status code; numbers that OTLP does not define are kept as 0.
    public var status: UInt8
    /// Nobody needs to look for events and links where there are none.
    public var hasEventsOrLinks: Bool
    /// Which attributes it can have: see `AttributeKeyFilter`.
    @usableFromInline package var attributeKeys: UInt64

    @inlinable
    public init() {
        traceID = TraceID(high: 0, low: 0)
        spanID = SpanID(0)
        parentSpanID = SpanID(0)
        startTime = 0
        endTime = 0
        message = .empty
        name = .empty
        traceState = .empty
        attributes = .empty
        flags = 0
        unit = 0
        attributeCount = 0
        kind = 0
        status = 0
        hasEventsOrLinks = false
        attributeKeys = .max
    }

    @inlinable
    public var isRoot: Bool { parentSpanID.isZero }

    @inlinable
    public var isError: Bool { status == StatusCode.error.rawValue }
}

/// The resource and scope that a run of spans shares. Ranges are relative to the record's first byte.
public struct SpanUnit: Sendable, Equatable {
    /// The `Resource` message body; empty when the request has none.
    public var resource: ByteRange = .empty
    public var resourceSchemaURL: ByteRange = .empty
    /// The `InstrumentationScope` message body; empty when the request has none.
    public var scope: ByteRange = .empty
    public var scopeSchemaURL: ByteRange = .empty
    /// Which attributes they can have: see `AttributeKeyFilter`.
    package var resourceKeys: UInt64 = AttributeKeyFilter.anything
    package var scopeKeys: UInt64 = AttributeKeyFilter.anything

    public init() {}
}
