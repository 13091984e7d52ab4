import TraceModel

/// Finds the spans of an OTLP `ExportTraceServiceRequest` in its protobuf bytes, in place: no message objects, no copies,
/// no allocation in steady state.
///
/// The scanner checks the whole record: structure, lengths and UTF-8, down to attribute values. A record that it accepts
/// can be stored and decoded later without surprises. Field numbers are those of
/// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto.
///
/// Two kinds of findings are kept apart: a record whose structure is broken is an error as a whole (its other spans cannot
/// be trusted), while a well-formed span that breaks OpenTelemetry's rules (zero id, end before start) is listed in
/// `rejectedSpans` and the rest of the record is used.
public struct OTLPScanner: Sendable {
    /// A well-formed span that breaks a rule of OpenTelemetry.
    public struct RejectedSpan: Sendable, Equatable {
        /// Index of the span in the batch.
        public var index: Int
        public var error: ScanError
    }

    /// Well-formed spans of the last record that cannot be used. Usually empty.
    public private(set) var rejectedSpans: [RejectedSpan] = []

    public init() {}

    /// Scans `record` into `batch`, which is emptied first. Rejected spans are in the batch too: their refs count.
    ///
    /// - Throws: `ScanError` with the byte offset of the first defect; the batch is then empty.
    public mutating func scan(_ record: UnsafeRawBufferPointer, into batch: SpanBatch) throws(ScanError) {
        batch.reset(record: record)
        if !rejectedSpans.isEmpty { rejectedSpans.removeAll(keepingCapacity: true) }
        guard let start = record.baseAddress, record.count > 0 else { throw ScanError(.empty, at: 0) }
        guard record.count <= Int(Int32.max) else { throw ScanError(.tooLarge, at: Int(Int32.max)) }
        do {
            try scanRequest(
                WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: record.count), &batch.found)
        } catch {
            batch.reset(record: record)
            rejectedSpans.removeAll(keepingCapacity: true)
            throw error
        }
    }

    private mutating func scanRequest(_ reader: WireReader, _ found: inout SpanBatch.Found) throws(ScanError) {
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == 1 << 3 | WireType.length {
                let range = try reader.lengthDelimited()
                try scanResourceSpans(WireReader(base: reader.base, range: range), &found)
            } else {
                try reader.skip(tag: tag)
            }
        }
    }

    private mutating func scanResourceSpans(_ reader: WireReader, _ found: inout SpanBatch.Found) throws(ScanError) {
        var reader = reader
        // The resource may follow its spans on the wire, so units get it once the message has been read.
        let firstUnit = found.units.count
        var resource: ByteRange?
        var resourceKeys = AttributeKeyFilter.nothing
        var schemaURL: ByteRange?
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | WireType.length:
                if resource != nil { throw ScanError(.duplicateField, at: reader.position) }
                let range = try reader.lengthDelimited()
                let message = WireReader(base: reader.base, range: range)
                if let keys = CommonShape.resourceKeys(message) {
                    resourceKeys = keys
                } else {
                    try OTLPValidator.checkResource(message)
                    resourceKeys = AttributeKeyFilter.anything
                }
                resource = range
            case 2 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                try scanScopeSpans(WireReader(base: reader.base, range: range), &found)
            case 3 << 3 | WireType.length:
                if schemaURL != nil { throw ScanError(.duplicateField, at: reader.position) }
                schemaURL = try OTLPValidator.string(&reader)
            default: try reader.skip(tag: tag)
            }
        }
        for index in firstUnit..<found.units.count {
            found.units[index].resource = resource ?? .empty
            found.units[index].resourceKeys = resourceKeys
            found.units[index].resourceSchemaURL = schemaURL ?? .empty
        }
    }

    private mutating func scanScopeSpans(_ reader: WireReader, _ found: inout SpanBatch.Found) throws(ScanError) {
        var reader = reader
        let unit = found.units.count
        found.units.append(SpanUnit())
        var scope: ByteRange?
        var scopeKeys = AttributeKeyFilter.nothing
        var schemaURL: ByteRange?
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 2 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                try scanSpan(WireReader(base: reader.base, range: range), range, unit: unit, &found)
            case 1 << 3 | WireType.length:
                if scope != nil { throw ScanError(.duplicateField, at: reader.position) }
                let range = try reader.lengthDelimited()
                let message = WireReader(base: reader.base, range: range)
                if !CommonShape.isScope(message) {
                    try OTLPValidator.checkScope(message)
                    scopeKeys = AttributeKeyFilter.anything
                }
                scope = range
            case 3 << 3 | WireType.length:
                if schemaURL != nil { throw ScanError(.duplicateField, at: reader.position) }
                schemaURL = try OTLPValidator.string(&reader)
            default: try reader.skip(tag: tag)
            }
        }
        found.units[unit].scope = scope ?? .empty
        found.units[unit].scopeKeys = scopeKeys
        found.units[unit].scopeSchemaURL = schemaURL ?? .empty
    }

    private mutating func scanSpan(
        _ reader: WireReader, _ message: ByteRange, unit: Int, _ found: inout SpanBatch.Found
    ) throws(ScanError) {
        let head = found.nextHead()
        var rejection: ScanError.Code?
        if !CommonShape.readSpan(reader, into: &head.pointee) {
            try Self.readSpan(reader, into: &head.pointee, &rejection)
        }
        head.pointee.message = message
        head.pointee.unit = UInt32(truncatingIfNeeded: unit)
        if rejection == nil {
            if head.pointee.traceID.isZero {
                rejection = .zeroTraceID
            } else if head.pointee.spanID.isZero {
                rejection = .zeroSpanID
            } else if head.pointee.endTime < head.pointee.startTime {
                rejection = .endBeforeStart
            }
        }
        if let rejection {
            rejectedSpans.append(RejectedSpan(index: found.count, error: ScanError(rejection, at: message.start)))
        }
        found.count &+= 1
    }

    /// Reads a span of any shape.
    @inline(never)
    private static func readSpan(
        _ reader: WireReader, into head: inout SpanHead, _ rejection: inout ScanError.Code?
    ) throws(ScanError) {
        var reader = reader
        head = SpanHead()
        var firstAttribute = -1
        var lastAttributeEnd = 0
        while !reader.isAtEnd {
            let tagPosition = reader.position
            let tag = try reader.tag()
            switch tag {
            case 9 << 3 | WireType.length:
                if firstAttribute < 0 { firstAttribute = tagPosition }
                let range = try reader.lengthDelimited()
                try OTLPValidator.checkAttribute(WireReader(base: reader.base, range: range))
                head.attributeCount &+= 1
                lastAttributeEnd = reader.position
            case 1 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                guard range.length == 16 else {
                    rejection = range.isEmpty ? .zeroTraceID : .traceIDLength
                    head.traceID = TraceID(high: 0, low: 0)
                    continue
                }
                let bytes = UnsafeRawPointer(reader.base + range.start)
                head.traceID = TraceID(
                    high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                    low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            case 2 << 3 | WireType.length:
                head.spanID = try spanID(&reader, &rejection)
            case 4 << 3 | WireType.length:
                head.parentSpanID = try spanID(&reader, &rejection)
            case 3 << 3 | WireType.length: head.traceState = try OTLPValidator.string(&reader)
            case 5 << 3 | WireType.length: head.name = try OTLPValidator.string(&reader)
            case 6 << 3 | WireType.varint:
                let kind = try reader.varint()
                head.kind = kind <= 5 ? UInt8(kind) : 0
            case 7 << 3 | WireType.fixed64: head.startTime = try reader.fixed64()
            case 8 << 3 | WireType.fixed64: head.endTime = try reader.fixed64()
            case 11 << 3 | WireType.length:
                head.hasEventsOrLinks = true
                let range = try reader.lengthDelimited()
                try OTLPValidator.checkEvent(WireReader(base: reader.base, range: range))
            case 13 << 3 | WireType.length:
                head.hasEventsOrLinks = true
                let range = try reader.lengthDelimited()
                try OTLPValidator.checkLink(WireReader(base: reader.base, range: range))
            case 15 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                if let code = try OTLPValidator.checkStatus(WireReader(base: reader.base, range: range)) {
                    head.status = code
                }
            case 16 << 3 | WireType.fixed32: head.flags = try reader.fixed32()
            default: try reader.skip(tag: tag)
            }
        }
        if firstAttribute >= 0 {
            head.attributes = ByteRange(offset: firstAttribute, length: lastAttributeEnd &- firstAttribute)
        }
    }

    @inline(__always)
    private static func spanID(
        _ reader: inout WireReader, _ rejection: inout ScanError.Code?
    ) throws(ScanError) -> SpanID {
        let range = try reader.lengthDelimited()
        guard range.length == 8 else {
            // An empty parent id is how some encoders write "root".
            if !range.isEmpty { rejection = .spanIDLength }
            return SpanID(0)
        }
        return SpanID(UInt64(bigEndian: UnsafeRawPointer(reader.base + range.start).loadUnaligned(as: UInt64.self)))
    }
}
