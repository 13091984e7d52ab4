/// Values with units, as configuration files write them.
public enum Units {
    /// `500ms`, `10s`, `1m30s`, `2h`, `7d` in milliseconds; nil where the text has no unit or is no duration.
    public static func duration(_ text: String) -> Int64? {
        let units: [(String, Double)] = [
            ("ms", 1), ("us", 0.001), ("µs", 0.001), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
        ]
        guard let milliseconds = sum(text, units) else { return nil }
        return milliseconds < 9e15 ? Int64(milliseconds.rounded()) : nil
    }

    /// The same in nanoseconds, for times that are shorter than a millisecond.
    package static func nanoseconds(_ text: String) -> Int64? {
        let units: [(String, Double)] = [
            ("ms", 1e6), ("us", 1000), ("µs", 1000), ("ns", 1), ("s", 1e9), ("m", 6e10), ("h", 3.6e12), ("d", 8.64e13),
        ]
        guard let nanoseconds = sum(text, units) else { return nil }
        return nanoseconds < 9e18 ? Int64(nanoseconds.rounded()) : nil
    }

    /// `64KiB`, `2GiB`, `10MB`, `512B` in bytes; nil where the text has no unit or is no size.
    public static func size(_ text: String) -> Int64? {
        let units: [(String, Double)] = [
            ("kib", 1024), ("mib", 1_048_576), ("gib", 1_073_741_824), ("tib", 1_099_511_627_776),
            ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("tb", 1e12), ("b", 1),
        ]
        guard let bytes = sum(text.lowercased(), units) else { return nil }
        return bytes < 9e18 ? Int64(bytes) : nil
    }

    /// `true`, `false`, `yes`, `no`, `on`, `off`.
    public static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on": true
        case "false", "no", "off": false
        default: nil
        }
    }

    /// Adds up `<number><unit>` pairs; every number needs a unit, except a lone `0`.
    private static func sum(_ text: String, _ units: [(String, Double)]) -> Double? {
        if text == "0" { return 0 }
        var rest = Substring(text)
        var total = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let number = Double(digits), number.isFinite else { return nil }
            rest = rest.dropFirst(digits.count)
            if rest.first == " " { rest = rest.dropFirst() }
            let letters = rest.prefix { $0.isLetter }
            guard let unit = units.first(where: { $0.0 == letters }) else { return nil }
            rest = rest.dropFirst(letters.count)
            total += number * unit.1
        }
        return total
    }
}
