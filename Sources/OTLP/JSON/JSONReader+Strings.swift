/// A string of the text without its quotes; escapes are still in it.
package struct JSONString {
    package var start: Int
    package var end: Int
    package var hasEscapes: Bool
}

extension JSONReader {
    /// Reads a string and checks its escapes and UTF-8. What it is of bytes is copied by `append(_:to:)`.
    package mutating func string() throws(OTLPJSONError) -> JSONString {
        skipWhitespace()
        guard position < end, base[position] == 0x22 else { throw error("expected a string") }
        let start = position &+ 1
        var index = start
        var hasEscapes = false
        var isASCII = true
        while true {
            // Eight plain bytes at once: no quote, no backslash, no control character, no byte above 0x7f.
            while end &- index >= 8, isPlain(UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self)) {
                index &+= 8
            }
            guard index < end else { throw error("the text ends inside a string", at: end) }
            let byte = base[index]
            switch byte {
            case 0x22:
                if !isASCII, !isValidUTF8(base + start, index &- start) {
                    throw error("string is not valid UTF-8", at: start)
                }
                position = index &+ 1
                finishScalar()
                return JSONString(start: start, end: index, hasEscapes: hasEscapes)
            case 0x5c:
                hasEscapes = true
                index = try checkEscape(at: index)
            case ..<0x20: throw error("control character in a string", at: index)
            case 0x80...:
                isASCII = false
                index &+= 1
            default: index &+= 1
            }
        }
    }

    @inline(__always)
    private func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highBits: UInt64 = 0x8080_8080_8080_8080
        let quotes = word ^ (0x22 &* ones)
        let backslashes = word ^ (0x5c &* ones)
        // The classic "has a zero byte" and "has a byte below n" tests; false alarms only cost the slow path.
        let special =
            word | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes | (word &- (0x20 &* ones)) & ~word
        return special & highBits == 0
    }

    /// Checks the escape at `index` and returns the offset behind it.
    private func checkEscape(at index: Int) throws(OTLPJSONError) -> Int {
        guard end &- index >= 2 else { throw error("the text ends inside a string", at: end) }
        switch base[index &+ 1] {
        case 0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74: return index &+ 2
        case 0x75:
            guard hexUnit(at: index) != nil else { throw error("malformed \\u escape", at: index) }
            return index &+ 6
        default: throw error("unknown escape in a string", at: index)
        }
    }

    /// The UTF-16 code unit of the `\uXXXX` at `index`, or nil where there is none.
    private func hexUnit(at index: Int) -> UInt32? {
        guard end &- index >= 6, base[index] == 0x5c, base[index &+ 1] == 0x75 else { return nil }
        var unit: UInt32 = 0
        for offset in 2..<6 {
            guard let nibble = hexDigit(base[index &+ offset]) else { return nil }
            unit = unit << 4 | UInt32(nibble)
        }
        return unit
    }

    /// The bytes of a string as they stand in the text.
    @inline(__always)
    package func rawBytes(_ string: JSONString) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base + string.start, count: string.end &- string.start)
    }

    /// Appends a string's bytes with its escapes resolved.
    ///
    /// Half a surrogate pair becomes U+FFFD, as Go's decoder does it: SDKs that cut attributes at a length produce
    /// them, and a whole request should not be lost for one character.
    package func append(_ string: JSONString, to bytes: inout [UInt8]) {
        guard string.hasEscapes else {
            bytes.append(contentsOf: rawBytes(string))
            return
        }
        var index = string.start
        while index < string.end {
            let byte = base[index]
            guard byte == 0x5c else {
                bytes.append(byte)
                index &+= 1
                continue
            }
            switch base[index &+ 1] {
            case 0x62: bytes.append(0x08)
            case 0x66: bytes.append(0x0c)
            case 0x6e: bytes.append(0x0a)
            case 0x72: bytes.append(0x0d)
            case 0x74: bytes.append(0x09)
            case 0x75:
                index = appendUnicodeEscape(at: index, to: &bytes)
                continue
            case let other: bytes.append(other)
            }
            index &+= 2
        }
    }

    private func appendUnicodeEscape(at index: Int, to bytes: inout [UInt8]) -> Int {
        let unit = hexUnit(at: index) ?? 0xfffd
        if unit & 0xfc00 == 0xd800, let next = hexUnit(at: index &+ 6), next & 0xfc00 == 0xdc00 {
            appendScalar(0x10000 + (unit & 0x3ff) << 10 + next & 0x3ff, to: &bytes)
            return index &+ 12
        }
        appendScalar(unit & 0xf800 == 0xd800 ? 0xfffd : unit, to: &bytes)
        return index &+ 6
    }

    private func appendScalar(_ value: UInt32, to bytes: inout [UInt8]) {
        let scalar = Unicode.Scalar(value) ?? "\u{fffd}"
        bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
}

/// The value of an ASCII hex digit, or nil.
@inline(__always)
func hexDigit(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit &- 0x30
    case 0x61...0x66: digit &- 0x61 &+ 10
    case 0x41...0x46: digit &- 0x41 &+ 10
    default: nil
    }
}
