import OTLP
import TraceModel

/// One span with what belongs to it, still in its OTLP bytes. Borrows them all.
package struct SpanView {
    /// The bodies of the messages; empty where there is none.
    package var message: UnsafeRawBufferPointer
    package var resource: UnsafeRawBufferPointer
    package var scope: UnsafeRawBufferPointer
    package var name: UnsafeRawBufferPointer
    /// The part of `message` that holds all attributes; other fields may lie between.
    var attributes: UnsafeRawBufferPointer
    package var traceID: TraceID
    package var spanID: SpanID
    /// Zero for a root span.
    package var parentSpanID: SpanID
    /// Nanoseconds since the Unix epoch.
    package var startTime: UInt64
    package var endTime: UInt64
    package var kind: UInt8
    package var status: UInt8
    /// Nobody needs to look for events and links where there are none.
    var hasEventsOrLinks: Bool
    /// Which attributes it, its resource and its scope can have: see `AttributeKeyFilter`.
    var attributeKeys: UInt64
    var resourceKeys: UInt64
    var scopeKeys: UInt64
    /// Place in the trace at hand; 0 where spans are looked at one by one.
    var index: Int = 0

    /// A span that the scanner has just found.
    ///
    /// - Parameter withUnit: whether resource and scope are wanted.
    @inline(__always)
    package init(_ head: borrowing SpanHead, in batch: SpanBatch, withUnit: Bool = true) {
        let record = batch.record
        message = Self.slice(head.message, record)
        name = Self.slice(head.name, record)
        attributes = Self.slice(head.attributes, record)
        traceID = head.traceID
        spanID = head.spanID
        parentSpanID = head.parentSpanID
        startTime = head.startTime
        endTime = head.endTime
        kind = head.kind
        status = head.status
        hasEventsOrLinks = head.hasEventsOrLinks
        attributeKeys = head.attributeKeys
        resourceKeys = AttributeKeyFilter.nothing
        scopeKeys = AttributeKeyFilter.nothing
        resource = Self.nothing
        scope = Self.nothing
        if withUnit, Int(head.unit) < batch.units.count {
            let unit = batch.units[Int(head.unit)]
            resource = Self.slice(unit.resource, record)
            scope = Self.slice(unit.scope, record)
            resourceKeys = unit.resourceKeys
            scopeKeys = unit.scopeKeys
        }
    }

    /// A part of a record; nothing where it does not lie inside.
    @inline(__always)
    private static func slice(_ range: ByteRange, _ record: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = Int(range.offset)
        let count = Int(range.length)
        guard count > 0, start &+ count <= record.count else { return nothing }
        return UnsafeRawBufferPointer(rebasing: record[start..<(start &+ count)])
    }

    /// A span that was accepted by the scanner before; what is malformed keeps its default.
    package init(message: UnsafeRawBufferPointer, resource: UnsafeRawBufferPointer, scope: UnsafeRawBufferPointer) {
        self.message = message
        self.resource = resource
        self.scope = scope
        name = Self.nothing
        attributes = Self.nothing
        traceID = TraceID(high: 0, low: 0)
        spanID = SpanID(0)
        parentSpanID = SpanID(0)
        startTime = 0
        endTime = 0
        kind = 0
        status = 0
        hasEventsOrLinks = false
        attributeKeys = AttributeKeyFilter.anything
        resourceKeys = AttributeKeyFilter.anything
        scopeKeys = AttributeKeyFilter.anything
        guard let start = message.baseAddress else { return }
        var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: message.count)
        do { try read(&reader) } catch {}
    }

    private static var nothing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    /// Nanoseconds; 0 where the end lies before the start.
    var duration: UInt64 { endTime > startTime ? endTime &- startTime : 0 }

    private mutating func read(_ reader: inout WireReader) throws(ScanError) {
        var firstAttribute = -1
        var lastAttributeEnd = 0
        while !reader.isAtEnd {
            let tagStart = reader.position
            let tag = try reader.tag()
            switch tag {
            case 9 << 3 | WireType.length:
                if firstAttribute < 0 { firstAttribute = tagStart }
                _ = try reader.lengthDelimited()
                lastAttributeEnd = reader.position
                attributes = UnsafeRawBufferPointer(rebasing: message[firstAttribute..<lastAttributeEnd])
            case 1 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                if range.length == 16 {
                    traceID = TraceID(high: bigEndian(range.start), low: bigEndian(range.start + 8))
                }
            case 2 << 3 | WireType.length: spanID = try id(&reader)
            case 4 << 3 | WireType.length: parentSpanID = try id(&reader)
            case 5 << 3 | WireType.length: name = FieldValue.slice(try reader.lengthDelimited(), message)
            case 6 << 3 | WireType.varint:
                let value = try reader.varint()
                kind = value <= 5 ? UInt8(value) : 0
            case 7 << 3 | WireType.fixed64: startTime = try reader.fixed64()
            case 8 << 3 | WireType.fixed64: endTime = try reader.fixed64()
            case 15 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                if let code = try OTLPValidator.checkStatus(WireReader(base: reader.base, range: range)) {
                    status = code
                }
            case 11 << 3 | WireType.length, 13 << 3 | WireType.length:
                hasEventsOrLinks = true
                _ = try reader.lengthDelimited()
            default: try reader.skip(tag: tag)
            }
        }
    }

    private func bigEndian(_ offset: Int) -> UInt64 {
        UInt64(bigEndian: message.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    private func id(_ reader: inout WireReader) throws(ScanError) -> SpanID {
        let range = try reader.lengthDelimited()
        return SpanID(range.length == 8 ? bigEndian(range.start) : 0)
    }
}
