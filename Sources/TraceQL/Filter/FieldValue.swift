import OTLP
import TraceModel

/// The value of a field while a filter is evaluated. A plain value: strings and arrays are borrowed from the span's bytes.
enum FieldValue {
    /// nil: the span has no such field, or arithmetic had no result.
    case absent
    case bool(Bool)
    case int(Int64)
    case double(Double)
    /// Nanoseconds.
    case duration(Int64)
    case status(UInt8)
    case kind(UInt8)
    case string(UnsafeRawBufferPointer)
    case traceID(TraceID)
    case spanID(SpanID)
    /// An `ArrayValue` message.
    case array(UnsafeRawBufferPointer)
    /// A map or bytes, as their `AnyValue` message: present, but nothing compares with it.
    case opaque(UnsafeRawBufferPointer)

    /// True for an attribute that is true; everything else counts as false.
    var isTrue: Bool {
        if case .bool(true) = self { return true }
        return false
    }

    var isAbsent: Bool {
        if case .absent = self { return true }
        return false
    }

    /// The value as a floating-point number; nil for what is no number.
    var number: Double? {
        switch self {
        case .int(let value), .duration(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }
}

extension FieldValue {
    /// Reads an `AnyValue`. Of several members the last one counts, as in every protobuf library.
    @inline(__always)
    init(anyValue bytes: UnsafeRawBufferPointer) {
        // A short string or a boolean, alone: what most values are.
        if bytes.count >= 2, bytes[0] == 0x0a, bytes[1] < 0x80, Int(bytes[1]) &+ 2 == bytes.count {
            self = .string(UnsafeRawBufferPointer(rebasing: bytes[2...]))
        } else if bytes.count == 2, bytes[0] == 0x10, bytes[1] < 0x80 {
            self = .bool(bytes[1] != 0)
        } else {
            self.init(anyValueFields: bytes)
        }
    }

    private init(anyValueFields bytes: UnsafeRawBufferPointer) {
        self = .absent
        guard let start = bytes.baseAddress else { return }
        var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: bytes.count)
        do {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                switch tag {
                case 1 << 3 | WireType.length: self = .string(Self.slice(try reader.lengthDelimited(), bytes))
                case 2 << 3 | WireType.varint: self = .bool(try reader.varint() != 0)
                case 3 << 3 | WireType.varint: self = .int(Int64(bitPattern: try reader.varint()))
                case 4 << 3 | WireType.fixed64: self = .double(Double(bitPattern: try reader.fixed64()))
                case 5 << 3 | WireType.length: self = .array(Self.slice(try reader.lengthDelimited(), bytes))
                case 6 << 3 | WireType.length, 7 << 3 | WireType.length:
                    _ = try reader.lengthDelimited()
                    self = .opaque(bytes)
                default: try reader.skip(tag: tag)
                }
            }
        } catch {
            // The scanner has reported malformed bytes; here they count as absent.
            self = .absent
        }
    }

    @inline(__always)
    static func slice(_ range: ByteRange, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range.start..<range.end])
    }

    /// Visits the elements of an `ArrayValue` until `body` returns false.
    static func forEachElement(of array: UnsafeRawBufferPointer, _ body: (FieldValue) -> Bool) {
        guard let start = array.baseAddress else { return }
        var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: array.count)
        do {
            while !reader.isAtEnd {
                let tag = try reader.tag()
                guard tag == 1 << 3 | WireType.length else {
                    try reader.skip(tag: tag)
                    continue
                }
                if !body(FieldValue(anyValue: slice(try reader.lengthDelimited(), array))) { return }
            }
        } catch {}
    }
}
