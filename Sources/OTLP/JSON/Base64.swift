/// RFC 4648 base64. Decoding takes both alphabets, padded or not, as proto3 JSON asks of parsers.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Appends the padded standard form of `bytes`.
    package static func encode(_ bytes: some Sequence<UInt8>, into text: inout [UInt8]) {
        var group: UInt32 = 0
        var held = 0
        for byte in bytes {
            group = group << 8 | UInt32(byte)
            held += 1
            guard held == 3 else { continue }
            for shift: UInt32 in [18, 12, 6, 0] { text.append(alphabet[Int(group >> shift & 63)]) }
            group = 0
            held = 0
        }
        switch held {
        case 1:
            text.append(alphabet[Int(group >> 2 & 63)])
            text.append(alphabet[Int(group << 4 & 63)])
            text.append(contentsOf: [0x3d, 0x3d])
        case 2:
            text.append(alphabet[Int(group >> 10 & 63)])
            text.append(alphabet[Int(group >> 4 & 63)])
            text.append(alphabet[Int(group << 2 & 63)])
            text.append(0x3d)
        default: break
        }
    }

    /// Appends the bytes that `text` stands for. Returns false, with `bytes` in an undefined state, where it is no
    /// base64.
    package static func decode(_ text: UnsafeBufferPointer<UInt8>, into bytes: inout [UInt8]) -> Bool {
        var count = text.count
        // Padding is optional, but where it is present the length must be a multiple of four.
        if count > 0, text[count - 1] == 0x3d {
            guard count % 4 == 0 else { return false }
            count -= 1
            if text[count - 1] == 0x3d { count -= 1 }
        }
        guard count % 4 != 1 else { return false }
        var group: UInt32 = 0
        var bits = 0
        for index in 0..<count {
            guard let value = value(of: text[index]) else { return false }
            group = group << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
            }
        }
        return true
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case 0x41...0x5a: character - 0x41
        case 0x61...0x7a: character - 0x61 + 26
        case 0x30...0x39: character - 0x30 + 52
        case 0x2b, 0x2d: 62
        case 0x2f, 0x5f: 63
        default: nil
        }
    }
}
