/// Durations as people read and write them.
package enum DurationText {
    /// `1.24s`, `830ms`, `12.3µs`, `2m05s`: three significant digits, because more do not help to compare.
    package static func format(_ nanoseconds: UInt64) -> String {
        switch nanoseconds {
        case 0..<1000: "\(nanoseconds)ns"
        case 0..<999_500: decimal(Double(nanoseconds) / 1e3) + "µs"
        case 0..<999_500_000: decimal(Double(nanoseconds) / 1e6) + "ms"
        case 0..<59_950_000_000: decimal(Double(nanoseconds) / 1e9) + "s"
        default: long((nanoseconds + 500_000_000) / 1_000_000_000)
        }
    }

    private static func long(_ seconds: UInt64) -> String {
        if seconds < 3600 { return "\(seconds / 60)m\(padded(seconds % 60))s" }
        if seconds < 86_400 { return "\(seconds / 3600)h\(padded(seconds / 60 % 60))m" }
        return "\(seconds / 86_400)d\(padded(seconds / 3600 % 24))h"
    }

    private static func padded(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// Three significant digits without trailing zeros.
    private static func decimal(_ value: Double) -> String {
        let digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
        let scale = [1.0, 10.0, 100.0][digits]
        let scaled = Int((value * scale).rounded())
        var text = "\(scaled / Int(scale))"
        let fraction = scaled % Int(scale)
        if fraction > 0 {
            var fractionText = "\(fraction)"
            while fractionText.count < digits { fractionText = "0" + fractionText }
            while fractionText.hasSuffix("0") { fractionText.removeLast() }
            text += "." + fractionText
        }
        return text
    }

    /// Nanoseconds of a duration in Go's style (`100ms`, `1.5s`, `1h30m`, `0`), which every tracing tool uses; `d` and `w`
    /// are understood too. Nil where the text is no duration or too long for 64 bits.
    package static func parse(_ text: String) -> UInt64? {
        if text == "0" { return 0 }
        let units: [(name: String, nanoseconds: Double)] = [
            ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
            ("d", 86_400e9), ("w", 604_800e9),
        ]
        var rest = Substring(text)
        var total = 0.0
        if rest.isEmpty { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { !("0"..."9").contains($0) && $0 != "." }
            rest = rest.dropFirst(letters.count)
            guard let number = Double(digits), let unit = units.first(where: { $0.name == letters }) else { return nil }
            total += number * unit.nanoseconds
        }
        return total < 1.8e19 ? UInt64(total.rounded()) : nil
    }
}
