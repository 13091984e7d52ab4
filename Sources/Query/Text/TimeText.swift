/// Points in time as people read and write them. All in UTC: traces cross time zones.
package enum TimeText {
    /// `2026-11-21 03:44:15.123`.
    package static func utc(_ nanoseconds: UInt64) -> String {
        let seconds = Int64(nanoseconds / 1_000_000_000)
        let milliseconds = Int(nanoseconds / 1_000_000 % 1000)
        let (year, month, day) = civil(days: seconds / 86_400)
        let time = Int(seconds % 86_400)
        return "\(year)-\(pad(month))-\(pad(day)) \(pad(time / 3600)):\(pad(time / 60 % 60)):\(pad(time % 60))."
            + pad(milliseconds, 3)
    }

    private static func pad(_ number: Int, _ width: Int = 2) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    /// Nanoseconds since the Unix epoch of an RFC 3339 time (`2026-11-21T03:44:15.123Z`, `…+02:00`) or of a number, whose
    /// unit (seconds, milliseconds, microseconds, nanoseconds) shows in its magnitude. Nil for anything else.
    package static func parse(_ text: String) -> UInt64? {
        if let number = Double(text), number.isFinite, number >= 0, !text.lowercased().contains("x") {
            return unix(text, number)
        }
        return rfc3339(text)
    }

    /// Between 1973 and 5138 the ranges do not overlap.
    private static func unix(_ text: String, _ number: Double) -> UInt64? {
        let scale: UInt64 =
            switch number {
            case ..<1e11: 1_000_000_000
            case ..<1e14: 1_000_000
            case ..<1e17: 1000
            default: 1
            }
        if let whole = UInt64(text) {
            let (result, overflow) = whole.multipliedReportingOverflow(by: scale)
            return overflow ? nil : result
        }
        let result = number * Double(scale)
        return result < 1.8e19 ? UInt64(result) : nil
    }

    private static func rfc3339(_ text: String) -> UInt64? {
        var rest = Array(text.utf8)[...]
        func number(_ digits: Int) -> Int? {
            guard rest.count >= digits else { return nil }
            var value = 0
            for digit in rest.prefix(digits) {
                guard (0x30...0x39).contains(digit) else { return nil }
                value = value * 10 + Int(digit - 0x30)
            }
            rest = rest.dropFirst(digits)
            return value
        }
        func separator(_ choices: String) -> Bool {
            guard let first = rest.first, choices.utf8.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard
            let year = number(4), separator("-"), let month = number(2), separator("-"), let day = number(2),
            separator("Tt "), let hour = number(2), separator(":"), let minute = number(2), separator(":"),
            let second = number(2), year >= 1970, (1...12).contains(month), (1...31).contains(day), hour < 24,
            minute < 60, second <= 60
        else { return nil }
        var nanoseconds: UInt64 = 0
        if separator(".") {
            var scale: UInt64 = 100_000_000
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            for digit in digits {
                nanoseconds += UInt64(digit - 0x30) * scale
                scale /= 10
            }
            rest = rest.dropFirst(digits.count)
        }
        var offset = 0
        // A `+` that was not percent-encoded arrives as a space: Grafana sends such times.
        if let sign = rest.first, "+- ".utf8.contains(sign) {
            rest = rest.dropFirst()
            guard let hours = number(2), separator(":"), let minutes = number(2) else { return nil }
            offset = (hours * 60 + minutes) * (sign == 0x2d ? -60 : 60)
        } else if !separator("Zz") {
            return nil
        }
        guard rest.isEmpty else { return nil }
        let seconds = days(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second - offset
        guard seconds >= 0, seconds < 18_000_000_000 else { return nil }
        return UInt64(seconds) * 1_000_000_000 + nanoseconds
    }

    // Howard Hinnant's algorithms for the proleptic Gregorian calendar; years start in March, so that the leap day is last.

    private static func days(year: Int, month: Int, day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let era = year / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(days: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = Int(days) + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
