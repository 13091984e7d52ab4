import OTLP

/// Visits the length-delimited fields of a protobuf message and skips all others.
///
/// The same rules as OTLP's `WireReader`, but compiled in this module: its reads are inlined into the loops that look at every
/// attribute of every span. Reads nothing past `end`; malformed bytes end the message, as the scanner has reported them.
struct MessageReader {
    // Protobuf's wire types; here, so that they are constants to the compiler.
    static let varintType: UInt64 = 0
    static let fixed64: UInt64 = 1
    static let lengthDelimited: UInt64 = 2
    static let fixed32: UInt64 = 5

    private let base: UnsafePointer<UInt8>
    private var position: Int
    private let end: Int
    /// The payload of the last field, relative to the message.
    private(set) var start = 0
    private(set) var count = 0

    /// Nil for an empty message.
    @inline(__always)
    init?(_ message: UnsafeRawBufferPointer) {
        guard let first = message.baseAddress else { return nil }
        base = first.assumingMemoryBound(to: UInt8.self)
        position = 0
        end = message.count
    }

    @inline(__always)
    private mutating func varint() -> UInt64? {
        guard position < end else { return nil }
        let byte = base[position]
        position &+= 1
        return byte < 0x80 ? UInt64(byte) : longVarint(byte)
    }

    private mutating func longVarint(_ first: UInt8) -> UInt64? {
        var value = UInt64(first & 0x7f)
        var shift: UInt64 = 7
        while position < end, shift <= 63 {
            let byte = base[position]
            position &+= 1
            value |= UInt64(byte & 0x7f) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
        }
        return nil
    }

    /// The tag of the next length-delimited field, whose payload is then at `start`; nil at the end.
    @inline(__always)
    mutating func next() -> UInt64? {
        while let tag = varint() {
            switch tag & 7 {
            case Self.lengthDelimited:
                guard let length = varint(), length <= UInt64(end &- position) else { return nil }
                start = position
                count = Int(length)
                position &+= count
                return tag
            case Self.varintType:
                if varint() == nil { return nil }
            case Self.fixed64: position &+= 8
            case Self.fixed32: position &+= 4
            default:
                if !skipGroup(tag) { return nil }
            }
        }
        return nil
    }

    private mutating func skipGroup(_ tag: UInt64) -> Bool {
        var reader = WireReader(base: base, from: position, to: end)
        do { try reader.skip(tag: tag) } catch { return false }
        position = reader.position
        return true
    }

    /// The payload of the last field.
    @inline(__always)
    var payload: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base + start, count: count) }
}
