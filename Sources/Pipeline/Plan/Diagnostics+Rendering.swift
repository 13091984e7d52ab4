extension Diagnostics {
    /// All diagnostics for a terminal, in the order of the files, one below the other and ending in a newline; each
    /// with its line of the source and a caret under the place.
    ///
    /// - Parameter sources: texts of files by their names; a diagnostic of another file is shown without its line.
    public func rendered(sources: [String: String] = [:]) -> String {
        let texts = sources.mapValues(SourceText.init)
        return sorted.map { diagnostic in
            let snippet = texts[diagnostic.location.file].flatMap { diagnostic.snippet(in: $0) } ?? ""
            return diagnostic.description + "\n" + snippet
        }.joined()
    }
}

extension Diagnostics.Diagnostic {
    /// `file:line:column: error: message`, and below it the line of `source` with a caret under the column.
    public func rendered(source: String) -> String {
        description + "\n" + (snippet(in: SourceText(source)) ?? "")
    }

    /// Longest part of a line that is shown.
    private static let width = 100

    func snippet(in source: SourceText) -> String? {
        guard let line = source.line(location.line) else { return nil }
        // Control characters would move the cursor, and could do worse.
        let scalars = line.unicodeScalars.map { scalar -> Unicode.Scalar in Wording.isControl(scalar) ? " " : scalar }
        let column = min(max(location.column - 1, 0), scalars.count)
        guard scalars.contains(where: { $0 != " " }) else { return nil }
        let start = scalars.count <= Self.width ? 0 : max(0, min(column - Self.width / 2, scalars.count - Self.width))
        let end = min(scalars.count, start + Self.width)
        var shown = String.UnicodeScalarView()
        shown.append(contentsOf: scalars[start..<end])
        let lead = start > 0 ? "…" : ""
        let caret = String(repeating: " ", count: column - start + lead.count) + "^"
        return "    \(lead)\(String(shown))\(end < scalars.count ? "…" : "")\n    \(caret)\n"
    }
}
