/// Text for a terminal: columns counted as the terminal counts them, and nothing in it that the terminal would obey.
package enum TerminalText {
    /// Span names come from outside: an escape sequence in one must not move the cursor or change the title.
    package static func clean(_ text: String) -> String {
        if !text.unicodeScalars.contains(where: isControl) { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(isControl(scalar) ? "\u{FFFD}" : scalar) }
        return String(result)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // C0, DEL and C1 controls; marks that change the writing direction; line separators.
        case 0..<0x20, 0x7f..<0xa0, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }

    /// Columns that a character takes.
    private static func width(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first?.value else { return 0 }
        switch scalar {
        case 0x300...0x36f, 0x200b...0x200d, 0xfe00...0xfe0f: return 0
        case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
            0x1f300...0x1faff, 0x20000...0x3fffd:
            return 2
        default: return 1
        }
    }

    package static func width(_ text: String) -> Int { text.reduce(0) { $0 + width($1) } }

    /// Cut to `columns` with an ellipsis, or filled up with spaces.
    package static func fit(_ text: String, _ columns: Int, alignedRight: Bool = false) -> String {
        let needed = width(text)
        if needed <= columns {
            let padding = String(repeating: " ", count: columns - needed)
            return alignedRight ? padding + text : text + padding
        }
        var result = ""
        var used = 0
        for character in text {
            let next = width(character)
            if used + next > columns - 1 { break }
            result.append(character)
            used += next
        }
        return columns > 0 ? result + "…" + String(repeating: " ", count: max(0, columns - 1 - used)) : ""
    }

    /// ANSI attributes, or nothing where colour is off.
    struct Style {
        var isOn: Bool

        func red(_ text: String) -> String { wrap(text, "31") }
        func bold(_ text: String) -> String { wrap(text, "1") }
        func dim(_ text: String) -> String { wrap(text, "2") }

        /// One of six colours that are readable on dark and on light.
        func colour(_ number: Int, _ text: String) -> String {
            wrap(text, ["36", "33", "32", "35", "34", "96"][number % 6])
        }

        private func wrap(_ text: String, _ code: String) -> String {
            isOn && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
        }
    }
}
