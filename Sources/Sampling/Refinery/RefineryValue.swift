import Glibc
import TraceModel

/// The value of a field as Refinery knows it. Borrowed from the trace's bytes, unless owned.
enum RefineryValue {
    /// The span does not have the field.
    case missing
    case text(UnsafeRawBufferPointer)
    case ownedText([UInt8])
    case int(Int64)
    case double(Double)
    case bool(Bool)

    var exists: Bool {
        if case .missing = self { return false }
        return true
    }

    // MARK: - Conversions
    // Those of Refinery's `config/sampler_config.go`, which are those of Go.

    /// The value as text. A missing one is `<nil>`, as Go prints it: Refinery's negative operators and patterns see that.
    func withText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        // Numbers fit into the string itself: nothing is allocated.
        var text: String
        switch self {
        case .text(let bytes): return body(bytes)
        case .ownedText(let bytes): return bytes.withUnsafeBytes(body)
        case .missing: text = "<nil>"
        case .bool(let flag): text = flag ? "true" : "false"
        case .int(let number): text = String(number)
        case .double(let number): text = Self.text(of: number)
        }
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }

    /// As a whole number: fractions are cut off, text must be decimal. Nil where it is none.
    var asInt: Int64? {
        switch self {
        case .int(let number): return number
        case .double(let number):
            guard number.isFinite else { return nil }
            return number >= 0x1p63 ? .max : number < -0x1p63 ? .min : Int64(number)
        case .text, .ownedText: return shortText.flatMap { Int64($0) }
        case .bool, .missing: return nil
        }
    }

    var asDouble: Double? {
        switch self {
        case .int(let number): return Double(number)
        case .double(let number): return number
        case .text, .ownedText: return shortText.flatMap { Double($0) }
        case .bool, .missing: return nil
        }
    }

    /// `true`, `t` and `1` in Go's spellings; everything else is false.
    var asBool: Bool {
        switch self {
        case .bool(let flag): return flag
        case .int(let number): return number == 1
        case .double(let number): return number == 1
        case .missing: return false
        case .text, .ownedText:
            return ["1", "t", "T", "TRUE", "true", "True"].contains(shortText ?? "")
        }
    }

    /// Numbers and truth values are short; longer text is neither.
    private var shortText: String? {
        switch self {
        case .text(let bytes): bytes.count <= 64 ? String(decoding: bytes, as: UTF8.self) : nil
        case .ownedText(let bytes): bytes.count <= 64 ? String(decoding: bytes, as: UTF8.self) : nil
        case .missing, .int, .double, .bool: nil
        }
    }

    /// As Go's `%v`: the shortest digits, with an exponent below 1e-4 and from 1e21 on.
    static func text(of number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Inf" : "+Inf" }
        if number == 0 { return number.sign == .minus ? "-0" : "0" }
        // Swift writes the shortest digits too: only the form differs.
        let (digits, exponent) = shortest(number.magnitude)
        let sign = number < 0 ? "-" : ""
        if exponent < -4 || exponent >= 21 {
            let fraction = digits.count > 1 ? "." + String(digits.dropFirst()) : ""
            let power = String(exponent.magnitude)
            return sign + String(digits.prefix(1)) + fraction + (exponent < 0 ? "e-" : "e+")
                + (power.count < 2 ? "0" : "") + power
        }
        if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count <= exponent + 1 {
            return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count)
        }
        return sign + String(digits.prefix(exponent + 1)) + "." + String(digits.dropFirst(exponent + 1))
    }

    /// Significant digits, and the power of ten of the first one. For positive numbers.
    private static func shortest(_ number: Double) -> (digits: String, exponent: Int) {
        let parts = number.description.split(separator: "e")
        var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let mantissa = parts.first.map(String.init) ?? "0"
        let point = mantissa.firstIndex(of: ".") ?? mantissa.endIndex
        exponent += mantissa.distance(from: mantissa.startIndex, to: point) - 1
        var digits = Substring(mantissa.filter { $0 != "." })
        while digits.count > 1, digits.first == "0" {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.count > 1, digits.last == "0" { digits.removeLast() }
        return (String(digits), exponent)
    }
}
