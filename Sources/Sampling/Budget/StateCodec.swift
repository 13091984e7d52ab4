/// A saved state that cannot be read; the sampler starts without it.
enum StateError: Error, Equatable {
    case truncated
    case malformed
    /// Written by another version.
    case version
}

/// Appends values to a saved state: little-endian integers and LEB128 varints.
struct StateWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func fixed<Number: FixedWidthInteger>(_ value: Number) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func double(_ value: Double) { fixed(value.bitPattern) }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func signed(_ value: Int64) { varint(UInt64(bitPattern: value << 1 ^ value >> 63)) }
}

/// Reads what `StateWriter` wrote; every read is checked.
struct StateReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var left: Int { bytes.count - position }

    mutating func byte() throws(StateError) -> UInt8 {
        guard position < bytes.count else { throw StateError.truncated }
        position += 1
        return bytes[position - 1]
    }

    mutating func fixed<Number: FixedWidthInteger>(_ type: Number.Type) throws(StateError) -> Number {
        let size = MemoryLayout<Number>.size
        guard left >= size else { throw StateError.truncated }
        var value: Number = 0
        for offset in 0..<size {
            value |= Number(truncatingIfNeeded: bytes[position + offset]) << Number(truncatingIfNeeded: 8 * offset)
        }
        position += size
        return value
    }

    /// A finite number.
    mutating func double() throws(StateError) -> Double {
        let value = Double(bitPattern: try fixed(UInt64.self))
        guard value.isFinite else { throw StateError.malformed }
        return value
    }

    mutating func varint() throws(StateError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 { return value }
            shift += 7
            if shift > 63 { throw StateError.malformed }
        }
    }

    mutating func signed() throws(StateError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A number of entries, each of at least `size` bytes: no more than are there.
    mutating func count(ofSize size: Int) throws(StateError) -> Int {
        let count = try varint()
        guard count <= UInt64(left / max(1, size)) else { throw StateError.malformed }
        return Int(count)
    }
}
