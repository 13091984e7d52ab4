extension ProtobufWriter {
    /// Opens a length-delimited field; what is written until `endMessage` is its payload. Returns the mark to close it
    /// with. Cheaper than `messageField` where messages are often longer than 127 bytes, and needs no closure.
    package mutating func beginMessage(_ field: Int) -> Int {
        varint(UInt64(truncatingIfNeeded: field) << 3 | WireType.length)
        // One byte is reserved for the length; a longer payload is moved up in `endMessage`.
        bytes.append(0)
        return bytes.count
    }

    /// Closes the field that `beginMessage` opened. Marks must be closed in reverse order.
    package mutating func endMessage(_ bodyStart: Int) {
        let length = bytes.count - bodyStart
        if length < 0x80 {
            bytes[bodyStart - 1] = UInt8(truncatingIfNeeded: length)
            return
        }
        let significantBits = Int.bitWidth - length.leadingZeroBitCount
        let extra = (significantBits + 6) / 7 - 1
        for _ in 0..<extra { bytes.append(0) }
        bytes.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            (base + bodyStart + extra).update(from: base + bodyStart, count: length)
            var rest = length
            var index = bodyStart - 1
            while rest >= 0x80 {
                base[index] = UInt8(truncatingIfNeeded: rest) | 0x80
                rest >>= 7
                index += 1
            }
            base[index] = UInt8(truncatingIfNeeded: rest)
        }
    }
}
