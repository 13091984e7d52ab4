/// Expands `${VAR}`, `${VAR:-default}` and `$$` in a scalar. `${env:VAR}`, the OpenTelemetry Collector's form, is the
/// same as `${VAR}`, so that its files can be pasted.
package struct EnvironmentExpansion {
    package let environment: [String: String]

    package init(_ environment: [String: String]) { self.environment = environment }

    package struct Problem {
        /// Number of `${` in the scalar before the one that is wrong.
        var reference: Int
        var message: String
    }

    /// A `$` that starts none of the three forms stays as it is: regular expressions end with one.
    package func expand(_ text: String, problems: inout [Problem]) -> String {
        let bytes = Array(text.utf8)
        guard bytes.contains(UInt8(ascii: "$")) else { return text }
        var output: [UInt8] = []
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "$"), index + 1 < bytes.count else {
                output.append(bytes[index])
                index += 1
                continue
            }
            switch bytes[index + 1] {
            case UInt8(ascii: "$"):
                output.append(UInt8(ascii: "$"))
                index += 2
            case UInt8(ascii: "{"):
                guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "}")) else {
                    let message = "\"${\" has no closing \"}\"; write $${ for the text ${"
                    problems.append(Problem(reference: references(before: index, in: bytes), message: message))
                    return text
                }
                switch value(of: String(decoding: bytes[(index + 2)..<end], as: UTF8.self)) {
                case .success(let value): output += Array(value.utf8)
                case .failure(let failure):
                    let reference = references(before: index, in: bytes)
                    problems.append(Problem(reference: reference, message: failure.message))
                }
                index = end + 1
            default:
                output.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private struct Failure: Error { var message: String }

    /// The value of what stands between `${` and `}`. As in a shell, `:-` replaces an empty variable too.
    private func value(of reference: String) -> Result<String, Failure> {
        var name = Substring(reference)
        var fallback: Substring?
        if name.hasPrefix("env:") { name = name.dropFirst(4) }
        if let separator = EnvironmentExpansion.defaultSeparator(in: name) {
            fallback = name[name.index(separator, offsetBy: 2)...]
            name = name[..<separator]
        }
        guard EnvironmentExpansion.isName(name) else {
            let shown = Wording.printable(reference, limit: 60)
            return .failure(
                Failure(message: "expected ${NAME} or ${NAME:-default}, found ${\(shown)}; write $${ for the text ${"))
        }
        if let fallback, fallback.contains("$") {
            return .failure(Failure(message: "the default of ${\(name)} cannot contain another variable"))
        }
        let value = environment[String(name)]
        if let fallback { return .success(value.flatMap { $0.isEmpty ? nil : $0 } ?? String(fallback)) }
        if let value { return .success(value) }
        let suggestion = Wording.suggestion(for: String(name), among: environment.keys.sorted())
        return .failure(
            Failure(
                message: "environment variable \(name) is not set; set it, or write ${\(name):-default}."
                    .dropLast(suggestion.isEmpty ? 1 : 0) + suggestion))
    }

    private static func defaultSeparator(in text: Substring) -> Substring.Index? {
        text.indices.first { text[$0...].hasPrefix(":-") }
    }

    private static func isName(_ name: Substring) -> Bool {
        guard let first = name.utf8.first, first < UInt8(ascii: "0") || first > UInt8(ascii: "9") else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    private func references(before end: Int, in bytes: [UInt8]) -> Int {
        guard end > 0 else { return 0 }
        return (1..<max(end, 1)).count { bytes[$0 - 1] == UInt8(ascii: "$") && bytes[$0] == UInt8(ascii: "{") }
    }
}
