import Pipeline
import Spelling

/// The parameters of a request, decoded, with complaints that name the parameter.
struct QueryString {
    private var values: [(name: String, value: String)] = []

    /// Decodes `a=1&b=%20`; `+` is a space. Throws where a percent sign is not followed by two hex digits.
    init(_ text: String) throws(APIError) {
        for part in text.split(separator: "&") {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(halves[0]), let value = Self.decode(halves.count > 1 ? halves[1] : "") else {
                throw .badParameter(String(halves[0]), "the value of '\(halves[0])' is not percent-encoded UTF-8")
            }
            values.append((name, value))
        }
    }

    private static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(nibble), let low = rest.popFirst().flatMap(nibble) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        Character(UnicodeScalar(digit)).hexDigitValue.map(UInt8.init)
    }

    /// Refuses names that the route does not know: a misspelt filter must not silently find everything.
    func checkNames(_ known: [String]) throws(APIError) {
        for (name, _) in values where !known.contains(name) {
            let suggestion = NearestName.nearest(to: name, among: known).map { ", did you mean '\($0)'?" } ?? ""
            let list = known.joined(separator: ", ")
            throw .badParameter(
                name,
                "unknown parameter '\(name)'\(suggestion)\(known.isEmpty ? "; none is known here" : "; known are \(list)")",
                code: "unknown_parameter")
        }
    }

    /// The value of a parameter that may be given once; nil where it is missing or empty, as forms send it.
    func single(_ name: String) throws(APIError) -> String? {
        let found = values.filter { $0.name == name && !$0.value.isEmpty }
        guard found.count <= 1 else {
            throw .badParameter(name, "'\(name)' is given \(found.count) times; give it once")
        }
        return found.first?.value
    }

    func all(_ name: String) -> [String] { values.filter { $0.name == name && !$0.value.isEmpty }.map(\.value) }
}
