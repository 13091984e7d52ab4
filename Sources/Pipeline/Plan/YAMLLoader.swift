internal import Yams

/// Reads YAML into `ConfigValue`. Anchors, aliases and merge keys are resolved; a value that came through an alias
/// stands where its anchor stands.
public enum YAMLLoader {
    /// Larger files are refused: a pipeline is written by hand.
    public static let maximumByteCount = 8 << 20
    static let maximumDepth = 64
    /// Aliases can multiply values beyond all bounds.
    static let maximumValueCount = 500_000

    /// Reads a file.
    ///
    /// - Parameter environment: for `${VAR}`; nil leaves the text as it is written.
    public static func load(path: String, environment: [String: String]?) -> YAMLDocument {
        let bytes: [UInt8]
        do {
            bytes = try FileReader.read(path, limit: maximumByteCount)
        } catch {
            return failed(error.message, at: SourceLocation(file: path, line: 1, column: 1), text: "")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return failed(
                "the file is not UTF-8", at: firstInvalidPlace(in: bytes, file: path),
                text: String(decoding: bytes, as: UTF8.self))
        }
        return load(text: text, file: path, environment: environment)
    }

    /// Reads text; `file` is the name in diagnostics.
    public static func load(text: String, file: String, environment: [String: String]?) -> YAMLDocument {
        let start = SourceLocation(file: file, line: 1, column: 1)
        guard text.utf8.count <= maximumByteCount else {
            return failed("the file is larger than \(maximumByteCount >> 20) MiB", at: start, text: "")
        }
        var text = text
        text.makeContiguousUTF8()
        if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
        if let (location, scalar) = firstForbiddenScalar(in: text, file: file) {
            let code = String(scalar.value, radix: 16, uppercase: true)
            let padded = String(repeating: "0", count: max(0, 4 - code.count)) + code
            return failed("control character U+\(padded) is not allowed in YAML", at: location, text: text)
        }

        var diagnostics = Diagnostics()
        var maskedKeys: [SourceLocation: String] = [:]
        let mask = ReferenceMask(text)
        let source = SourceText(text)
        guard
            let root = parse(mask, source: source, file: file, maskedKeys: &maskedKeys, diagnostics: &diagnostics)
        else {
            return YAMLDocument(file: file, text: text, value: nil, diagnostics: diagnostics)
        }
        var builder = YAMLTreeBuilder(
            source: source, mask: mask, file: file, environment: environment.map(EnvironmentExpansion.init),
            maskedKeys: maskedKeys)
        let value = builder.value(root, depth: 0, fallback: start)
        diagnostics.append(builder.diagnostics)
        return YAMLDocument(
            file: file, text: text, value: value, diagnostics: diagnostics, unresolved: builder.unresolved)
    }

    /// Parses the text with Yams.
    ///
    /// Yams stops at the first map with a duplicate key, and names one place only. So the key it names is masked by a
    /// character of the private use area, which keeps all places as they are, and the text is parsed again; the tree
    /// builder gives masked keys their names back and reports the duplicates.
    private static func parse(
        _ mask: ReferenceMask, source: SourceText, file: String, maskedKeys: inout [SourceLocation: String],
        diagnostics: inout Diagnostics
    ) -> Node? {
        var text = mask.text
        // Every round parses the whole text: large files get fewer.
        let rounds = max(2, min(100, (4 << 20) / max(1, text.utf8.count)))
        while true {
            do {
                let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
                return try parser.singleRoot()
            } catch YamlError.duplicatedKeysInMapping(let names, let context) {
                let location = SourceLocation(file: file, line: context.mark.line, column: context.mark.column)
                if maskedKeys.count < rounds, let name = names.first,
                    let masked = masking(text, at: context.mark, ordinal: maskedKeys.count)
                {
                    text = masked
                    maskedKeys[location] = mask.unmasked(name)
                    continue
                }
                diagnostics.error(
                    "duplicate key \(Wording.list(names.map { Wording.quoted(mask.unmasked($0)) }))", at: location)
            } catch let error as YamlError {
                diagnostics.append(YAMLProblem.diagnostics(for: error, source: source, file: file))
            } catch {
                diagnostics.error("not YAML: \(error)", at: SourceLocation(file: file, line: 1, column: 1))
            }
            // The tree that would show the second places is not to be had.
            for (location, name) in maskedKeys {
                diagnostics.error("duplicate key \(Wording.quoted(name))", at: location)
            }
            return nil
        }
    }

    /// The text with the first letter of the key at `mark` replaced; nil where that would change its structure.
    private static func masking(_ text: String, at mark: Mark, ordinal: Int) -> String? {
        guard let mask = Unicode.Scalar(0xE000 + UInt32(ordinal)),
            var index = SourceText(text).index(line: mark.line, column: mark.column), index < text.endIndex
        else { return nil }
        var masked = text
        let first = masked.unicodeScalars[index]
        if first == "\"" || first == "'" {
            masked.unicodeScalars.formIndex(after: &index)
            guard index < masked.endIndex else { return nil }
            let second = masked.unicodeScalars[index]
            guard second != first, second != "\\", !second.properties.isWhitespace else { return nil }
        } else if "&*!|>?[]{}:,#%@`-".unicodeScalars.contains(first) || first.properties.isWhitespace {
            return nil
        }
        let next = masked.unicodeScalars.index(after: index)
        masked.unicodeScalars.replaceSubrange(index..<next, with: CollectionOfOne(mask))
        return masked
    }

    private static func failed(_ message: String, at location: SourceLocation, text: String) -> YAMLDocument {
        var diagnostics = Diagnostics()
        diagnostics.error(message, at: location)
        return YAMLDocument(file: location.file, text: text, value: nil, diagnostics: diagnostics)
    }

    private static func firstForbiddenScalar(in text: String, file: String) -> (SourceLocation, Unicode.Scalar)? {
        func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD, 0x10000...: false
            default: true
            }
        }
        guard let found = text.unicodeScalars.firstIndex(where: isForbidden) else { return nil }
        let before = SourceText(String(text.unicodeScalars[..<found]))
        let column = (before.lines.last?.unicodeScalars.count ?? 0) + 1
        return (SourceLocation(file: file, line: before.lines.count, column: column), text.unicodeScalars[found])
    }

    private static func firstInvalidPlace(in bytes: [UInt8], file: String) -> SourceLocation {
        var valid = String.UnicodeScalarView()
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        while case .scalarValue(let scalar) = decoder.decode(&iterator) { valid.append(scalar) }
        let before = SourceText(String(valid))
        let column = (before.lines.last?.unicodeScalars.count ?? 0) + 1
        return SourceLocation(file: file, line: before.lines.count, column: column)
    }
}
