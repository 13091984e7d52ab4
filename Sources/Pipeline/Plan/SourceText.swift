/// The text of a file with YAML's idea of lines and columns: columns count Unicode scalars, both count from 1.
package struct SourceText: Sendable {
    package let text: String
    package let lines: [Substring]

    package init(_ text: String) {
        self.text = text
        var lines: [Substring] = []
        let scalars = text.unicodeScalars
        var start = scalars.startIndex
        var index = start
        while index < scalars.endIndex {
            let scalar = scalars[index]
            var next = scalars.index(after: index)
            if SourceText.isLineBreak(scalar) {
                lines.append(text[start..<index])
                if scalar == "\r", next < scalars.endIndex, scalars[next] == "\n" { next = scalars.index(after: next) }
                start = next
            }
            index = next
        }
        lines.append(text[start..<scalars.endIndex])
        self.lines = lines
    }

    static func isLineBreak(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0A, 0x0D, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    /// The line with a number, or nil where there is none.
    package func line(_ number: Int) -> Substring? {
        number >= 1 && number <= lines.count ? lines[number - 1] : nil
    }

    /// Where in the text a place is, or nil where the text has no such place.
    func index(line number: Int, column: Int) -> String.Index? {
        guard let line = line(number), column >= 1 else { return nil }
        let scalars = line.unicodeScalars
        return scalars.index(scalars.startIndex, offsetBy: column - 1, limitedBy: scalars.endIndex)
    }

    /// The place of the `count`-th (from 0) occurrence of `${` at or after a place; the place itself where there are
    /// fewer. A scalar's references are found by counting because quotes, escapes and folding move its characters.
    func location(ofReference count: Int, after start: SourceLocation) -> SourceLocation {
        var remaining = count
        var number = start.line
        var skipped = start.column - 1
        while let line = line(number) {
            var column = 0
            var previousIsDollar = false
            for scalar in line.unicodeScalars {
                column += 1
                if previousIsDollar, scalar == "{", column - 1 > skipped {
                    if remaining == 0 { return SourceLocation(file: start.file, line: number, column: column - 1) }
                    remaining -= 1
                }
                previousIsDollar = scalar == "$"
            }
            number += 1
            skipped = 0
        }
        return start
    }
}
