import Spelling

/// The phrases that all diagnostics share.
package enum Wording {
    /// Text of a file as it can be shown on a terminal: in quotes, shortened, without control characters.
    package static func quoted(_ text: String) -> String {
        "\"\(printable(text, limit: 60))\""
    }

    /// Text of a file without quotes; control characters become spaces.
    package static func printable(_ text: String, limit: Int) -> String {
        var shown = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            guard count < limit else { return String(shown) + "…" }
            shown.append(isControl(scalar) ? " " : scalar)
            count += 1
        }
        return String(shown)
    }

    package static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    /// ` Did you mean "x"?`, or nothing.
    package static func suggestion(for name: String, among candidates: some Sequence<String>) -> String {
        NearestName.nearest(to: name, among: candidates).map { " Did you mean \(quoted($0))?" } ?? ""
    }

    /// `a, b, c`; long lists are cut.
    package static func list(_ names: some Collection<String>) -> String {
        let shown = names.prefix(40).joined(separator: ", ")
        return names.count > 40 ? shown + ", …" : shown
    }

    /// `a, b or c`.
    package static func choice(_ names: [String]) -> String {
        guard let last = names.last, names.count > 1 else { return names.first ?? "" }
        return names.dropLast().joined(separator: ", ") + " or " + last
    }

    /// What a value is, in words: `a list`, `a map`, `nothing` or the quoted text.
    package static func kind(of value: ConfigValue) -> String {
        switch value.content {
        case .scalar(let text, _): quoted(text)
        case .list: "a list"
        case .map: "a map"
        case .null: "nothing"
        }
    }
}
