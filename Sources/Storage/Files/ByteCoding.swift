/// Appends integers and strings to bytes: little-endian fixed widths and LEB128 varints.
struct ByteEncoder {
    private(set) var bytes: [UInt8] = []

    mutating func fixed<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func varint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    /// Signed, zig-zag: small numbers of either sign are short.
    mutating func signed(_ value: Int64) {
        varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    mutating func string(_ value: String) {
        varint(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    mutating func raw(_ value: [UInt8]) { bytes.append(contentsOf: value) }
}

/// Reads what `ByteEncoder` wrote. Every read is checked: a damaged file is an error, never a trap.
struct ByteDecoder {
    private let bytes: ArraySlice<UInt8>
    private(set) var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    var isAtEnd: Bool { position >= bytes.endIndex }

    mutating func fixed<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws(StoreError) -> Value {
        let size = MemoryLayout<Value>.size
        guard bytes.endIndex - position >= size else { throw .truncated }
        let offset = position - bytes.startIndex
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
        position += size
        return Value(littleEndian: value)
    }

    mutating func varint() throws(StoreError) -> UInt64 {
        // Most numbers are small.
        if position < bytes.endIndex, bytes[position] < 0x80 {
            position += 1
            return UInt64(bytes[position - 1])
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.endIndex, shift < 64 {
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw .truncated
    }

    mutating func signed() throws(StoreError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A count of things that take at least `minimumSize` bytes each: a damaged count cannot ask for memory that the file
    /// does not justify.
    mutating func count(minimumSize: Int = 1) throws(StoreError) -> Int {
        let value = try varint()
        guard value <= UInt64((bytes.endIndex - position) / max(1, minimumSize)) else { throw .truncated }
        return Int(value)
    }

    /// Bytes behind their count.
    mutating func raw() throws(StoreError) -> [UInt8] {
        let length = try count()
        defer { position += length }
        return Array(bytes[position..<(position + length)])
    }

    mutating func string() throws(StoreError) -> String {
        let length = try count()
        defer { position += length }
        return String(decoding: bytes[position..<(position + length)], as: UTF8.self)
    }
}

/// A file of the store cannot be used.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    case truncated
    case damaged(String)
    /// The file's format is newer than this program; what it is, its version, and the newest that is known here.
    case newer(String, version: UInt64, known: UInt64)

    public var description: String {
        switch self {
        case .truncated: "the file ends too early"
        case .damaged(let what): what
        case .newer(let what, let version, let known):
            "written by a newer Tailrace (\(what) version \(version), this one reads up to version \(known)); "
                + "use that Tailrace or a later one"
        }
    }
}
