import OTLP
import TraceModel

/// What the slow scanner finds in a record.
struct SlowBatch {
    var heads: [SpanHead] = []
    var units: [SpanUnit] = []
}

/// The scanner without shortcuts: reads field by field, and asks the standard library about every string. The product's
/// scanner must find the same spans and report the same errors at the same offsets.
struct SlowScanner {
    private(set) var rejectedSpans: [(index: Int, error: ScanError)] = []

    mutating func scan(_ record: UnsafeRawBufferPointer) throws(ScanError) -> SlowBatch {
        rejectedSpans = []
        guard let start = record.baseAddress, record.count > 0 else { throw ScanError(.empty, at: 0) }
        var batch = SlowBatch()
        do {
            try scanRequest(
                SlowReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: record.count), &batch)
        } catch {
            rejectedSpans = []
            throw error
        }
        return batch
    }

    private mutating func scanRequest(_ reader: SlowReader, _ batch: inout SlowBatch) throws(ScanError) {
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == 1 << 3 | SlowWireType.length {
                let range = try reader.lengthDelimited()
                try scanResourceSpans(SlowReader(base: reader.base, range: range), &batch)
            } else {
                try reader.skip(tag: tag)
            }
        }
    }

    private mutating func scanResourceSpans(_ reader: SlowReader, _ batch: inout SlowBatch) throws(ScanError) {
        var reader = reader
        // The resource may follow its spans on the wire, so units get it once the message has been read.
        let firstUnit = batch.units.count
        var resource: ByteRange?
        var schemaURL: ByteRange?
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | SlowWireType.length:
                if resource != nil { throw ScanError(.duplicateField, at: reader.position) }
                let range = try reader.lengthDelimited()
                try SlowValidator.checkResource(SlowReader(base: reader.base, range: range))
                resource = range
            case 2 << 3 | SlowWireType.length:
                let range = try reader.lengthDelimited()
                try scanScopeSpans(SlowReader(base: reader.base, range: range), &batch)
            case 3 << 3 | SlowWireType.length:
                if schemaURL != nil { throw ScanError(.duplicateField, at: reader.position) }
                schemaURL = try SlowValidator.string(&reader)
            default: try reader.skip(tag: tag)
            }
        }
        for index in firstUnit..<batch.units.count {
            batch.units[index].resource = resource ?? .empty
            batch.units[index].resourceSchemaURL = schemaURL ?? .empty
        }
    }

    private mutating func scanScopeSpans(_ reader: SlowReader, _ batch: inout SlowBatch) throws(ScanError) {
        var reader = reader
        let unit = batch.units.count
        batch.units.append(SpanUnit())
        var scope: ByteRange?
        var schemaURL: ByteRange?
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 2 << 3 | SlowWireType.length:
                let range = try reader.lengthDelimited()
                try scanSpan(SlowReader(base: reader.base, range: range), range, unit: unit, &batch)
            case 1 << 3 | SlowWireType.length:
                if scope != nil { throw ScanError(.duplicateField, at: reader.position) }
                let range = try reader.lengthDelimited()
                try SlowValidator.checkScope(SlowReader(base: reader.base, range: range))
                scope = range
            case 3 << 3 | SlowWireType.length:
                if schemaURL != nil { throw ScanError(.duplicateField, at: reader.position) }
                schemaURL = try SlowValidator.string(&reader)
            default: try reader.skip(tag: tag)
            }
        }
        batch.units[unit].scope = scope ?? .empty
        batch.units[unit].scopeSchemaURL = schemaURL ?? .empty
    }

    private mutating func scanSpan(
        _ reader: SlowReader, _ message: ByteRange, unit: Int, _ batch: inout SlowBatch
    ) throws(ScanError) {
        var reader = reader
        var head = SpanHead()
        head.message = message
        head.unit = UInt32(truncatingIfNeeded: unit)
        var rejection: ScanError.Code?
        var firstAttribute = -1
        var lastAttributeEnd = 0
        while !reader.isAtEnd {
            let tagPosition = reader.position
            let tag = try reader.tag()
            switch tag {
            case 9 << 3 | SlowWireType.length:
                if firstAttribute < 0 { firstAttribute = tagPosition }
                let range = try reader.lengthDelimited()
                try SlowValidator.checkAttribute(SlowReader(base: reader.base, range: range))
                head.attributeCount &+= 1
                lastAttributeEnd = reader.position
            case 1 << 3 | SlowWireType.length:
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
            case 2 << 3 | SlowWireType.length:
                head.spanID = try spanID(&reader, &rejection)
            case 4 << 3 | SlowWireType.length:
                head.parentSpanID = try spanID(&reader, &rejection)
            case 3 << 3 | SlowWireType.length: head.traceState = try SlowValidator.string(&reader)
            case 5 << 3 | SlowWireType.length: head.name = try SlowValidator.string(&reader)
            case 6 << 3 | SlowWireType.varint:
                let kind = try reader.varint()
                head.kind = kind <= 5 ? UInt8(kind) : 0
            case 7 << 3 | SlowWireType.fixed64: head.startTime = try reader.fixed64()
            case 8 << 3 | SlowWireType.fixed64: head.endTime = try reader.fixed64()
            case 11 << 3 | SlowWireType.length:
                head.hasEventsOrLinks = true
                let range = try reader.lengthDelimited()
                try SlowValidator.checkEvent(SlowReader(base: reader.base, range: range))
            case 13 << 3 | SlowWireType.length:
                head.hasEventsOrLinks = true
                let range = try reader.lengthDelimited()
                try SlowValidator.checkLink(SlowReader(base: reader.base, range: range))
            case 15 << 3 | SlowWireType.length:
                let range = try reader.lengthDelimited()
                if let code = try SlowValidator.checkStatus(SlowReader(base: reader.base, range: range)) {
                    head.status = code
                }
            case 16 << 3 | SlowWireType.fixed32: head.flags = try reader.fixed32()
            default: try reader.skip(tag: tag)
            }
        }
        if firstAttribute >= 0 {
            head.attributes = ByteRange(offset: firstAttribute, length: lastAttributeEnd &- firstAttribute)
        }
        if rejection == nil {
            if head.traceID.isZero {
                rejection = .zeroTraceID
            } else if head.spanID.isZero {
                rejection = .zeroSpanID
            } else if head.endTime < head.startTime {
                rejection = .endBeforeStart
            }
        }
        if let rejection {
            rejectedSpans.append((batch.heads.count, ScanError(rejection, at: message.start)))
        }
        batch.heads.append(head)
    }

    @inline(__always)
    private func spanID(_ reader: inout SlowReader, _ rejection: inout ScanError.Code?) throws(ScanError) -> SpanID {
        let range = try reader.lengthDelimited()
        guard range.length == 8 else {
            // An empty parent id is how some encoders write "root".
            if !range.isEmpty { rejection = .spanIDLength }
            return SpanID(0)
        }
        return SpanID(UInt64(bigEndian: UnsafeRawPointer(reader.base + range.start).loadUnaligned(as: UInt64.self)))
    }
}

