/// Reads the primitive values of the segment format and refuses, instead of trapping, where they do not fit.
///
/// `baseOffset` is where the bytes lie in the file, for error messages; a decompressed section names its start.
struct SegmentByteReader {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private let path: String
    private let baseOffset: UInt64

    init(_ bytes: ArraySlice<UInt8>, path: String, baseOffset: UInt64) {
        self.bytes = bytes
        self.position = bytes.startIndex
        self.path = path
        self.baseOffset = baseOffset
    }

    var remaining: Int { bytes.endIndex - position }
    var isAtEnd: Bool { remaining == 0 }

    func malformed(_ explanation: String) -> SegmentError {
        SegmentError(.malformed, path: path, offset: baseOffset + UInt64(position - bytes.startIndex), explanation)
    }

    mutating func byte() throws(SegmentError) -> UInt8 {
        guard position < bytes.endIndex else { throw malformed("ends early") }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func fixed<Value: FixedWidthInteger>(_ type: Value.Type) throws(SegmentError) -> Value {
        let size = MemoryLayout<Value>.size
        guard remaining >= size else { throw malformed("ends early") }
        var value: Value = 0
        withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: bytes[position..<position + size]) }
        position += size
        return Value(littleEndian: value)
    }

    mutating func bigEndian() throws(SegmentError) -> UInt64 { try fixed(UInt64.self).byteSwapped }

    mutating func varint() throws(SegmentError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            if shift == 63 && next > 1 { throw malformed("number of more than 64 bits") }
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 { return value }
            shift += 7
            if shift > 63 { throw malformed("number of more than 64 bits") }
        }
    }

    mutating func zigzag() throws(SegmentError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A number that must fit 32 bits.
    mutating func varint32() throws(SegmentError) -> UInt32 {
        guard let value = UInt32(exactly: try varint()) else { throw malformed("number of more than 32 bits") }
        return value
    }

    /// A number of things that follow, each of at least `minimumSize` bytes: checked against what is left before anybody
    /// reserves memory for it.
    mutating func count(minimumSize: Int) throws(SegmentError) -> Int {
        let value = try varint()
        guard value <= UInt64(remaining / max(1, minimumSize)) else { throw malformed("counts more than follows") }
        return Int(value)
    }

    mutating func string() throws(SegmentError) -> String {
        let length = try count(minimumSize: 1)
        defer { position += length }
        return String(decoding: bytes[position..<position + length], as: UTF8.self)
    }
}
