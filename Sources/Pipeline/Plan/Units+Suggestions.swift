extension Units {
    /// A duration that `text` may have meant (`10sec`, `5 Minutes`), or nil.
    static func durationSuggestion(for text: String) -> String? {
        suggestion(
            for: text,
            units: [
                "msec": "ms", "msecs": "ms", "millis": "ms", "millisecond": "ms", "milliseconds": "ms", "ms": "ms",
                "sec": "s", "secs": "s", "second": "s", "seconds": "s", "s": "s",
                "min": "m", "mins": "m", "minute": "m", "minutes": "m", "m": "m",
                "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "h": "h",
                "day": "d", "days": "d", "d": "d",
            ])
    }

    /// A size that `text` may have meant (`10M`, `2Gi`, `5 bytes`), or nil.
    static func sizeSuggestion(for text: String) -> String? {
        suggestion(
            for: text,
            units: [
                "k": "KiB", "ki": "KiB", "m": "MiB", "mi": "MiB", "g": "GiB", "gi": "GiB", "t": "TiB", "ti": "TiB",
                "byte": "B", "bytes": "B",
            ])
    }

    private static func suggestion(for text: String, units: [String: String]) -> String? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard !digits.isEmpty, digits.utf8.count <= 20, Double(digits) != nil else { return nil }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
        return units[unit].map { digits + $0 }
    }
}
