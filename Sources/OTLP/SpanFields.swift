public import TraceModel

/// A few fields of one `Span` message that the scanner has accepted before.
public struct SpanFields {
    public private(set) var spanID = SpanID(0)
    public private(set) var parentSpanID = SpanID(0)
    public private(set) var kind: UInt8 = 0
    public private(set) var status: UInt8 = 0
    /// Nanoseconds since the Unix epoch.
    public private(set) var startTime: UInt64 = 0
    /// Nanoseconds since the Unix epoch.
    public private(set) var endTime: UInt64 = 0
    /// Borrowed from the message.
    public private(set) var name = UnsafeRawBufferPointer(start: nil, count: 0)

    /// Reads the message; what is malformed keeps its default.
    public init(_ message: UnsafeRawBufferPointer) {
        guard let start = message.baseAddress else { return }
        var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: message.count)
        do { try read(&reader, message) } catch {}
    }

    private mutating func read(_ reader: inout WireReader, _ message: UnsafeRawBufferPointer) throws(ScanError) {
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 2 << 3 | WireType.length: spanID = Self.id(try reader.lengthDelimited(), message)
            case 4 << 3 | WireType.length: parentSpanID = Self.id(try reader.lengthDelimited(), message)
            case 5 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                name = UnsafeRawBufferPointer(rebasing: message[range.start..<range.end])
            case 6 << 3 | WireType.varint: kind = UInt8(truncatingIfNeeded: try reader.varint())
            case 7 << 3 | WireType.fixed64: startTime = try reader.fixed64()
            case 8 << 3 | WireType.fixed64: endTime = try reader.fixed64()
            case 15 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                if let code = try OTLPValidator.checkStatus(WireReader(base: reader.base, range: range)) {
                    status = code
                }
            default: try reader.skip(tag: tag)
            }
        }
    }

    private static func id(_ range: ByteRange, _ message: UnsafeRawBufferPointer) -> SpanID {
        guard range.length == 8 else { return SpanID(0) }
        return SpanID(UInt64(bigEndian: message.loadUnaligned(fromByteOffset: range.start, as: UInt64.self)))
    }
}
