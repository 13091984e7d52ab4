/// Writes YAML lines: block style, with short maps and lists on one line.
struct YAMLWriter {
    private static let width = 110

    private(set) var text = ""

    mutating func line(_ content: String) { text += content + "\n" }

    mutating func blankLine() { text += "\n" }

    /// Comment lines, broken where they are too long.
    mutating func comments(_ lines: [String], indent: Int) {
        let margin = String(repeating: " ", count: indent) + "#"
        for comment in lines.flatMap({ $0.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) }) {
            for part in Self.wrapped(String(comment), width: Self.width - margin.count - 1) {
                line(part.isEmpty ? margin : "\(margin) \(part)")
            }
        }
    }

    mutating func entry(_ entry: DraftEntry, indent: Int) {
        comments(entry.comments, indent: indent)
        let margin = String(repeating: " ", count: indent)
        write(
            entry.value, after: margin + Self.scalar(entry.key, isQuoted: false) + ":", indent: indent,
            remark: entry.remark)
    }

    /// - Parameter lead: what the value's line begins with, without the space before the value.
    private mutating func write(_ value: DraftValue, after lead: String, indent: Int, remark: String?) {
        let end = remark.map { "  # " + Self.printable($0) } ?? ""
        if let short = Self.flow(value), lead.count + 1 + short.count <= Self.width || Self.isScalar(value) {
            return line(short.isEmpty ? lead + end : "\(lead) \(short)\(end)")
        }
        line(lead + end)
        switch value {
        case .map(let entries): for nested in entries { entry(nested, indent: indent + 2) }
        case .list(let elements): for element in elements { self.element(element, indent: indent + 2) }
        case .scalar, .null: break
        }
    }

    mutating func element(_ element: DraftElement, indent: Int) {
        comments(element.comments, indent: indent)
        let margin = String(repeating: " ", count: indent)
        if let short = Self.flow(element.value), indent + 2 + short.count <= Self.width || Self.isScalar(element.value)
        {
            return line("\(margin)- \(short.isEmpty ? "null" : short)")
        }
        switch element.value {
        case .map(let entries):
            guard let first = entries.first else { return line("\(margin)- {}") }
            comments(first.comments, indent: indent)
            write(
                first.value, after: "\(margin)- \(Self.scalar(first.key, isQuoted: false)):", indent: indent + 2,
                remark: first.remark)
            for nested in entries.dropFirst() { entry(nested, indent: indent + 2) }
        case .list(let elements):
            line("\(margin)-")
            for nested in elements { self.element(nested, indent: indent + 2) }
        case .scalar, .null:
            break
        }
    }

    // MARK: - One line

    private static func isScalar(_ value: DraftValue) -> Bool {
        switch value {
        case .scalar, .null: true
        case .list, .map: false
        }
    }

    /// The value on one line; nil where comments inside need lines of their own.
    private static func flow(_ value: DraftValue) -> String? {
        switch value {
        case .null:
            return ""
        case .scalar(let text, let isQuoted):
            return scalar(text, isQuoted: isQuoted)
        case .list(let elements):
            var parts: [String] = []
            for element in elements {
                guard element.comments.isEmpty, let part = flow(element.value) else { return nil }
                parts.append(inFlow(part, element.value))
            }
            return "[\(parts.joined(separator: ", "))]"
        case .map(let entries):
            var parts: [String] = []
            for entry in entries {
                guard entry.comments.isEmpty, entry.remark == nil, let part = flow(entry.value) else { return nil }
                let key = inFlow(scalar(entry.key, isQuoted: false), .text(entry.key))
                parts.append("\(key): \(inFlow(part, entry.value))")
            }
            return parts.isEmpty ? "{}" : "{ \(parts.joined(separator: ", ")) }"
        }
    }

    /// Brackets, braces and commas end a plain scalar inside `[…]` and `{…}`; those of `${…}` do not. A question mark or colon
    /// at its beginning stands for a key there, whatever follows (libyaml).
    private static func inFlow(_ written: String, _ value: DraftValue) -> String {
        guard case .scalar(let text, _) = value else { return written.isEmpty ? "null" : written }
        let endsEarly = text.contains { "[]{},".contains($0) } && !isReference(text)
        guard written == text, endsEarly || text.hasPrefix("?") || text.hasPrefix(":") else { return written }
        return singleQuoted(text)
    }

    /// Nothing but one `${…}`, which the loader knows inside braces.
    private static func isReference(_ text: String) -> Bool {
        guard text.hasPrefix("${"), text.hasSuffix("}") else { return false }
        let inside = text.dropFirst(2).dropLast()
        return !inside.contains { "{}\"'\\$\n".contains($0) }
    }

    // MARK: - Scalars

    /// A text as YAML: plain where that gives the same text back, in quotes elsewhere.
    static func scalar(_ text: String, isQuoted: Bool) -> String {
        if text.unicodeScalars.contains(where: { isControl($0) }) { return doubleQuoted(text) }
        if isQuoted { return isWord(text) ? doubleQuoted(text) : singleQuoted(text) }
        return isPlain(text) ? text : singleQuoted(text)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
            || scalar.value == 0xFEFF
    }

    private static func isWord(_ text: String) -> Bool {
        text.allSatisfy { $0 != "\\" && $0 != "\"" && $0.isASCII }
    }

    private static func singleQuoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }

    private static func doubleQuoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            default:
                if isControl(scalar) {
                    let hex = String(scalar.value, radix: 16, uppercase: true)
                    result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }

    /// Whether YAML reads the text as itself without quotes.
    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last else { return false }
        if ["~", "null", "Null", "NULL", "<<", "---", "..."].contains(text) { return false }
        if first == " " || last == " " || last == ":" { return false }
        if "&*!|>'\"%@`#,[]{}".unicodeScalars.contains(first) { return false }
        // An indicator only where a space (or nothing) follows it.
        if "-?:".unicodeScalars.contains(first), text.unicodeScalars.dropFirst().first.map({ $0 == " " }) ?? true {
            return false
        }
        return !text.contains(": ") && !text.contains(" #")
    }

    // MARK: - Comments

    private static func printable(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    /// A line broken at spaces; its indentation is kept.
    static func wrapped(_ text: String, width: Int) -> [String] {
        let indentation = String(text.prefix { $0 == " " })
        if text.count <= width { return [text] }
        // Lines below a bullet stand under its text.
        let lead = indentation + (text.dropFirst(indentation.count).hasPrefix("- ") ? "  " : "")
        var lines: [String] = []
        var current = indentation
        var isFirstWord = true
        for word in text.dropFirst(indentation.count).split(separator: " ", omittingEmptySubsequences: true) {
            if current.count + word.count + 1 > width, !isFirstWord {
                lines.append(current)
                current = lead
                isFirstWord = true
            }
            current += (isFirstWord ? "" : " ") + word
            isFirstWord = false
        }
        lines.append(current)
        return lines
    }
}