/// Checks what the slow scanner does not extract.
enum SlowValidator {
    /// Protobuf libraries stop at 100 levels of nesting; deeper input could exhaust a stack.
    static let maximumDepth = 100

    /// Reads a string field and checks its UTF-8.
    static func string(_ reader: inout SlowReader) throws(ScanError) -> ByteRange {
        let range = try reader.lengthDelimited()
        let text = UnsafeBufferPointer(start: reader.base + range.start, count: Int(range.length))
        if String(validating: text, as: UTF8.self) == nil {
            throw ScanError(.invalidUTF8, at: range.start)
        }
        return range
    }

    /// `KeyValue {1: key, 2: AnyValue}`
    static func checkAttribute(_ reader: SlowReader, depth: Int = 0) throws(ScanError) {
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | SlowWireType.length: _ = try string(&reader)
            case 2 << 3 | SlowWireType.length:
                let range = try reader.lengthDelimited()
                try checkValue(SlowReader(base: reader.base, range: range), depth: depth)
            default: try reader.skip(tag: tag)
            }
        }
    }

    /// `AnyValue {1: string, 2: bool, 3: int, 4: double, 5: array, 6: map, 7: bytes}`
    static func checkValue(_ reader: SlowReader, depth: Int) throws(ScanError) {
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | SlowWireType.length: _ = try string(&reader)
            case 5 << 3 | SlowWireType.length, 6 << 3 | SlowWireType.length:
                let range = try reader.lengthDelimited()
                try checkNested(SlowReader(base: reader.base, range: range), isMap: tag >> 3 == 6, depth: depth + 1)
            default: try reader.skip(tag: tag)
            }
        }
    }

    /// `ArrayValue {1: repeated AnyValue}` or `KeyValueList {1: repeated KeyValue}`
    static func checkNested(_ reader: SlowReader, isMap: Bool, depth: Int) throws(ScanError) {
        if depth > maximumDepth { throw ScanError(.nestedTooDeep, at: reader.position) }
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == 1 << 3 | SlowWireType.length else {
                try reader.skip(tag: tag)
                continue
            }
            let range = try reader.lengthDelimited()
            let nested = SlowReader(base: reader.base, range: range)
            if isMap {
                try checkAttribute(nested, depth: depth)
            } else {
                try checkValue(nested, depth: depth)
            }
        }
    }

    /// `Resource {1: attributes}`
    static func checkResource(_ reader: SlowReader) throws(ScanError) {
        try check(reader, attributes: 1, firstString: 0, secondString: 0)
    }

    /// `InstrumentationScope {1: name, 2: version, 3: attributes}`
    static func checkScope(_ reader: SlowReader) throws(ScanError) {
        try check(reader, attributes: 3, firstString: 1, secondString: 2)
    }

    /// `Event {2: name, 3: attributes}`
    static func checkEvent(_ reader: SlowReader) throws(ScanError) {
        try check(reader, attributes: 3, firstString: 2, secondString: 0)
    }

    /// `Link {1: trace_id, 2: span_id, 3: trace_state, 4: attributes}`
    static func checkLink(_ reader: SlowReader) throws(ScanError) {
        try check(reader, attributes: 4, firstString: 3, secondString: 0)
    }

    private static func check(
        _ reader: SlowReader, attributes: UInt64, firstString: UInt64, secondString: UInt64
    ) throws(ScanError) {
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag & 7 == SlowWireType.length else {
                try reader.skip(tag: tag)
                continue
            }
            switch tag >> 3 {
            case attributes:
                let range = try reader.lengthDelimited()
                try checkAttribute(SlowReader(base: reader.base, range: range))
            case firstString, secondString: _ = try string(&reader)
            default: _ = try reader.lengthDelimited()
            }
        }
    }

    /// `Status {2: message, 3: code}`; returns the code where the message states one that OTLP defines.
    static func checkStatus(_ reader: SlowReader) throws(ScanError) -> UInt8? {
        var reader = reader
        var code: UInt8?
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 3 << 3 | SlowWireType.varint:
                let value = try reader.varint()
                code = value <= 2 ? UInt8(value) : 0
            case 2 << 3 | SlowWireType.length: _ = try string(&reader)
            default: try reader.skip(tag: tag)
            }
        }
        return code
    }
}
