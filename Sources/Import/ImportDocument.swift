package import Pipeline

/// Reads input files. Several YAML documents in one file, as Kubernetes manifests have them, are tried one after the other.
package enum ImportDocument {
    /// The file, or of several documents in it the first that can be imported; variables stay as they are written.
    package static func load(path: String) -> YAMLDocument {
        let whole = YAMLLoader.load(path: path, environment: nil)
        return choose(whole)
    }

    /// The same of a text; `file` is its name in messages.
    package static func load(text: String, file: String) -> YAMLDocument {
        choose(YAMLLoader.load(text: text, file: file, environment: nil))
    }

    private static func choose(_ whole: YAMLDocument) -> YAMLDocument {
        let parts = parts(of: whole.text)
        guard parts.count > 1 else { return whole }
        let documents = parts.map { YAMLLoader.load(text: $0, file: whole.file, environment: nil) }
        let chosen = documents.first { document in
            document.value.map { ImportFormat.detect($0) != nil } ?? false
        }
        guard let found = chosen ?? documents.first(where: \.diagnostics.hasErrors) ?? documents.first else {
            return whole
        }
        // Messages show lines of the whole file.
        return YAMLDocument(
            file: whole.file, text: whole.text, value: found.value, diagnostics: found.diagnostics,
            unresolved: found.unresolved)
    }

    /// The documents of a file that have content, each with empty lines in place of the others, so that places stay right.
    private static func parts(of text: String) -> [String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var groups: [(start: Int, lines: [String])] = [(0, [])]
        for (index, line) in lines.enumerated() {
            let bare = line.hasSuffix("\r") ? String(line.dropLast()) : line
            if bare == "---" || bare.hasPrefix("--- ") {
                groups.append((index + 1, []))
            } else {
                groups[groups.count - 1].lines.append(line)
            }
        }
        return groups.filter { group in
            group.lines.contains { line in
                let content = line.drop { $0 == " " || $0 == "\t" || $0 == "\r" }
                return !content.isEmpty && !content.hasPrefix("#")
            }
        }.map { String(repeating: "\n", count: $0.start) + $0.lines.joined(separator: "\n") }
    }
}
