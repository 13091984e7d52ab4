/// Appends protobuf fields to a byte array. Nested messages are written in one pass: their length is patched in after
/// the body, so that no size has to be computed beforehand.
public struct ProtobufWriter {
    public var bytes: [UInt8]

    public init(reservingCapacity capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    @inlinable
    public mutating func varint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: value))
    }

    @inlinable
    public mutating func varintField(_ field: Int, _ value: UInt64) {
        varint(UInt64(field) << 3)
        varint(value)
    }

    @inlinable
    public mutating func fixed64Field(_ field: Int, _ value: UInt64) {
        varint(UInt64(field) << 3 | 1)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    @inlinable
    public mutating func fixed32Field(_ field: Int, _ value: UInt32) {
        varint(UInt64(field) << 3 | 5)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    @inlinable
    public mutating func bytesField(_ field: Int, _ value: some Collection<UInt8>) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    @inlinable
    public mutating func stringField(_ field: Int, _ value: String) {
        var value = value
        value.withUTF8 { bytesField(field, $0) }
    }

    /// Writes a length-delimited field whose payload is the fields that `body` writes.
    @inlinable
    public mutating func messageField(_ field: Int, _ body: (inout ProtobufWriter) throws -> Void) rethrows {
        varint(UInt64(field) << 3 | 2)
        let start = bytes.count
        // One byte is reserved for the length: most messages are shorter than 128 bytes. A longer one is moved up.
        bytes.append(0)
        try body(&self)
        let length = bytes.count - start - 1
        if length < 0x80 {
            bytes[start] = UInt8(length)
            return
        }
        var prefix: [UInt8] = []
        var rest = UInt64(length)
        while rest >= 0x80 {
            prefix.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        prefix.append(UInt8(rest))
        bytes.replaceSubrange(start...start, with: prefix)
    }
}
