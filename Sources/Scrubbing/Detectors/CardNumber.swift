/// Finds payment card numbers in text, on bytes.
///
/// A card number is 13 to 19 digits, in one piece or in groups of three or more (the last may be shorter) with one
/// space or dash between them, that start and end at the border of a group, have the prefix and length of a known
/// issuer, and pass the Luhn check. Luhn alone lets a tenth of all numbers through; with the issuers' table, times in
/// micro- and nanoseconds (which start with 1) never match, and of random 16-digit numbers about three in a hundred do.
/// Digits behind a decimal point and in hex identifiers of 32, 40 or 64 digits (trace ids, SHA-1, SHA-256) are no
/// cards.
enum CardNumber {
    /// The first card number at or behind `start`; of several that start together, the longest.
    static func firstMatch(in text: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        var position = start
        // A card number covers 13 bytes that are digits or separators, so looking at every 13th byte finds all of them.
        // `position` is always at the start of a run of such bytes, or at a byte that is none.
        while position + 13 <= text.count {
            var probe = position + 12
            if !isCardByte(text[probe]) {
                position += 13
                continue
            }
            while probe > position, isCardByte(text[probe - 1]) { probe -= 1 }
            if probe > position {
                position = probe
                continue
            }
            var end = position + 13
            while end < text.count, isCardByte(text[end]) { end += 1 }
            if let match = match(in: text, run: position..<end) { return match }
            position = end + 1
        }
        return nil
    }

    /// The first card number in a run of digits and separators.
    private static func match(in text: UnsafeRawBufferPointer, run: Range<Int>) -> Range<Int>? {
        var start = run.lowerBound
        while start < run.upperBound {
            let isGroupStart = isDigit(text[start]) && (start == 0 || !isDigit(text[start - 1]))
            if isGroupStart, let end = longestMatch(in: text, from: start, to: run.upperBound) { return start..<end }
            start += 1
        }
        return nil
    }

    private static func longestMatch(in text: UnsafeRawBufferPointer, from start: Int, to limit: Int) -> Int? {
        if start >= 2, text[start - 1] == UInt8(ascii: "."), isDigit(text[start - 2]) { return nil }
        var found: Int?
        var digits = 0
        var position = start
        while position < limit {
            let group = position
            while position < limit, isDigit(text[position]) { position += 1 }
            let count = position - group
            digits += count
            if count == 0 || digits > 19 { break }
            if digits >= 13, isCard(text, start..<position, digits: digits) { found = position }
            // A shorter group can only be the last.
            if count < 3 || position >= limit { break }
            position += 1
        }
        return found
    }

    private static func isCard(_ text: UnsafeRawBufferPointer, _ range: Range<Int>, digits: Int) -> Bool {
        var prefix = 0
        var prefixDigits = 0
        var position = range.lowerBound
        while prefixDigits < 6 {
            if isDigit(text[position]) {
                prefix = prefix * 10 + Int(text[position] & 15)
                prefixDigits += 1
            }
            position += 1
        }
        return isIssued(prefix: prefix, digits: digits) && passesLuhn(text, range) && !isInHexIdentifier(text, range)
    }

    /// Whether some issuer gives out numbers of this length with these first six digits.
    private static func isIssued(prefix: Int, digits: Int) -> Bool {
        switch prefix {
        case 400_000...499_999: digits == 13 || digits == 16 || digits == 19  // Visa
        case 510_000...559_999, 222_100...272_099: digits == 16  // Mastercard
        case 340_000...349_999, 370_000...379_999: digits == 15  // American Express
        case 300_000...305_999, 309_500...309_599, 360_000...369_999, 380_000...399_999:
            digits == 14 || digits >= 16  // Diners Club
        case 352_800...358_999: digits >= 16  // JCB
        case 620_000...629_999: digits >= 16  // UnionPay, Discover
        case 601_100...601_199, 644_000...659_999: digits >= 16  // Discover, RuPay, Verve
        case 220_000...220_499: digits >= 16  // Mir
        case 501_800...501_899, 502_000...502_099, 503_800...503_899, 589_300...589_399, 630_400...630_499,
            675_900...675_999, 676_100...676_399:
            true  // Maestro
        case 506_099...506_198: digits == 16 || digits >= 18  // Verve
        case 508_500...508_999, 600_000...609_999, 817_200...820_199: digits == 16  // RuPay
        case 979_200...979_299: digits == 16  // Troy
        default: false
        }
    }

    private static func passesLuhn(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        var sum = 0
        var isDoubled = false
        for position in range.reversed() where isDigit(text[position]) {
            let digit = Int(text[position] & 15)
            let value = isDoubled ? digit * 2 : digit
            sum += value > 9 ? value - 9 : value
            isDoubled.toggle()
        }
        return sum % 10 == 0
    }

    private static func isInHexIdentifier(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        var start = range.lowerBound
        var end = range.upperBound
        while start > 0, range.upperBound - start <= 64, isHex(text[start - 1]) { start -= 1 }
        while end < text.count, end - start <= 64, isHex(text[end]) { end += 1 }
        guard [32, 40, 64].contains(end - start) else { return false }
        return (start..<end).allSatisfy { isHex(text[$0]) }
    }

    @inline(__always)
    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    @inline(__always)
    private static func isCardByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "-")
    }

    private static func isHex(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20) &- 0x61 < 6 }
}
