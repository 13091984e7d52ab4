/// The value of one ASCII hex digit, or nil.
@inlinable
package func hexNibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x61...0x66: digit - 0x61 + 10
    case 0x41...0x46: digit - 0x41 + 10
    default: nil
    }
}

private let hexDigits: [UInt8] = Array("0123456789abcdef".utf8)

/// 16 lower-case hex digits of `value`.
package func hexString(_ value: UInt64) -> String {
    String(unsafeUninitializedCapacity: 16) { buffer in
        for index in 0..<16 {
            buffer[index] = hexDigits[Int(value >> UInt64(60 - 4 * index) & 15)]
        }
        return 16
    }
}
