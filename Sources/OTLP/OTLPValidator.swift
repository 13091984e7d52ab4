/// Checks the parts of an OTLP request that the scanner does not extract: structure, lengths, UTF-8 and nesting.
///
/// Strict where protobuf is: a record accepted here decodes with any protobuf library.
package enum OTLPValidator {
    /// Protobuf libraries stop at 100 levels of nesting; deeper input could exhaust a stack.
    package static let maximumDepth = 100

    /// Reads a string field and checks its UTF-8.
    @inlinable @inline(__always)
    package static func string(_ reader: inout WireReader) throws(ScanError) -> ByteRange {
        let range = try reader.lengthDelimited()
        if !isValidUTF8(reader.base + range.start, Int(range.length)) {
            throw ScanError(.invalidUTF8, at: range.start)
        }
        return range
    }

    /// `KeyValue {1: key, 2: AnyValue}`
    @inlinable @inline(__always)
    package static func checkAttribute(_ reader: WireReader, depth: Int = 0) throws(ScanError) {
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | WireType.length: _ = try string(&reader)
            case 2 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                try checkValue(WireReader(base: reader.base, range: range), depth: depth)
            default: try reader.skip(tag: tag)
            }
        }
    }

    /// `AnyValue {1: string, 2: bool, 3: int, 4: double, 5: array, 6: map, 7: bytes}`
    @inlinable @inline(__always)
    package static func checkValue(_ reader: WireReader, depth: Int) throws(ScanError) {
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | WireType.length: _ = try string(&reader)
            case 5 << 3 | WireType.length, 6 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                try checkNested(WireReader(base: reader.base, range: range), isMap: tag >> 3 == 6, depth: depth + 1)
            default: try reader.skip(tag: tag)
            }
        }
    }

    /// `ArrayValue {1: repeated AnyValue}` or `KeyValueList {1: repeated KeyValue}`
    @usableFromInline
    package static func checkNested(_ reader: WireReader, isMap: Bool, depth: Int) throws(ScanError) {
        if depth > maximumDepth { throw ScanError(.nestedTooDeep, at: reader.position) }
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == 1 << 3 | WireType.length else {
                try reader.skip(tag: tag)
                continue
            }
            let range = try reader.lengthDelimited()
            let nested = WireReader(base: reader.base, range: range)
            if isMap {
                try checkAttribute(nested, depth: depth)
            } else {
                try checkValue(nested, depth: depth)
            }
        }
    }

    /// `Resource {1: attributes}`
    package static func checkResource(_ reader: WireReader) throws(ScanError) {
        try check(reader, attributes: 1, firstString: 0, secondString: 0)
    }

    /// `InstrumentationScope {1: name, 2: version, 3: attributes}`
    package static func checkScope(_ reader: WireReader) throws(ScanError) {
        try check(reader, attributes: 3, firstString: 1, secondString: 2)
    }

    /// `Event {2: name, 3: attributes}`
    package static func checkEvent(_ reader: WireReader) throws(ScanError) {
        try check(reader, attributes: 3, firstString: 2, secondString: 0)
    }

    /// `Link {1: trace_id, 2: span_id, 3: trace_state, 4: attributes}`
    package static func checkLink(_ reader: WireReader) throws(ScanError) {
        try check(reader, attributes: 4, firstString: 3, secondString: 0)
    }

    private static func check(
        _ reader: WireReader, attributes: UInt64, firstString: UInt64, secondString: UInt64
    ) throws(ScanError) {
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag & 7 == WireType.length else {
                try reader.skip(tag: tag)
                continue
            }
            switch tag >> 3 {
            case attributes:
                let range = try reader.lengthDelimited()
                try checkAttribute(WireReader(base: reader.base, range: range))
            case firstString, secondString: _ = try string(&reader)
            default: _ = try reader.lengthDelimited()
            }
        }
    }

    /// `Status {2: message, 3: code}`; returns the code where the message states one that OTLP defines.
    @inline(__always)
    package static func checkStatus(_ reader: WireReader) throws(ScanError) -> UInt8? {
        var reader = reader
        var code: UInt8?
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 3 << 3 | WireType.varint:
                let value = try reader.varint()
                code = value <= 2 ? UInt8(value) : 0
            case 2 << 3 | WireType.length: _ = try string(&reader)
            default: try reader.skip(tag: tag)
            }
        }
        return code
    }
}
