/// Durations as they are written: `1h30m`, `1.5s`, `200ms`.
enum DurationText {
    enum Outcome: Equatable {
        case nanoseconds(Int64)
        case tooLong
        case unknownUnit(String)
        case malformed
    }

    /// Largest first. `d`, `w` and `y` are Prometheus's.
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("y", 365 * 86_400_000_000_000), ("w", 7 * 86_400_000_000_000), ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000),
        ("ns", 1),
    ]

    static let unitNames = ["ns", "us", "ms", "s", "m", "h", "d", "w", "y"]

    private static func unit(_ name: String) -> Int64? {
        // U+00B5 and U+03BC: both look like the letter.
        let name = name == "\u{b5}s" || name == "\u{3bc}s" ? "us" : name
        return units.first { $0.name == name }?.nanoseconds
    }

    static func parse(_ text: ArraySlice<UInt8>) -> Outcome {
        var total: Int64 = 0
        var rest = text
        while !rest.isEmpty {
            let number = rest.prefix { isDigitOrDot($0) }
            rest = rest.dropFirst(number.count)
            let name = String(decoding: rest.prefix { !isDigitOrDot($0) }, as: UTF8.self)
            rest = rest.drop { !isDigitOrDot($0) }
            if number.isEmpty || name.isEmpty { return .malformed }
            guard let unit = unit(name) else { return .unknownUnit(QueryProblem.printable(name)) }
            switch nanoseconds(number, unit: unit) {
            case .nanoseconds(let value):
                let (sum, overflows) = total.addingReportingOverflow(value)
                if overflows { return .tooLong }
                total = sum
            case let failure: return failure
            }
        }
        return .nanoseconds(total)
    }

    private static func isDigitOrDot(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func nanoseconds(_ number: ArraySlice<UInt8>, unit: Int64) -> Outcome {
        let parts = number.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = parts.first, !whole.isEmpty else { return .malformed }
        guard let count = Int64(String(decoding: whole, as: UTF8.self)) else { return .tooLong }
        let (product, overflows) = count.multipliedReportingOverflow(by: unit)
        if overflows { return .tooLong }
        guard parts.count == 2 else { return .nanoseconds(product) }
        if parts[1].isEmpty { return .malformed }
        // Digits beyond nanoseconds of a year make no difference.
        var fraction: Int64 = 0
        var scale: Int64 = 1
        for digit in parts[1].prefix(17) {
            fraction = fraction * 10 + Int64(digit - UInt8(ascii: "0"))
            scale *= 10
        }
        let share = fraction.multipliedFullWidth(by: unit)
        let quotient = scale.dividingFullWidth(share).quotient
        let (sum, sumOverflows) = product.addingReportingOverflow(quotient)
        return sumOverflows ? .tooLong : .nanoseconds(sum)
    }

    /// The shortest text of units from hours down; negative durations have a sign in front.
    static func text(_ nanoseconds: Int64) -> String {
        if nanoseconds == 0 { return "0s" }
        var rest = nanoseconds.magnitude
        var text = nanoseconds < 0 ? "-" : ""
        for (name, unit) in units where name != "y" && name != "w" && name != "d" {
            let count = rest / UInt64(unit)
            rest %= UInt64(unit)
            if count > 0 { text += "\(count)\(name)" }
        }
        return text
    }
}
