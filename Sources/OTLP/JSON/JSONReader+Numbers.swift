/// A number as it was written: `mantissa` × 10^`exponent`, negated where `isNegative`.
package struct JSONNumber {
    var mantissa: UInt64 = 0
    var exponent = 0
    var isNegative = false
    /// More digits than fit `mantissa`: only the text is exact.
    var isTooLong = false
    var start = 0
    var end = 0
}

extension JSONReader {
    /// Reads a number as RFC 8259 spells it.
    package mutating func number() throws(OTLPJSONError) -> JSONNumber {
        skipWhitespace()
        let (number, behind) = try number(at: position)
        position = behind
        finishScalar()
        return number
    }

    /// Reads a number, or a string that holds one: OTLP/JSON writes 64-bit integers as strings and accepts both.
    private mutating func numberOrString() throws(OTLPJSONError) -> JSONNumber {
        guard peek() == 0x22 else { return try number() }
        let (number, behind) = try number(at: position &+ 1)
        guard behind < end, base[behind] == 0x22 else { throw error("expected a number") }
        position = behind &+ 1
        finishScalar()
        return number
    }

    private func number(at start: Int) throws(OTLPJSONError) -> (JSONNumber, Int) {
        var number = JSONNumber()
        number.start = start
        var index = start
        if index < end, base[index] == 0x2d {
            number.isNegative = true
            index &+= 1
        }
        let firstDigit = index
        index = digits(from: index, into: &number, isFraction: false)
        // No digit at all, or a leading zero.
        guard index > firstDigit, index == firstDigit &+ 1 || base[firstDigit] != 0x30 else {
            throw error("expected a number")
        }
        if index < end, base[index] == 0x2e {
            let first = index &+ 1
            index = digits(from: first, into: &number, isFraction: true)
            guard index > first else { throw error("expected a number") }
        }
        if index < end, base[index] | 0x20 == 0x65 {
            index &+= 1
            var isNegative = false
            if index < end, base[index] == 0x2b || base[index] == 0x2d {
                isNegative = base[index] == 0x2d
                index &+= 1
            }
            let first = index
            var exponent = 0
            while index < end, case let digit = base[index] &- 0x30, digit < 10 {
                // Far beyond what any type holds; the bound only keeps the sum from overflowing.
                exponent = min(exponent &* 10 &+ Int(digit), 1_000_000)
                index &+= 1
            }
            guard index > first else { throw error("expected a number") }
            number.exponent &+= isNegative ? 0 &- exponent : exponent
        }
        number.end = index
        return (number, index)
    }

    @inline(__always)
    private func digits(from start: Int, into number: inout JSONNumber, isFraction: Bool) -> Int {
        var index = start
        while index < end, case let digit = base[index] &- 0x30, digit < 10 {
            let (product, overflow) = number.mantissa.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            if overflow || carry || number.isTooLong {
                number.isTooLong = true
            } else {
                number.mantissa = sum
            }
            if isFraction { number.exponent &-= 1 }
            index &+= 1
        }
        return index
    }

    // MARK: Integers

    /// An unsigned integer, as a number or a string; `1e3` and `5.0` are integers too.
    package mutating func uint64() throws(OTLPJSONError) -> UInt64 {
        let start = valueStart()
        let number = try relabel("expected an unsigned 64-bit integer", start) { (reader) throws(OTLPJSONError) in
            try reader.numberOrString()
        }
        guard let magnitude = number.magnitude, !number.isNegative || magnitude == 0 else {
            throw error("expected an unsigned 64-bit integer", at: start)
        }
        return magnitude
    }

    /// A signed integer, as a number or a string.
    package mutating func int64() throws(OTLPJSONError) -> Int64 {
        let start = valueStart()
        let number = try relabel("expected a signed 64-bit integer", start) { (reader) throws(OTLPJSONError) in
            try reader.numberOrString()
        }
        guard let magnitude = number.magnitude, let value = Self.signed(magnitude, isNegative: number.isNegative) else {
            throw error("expected a signed 64-bit integer", at: start)
        }
        return value
    }

    package mutating func uint32() throws(OTLPJSONError) -> UInt32 {
        let start = valueStart()
        let number = try relabel("expected an unsigned 32-bit integer", start) { (reader) throws(OTLPJSONError) in
            try reader.numberOrString()
        }
        guard let magnitude = number.magnitude, !number.isNegative || magnitude == 0,
            let value = UInt32(exactly: magnitude)
        else { throw error("expected an unsigned 32-bit integer", at: start) }
        return value
    }

    private static func signed(_ magnitude: UInt64, isNegative: Bool) -> Int64? {
        guard isNegative else { return Int64(exactly: magnitude) }
        // -2^63 has no positive counterpart.
        return magnitude <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil
    }

    // MARK: Doubles

    /// A double, as a number or a string, including "NaN", "Infinity" and "-Infinity".
    package mutating func double() throws(OTLPJSONError) -> Double {
        let start = valueStart()
        if start < end, base[start] == 0x22, let special = specialDouble() { return special }
        let number = try relabel("expected a number", start) { (reader) throws(OTLPJSONError) in
            try reader.numberOrString()
        }
        guard let value = double(number), value.isFinite else { throw error("number is out of range", at: start) }
        return value
    }

    private mutating func specialDouble() -> Double? {
        for (text, value) in [
            ("\"NaN\"" as StaticString, Double.nan), ("\"Infinity\"", .infinity), ("\"-Infinity\"", -.infinity),
        ] {
            let length = text.utf8CodeUnitCount
            guard end &- position >= length else { continue }
            guard
                UnsafeBufferPointer(start: base + position, count: length)
                    .elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: length))
            else { continue }
            position &+= length
            finishScalar()
            return value
        }
        return nil
    }

    private func double(_ number: JSONNumber) -> Double? {
        // Both factors are exact doubles, so one operation rounds correctly (Clinger's fast path).
        if !number.isTooLong, number.mantissa < 1 << 53, abs(number.exponent) <= 22 {
            let mantissa = Double(number.mantissa)
            let power = Self.powersOfTen[abs(number.exponent)]
            let value = number.exponent < 0 ? mantissa / power : mantissa * power
            return number.isNegative ? -value : value
        }
        let text = UnsafeBufferPointer(start: base + number.start, count: number.end &- number.start)
        return Double(String(decoding: text, as: UTF8.self))
    }

    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20,
        1e21, 1e22,
    ]

    // MARK: Errors

    private mutating func valueStart() -> Int {
        skipWhitespace()
        return position
    }

    /// Replaces the message of an error by what the caller expected; the offset becomes that of the value.
    @inline(__always)
    private mutating func relabel(
        _ expectation: StaticString, _ start: Int, _ read: (inout JSONReader) throws(OTLPJSONError) -> JSONNumber
    ) throws(OTLPJSONError) -> JSONNumber {
        do {
            return try read(&self)
        } catch {
            throw self.error(expectation, at: start)
        }
    }
}

extension JSONNumber {
    /// The exact absolute value where it is an integer that fits, else nil.
    var magnitude: UInt64? {
        if isTooLong { return nil }
        if exponent == 0 || mantissa == 0 { return mantissa }
        // 10^20 does not fit, so neither does a product, and no such power divides a mantissa.
        guard abs(exponent) < 20 else { return nil }
        var power: UInt64 = 1
        for _ in 0..<abs(exponent) { power *= 10 }
        if exponent > 0 {
            let (product, overflow) = mantissa.multipliedReportingOverflow(by: power)
            return overflow ? nil : product
        }
        return mantissa % power == 0 ? mantissa / power : nil
    }
}
