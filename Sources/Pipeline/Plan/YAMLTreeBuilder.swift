internal import Yams

/// Turns the nodes of Yams into `ConfigValue`s.
struct YAMLTreeBuilder {
    let source: SourceText
    let mask: ReferenceMask
    let file: String
    let environment: EnvironmentExpansion?
    /// Keys whose first letter was replaced, by their place (see `YAMLLoader.parse`).
    let maskedKeys: [SourceLocation: String]

    private(set) var diagnostics = Diagnostics()
    private(set) var unresolved: Set<SourceLocation> = []
    private var valueCount = 0

    init(
        source: SourceText, mask: ReferenceMask, file: String, environment: EnvironmentExpansion?,
        maskedKeys: [SourceLocation: String]
    ) {
        self.source = source
        self.mask = mask
        self.file = file
        self.environment = environment
        self.maskedKeys = maskedKeys
    }

    mutating func value(_ node: Node, depth: Int, fallback: SourceLocation) -> ConfigValue {
        let location = place(of: node) ?? fallback
        valueCount += 1
        guard valueCount <= YAMLLoader.maximumValueCount else {
            if valueCount == YAMLLoader.maximumValueCount + 1 {
                diagnostics.error(
                    "aliases expand the file to over \(YAMLLoader.maximumValueCount) values", at: location)
            }
            return ConfigValue(.null, at: location)
        }
        guard depth < YAMLLoader.maximumDepth else {
            diagnostics.error("nested more than \(YAMLLoader.maximumDepth) levels deep", at: location)
            return ConfigValue(.null, at: location)
        }
        switch node {
        case .scalar(let scalar):
            var value = ConfigValue(content(of: scalar, at: location), at: location)
            if let text = value.scalar {
                value.textLines = textLines(text, scalar.style, at: location)
                if value.textLines.isEmpty, scalar.style == .doubleQuoted || scalar.style == .singleQuoted {
                    value.textColumns = textColumns(text, isDouble: scalar.style == .doubleQuoted, at: location)
                }
            }
            return value
        case .sequence(let sequence):
            return ConfigValue(
                .list(sequence.map { value($0, depth: depth + 1, fallback: location) }), at: location)
        case .mapping(let mapping):
            return ConfigValue(.map(entries(mapping, depth: depth, location: location)), at: location)
        case .alias:
            // Yams' parser resolves aliases; this case is for trees built by hand.
            return ConfigValue(.null, at: location)
        }
    }

    private func place(of node: Node) -> SourceLocation? {
        node.mark.map { SourceLocation(file: file, line: $0.line, column: $0.column) }
    }

    private mutating func content(of scalar: Node.Scalar, at location: SourceLocation) -> ConfigValue.Content {
        let isQuoted = scalar.style != .plain && scalar.style != .any
        if !isQuoted, ["", "~", "null", "Null", "NULL"].contains(scalar.string) { return .null }
        let written = mask.unmasked(scalar.string)
        guard let environment else { return .scalar(written, isQuoted: isQuoted) }
        var problems: [EnvironmentExpansion.Problem] = []
        let text = environment.expand(written, problems: &problems)
        for problem in problems {
            diagnostics.error(problem.message, at: source.location(ofReference: problem.reference, after: location))
            unresolved.insert(location)
        }
        return .scalar(text, isQuoted: isQuoted)
    }

    /// Where the lines of a scalar's text begin; empty unless the file has the very same characters there.
    private func textLines(_ text: String, _ style: Node.Scalar.Style, at location: SourceLocation) -> [SourceLocation]
    {
        var place = location
        switch style {
        case .literal:
            var places: [SourceLocation] = []
            for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                place.line += 1
                // The last line may lie behind the end of the file.
                guard let written = source.line(place.line), written.hasSuffix(line) else {
                    return line.isEmpty ? places : []
                }
                place.column = written.unicodeScalars.count - line.unicodeScalars.count + 1
                places.append(place)
            }
            return places
        case .folded: return []
        case .singleQuoted, .doubleQuoted: place.column += 1
        default: break
        }
        guard let start = source.index(line: place.line, column: place.column),
            source.text[start...].hasPrefix(text), !text.contains("\n")
        else { return [] }
        return [place]
    }

    /// Columns of a quoted text's scalars, and of its end; empty where something but an escape moves them.
    private func textColumns(_ text: String, isDouble: Bool, at location: SourceLocation) -> [Int] {
        guard let line = source.line(location.line) else { return [] }
        let written = Array(line.unicodeScalars)
        let wanted = Array(text.unicodeScalars)
        let quote: Unicode.Scalar = isDouble ? "\"" : "'"
        let named: [Unicode.Scalar: Unicode.Scalar] = ["n": "\n", "t": "\t", "r": "\r", "0": "\0"]
        var columns: [Int] = []
        var index = location.column
        while index < written.count {
            let start = index
            var scalar = written[index]
            index += 1
            if isDouble, scalar == "\\", index < written.count {
                // Other escapes are rare in conditions; a text with one is placed as a whole.
                scalar = named[written[index]] ?? written[index]
                index += 1
            } else if scalar == quote {
                let isDoubled = !isDouble && index < written.count && written[index] == quote
                if !isDoubled {
                    columns.append(start + 1)
                    return columns.count == wanted.count + 1 ? columns : []
                }
                index += 1
            }
            guard columns.count < wanted.count, wanted[columns.count] == scalar else { return [] }
            columns.append(start + 1)
        }
        return []
    }

    private mutating func entries(
        _ mapping: Node.Mapping, depth: Int, location: SourceLocation
    ) -> [ConfigEntry] {
        var entries: [ConfigEntry] = []
        var places: [String: SourceLocation] = [:]
        var merged: [ConfigEntry] = []
        for (keyNode, valueNode) in mapping {
            let keyLocation = place(of: keyNode) ?? location
            guard case .scalar(let scalar) = keyNode else {
                diagnostics.error("expected a key that is text", at: keyLocation)
                continue
            }
            let key = maskedKeys[keyLocation] ?? mask.unmasked(scalar.string)
            let isMerge = key == "<<" && scalar.style == .plain
            let value = value(valueNode, depth: depth + 1, fallback: keyLocation)
            if let first = places[key] {
                diagnostics.error("duplicate key \(Wording.quoted(key)); it is already at \(first)", at: keyLocation)
                continue
            }
            places[key] = keyLocation
            if isMerge {
                merged = mergedEntries(value)
            } else {
                entries.append(ConfigEntry(key: key, keyLocation: keyLocation, value: value))
            }
        }
        // The map's own keys win over merged ones, wherever `<<` stands.
        for entry in merged where places[entry.key] == nil {
            places[entry.key] = entry.keyLocation
            entries.append(entry)
        }
        return entries
    }

    /// What `<<: value` adds; of several maps the first that has a key wins.
    private mutating func mergedEntries(_ value: ConfigValue) -> [ConfigEntry] {
        switch value.content {
        case .map(let entries):
            return entries
        case .list(let elements):
            var all: [ConfigEntry] = []
            for element in elements {
                guard case .map(let entries) = element.content else {
                    diagnostics.error("\"<<\" merges maps, found \(Wording.kind(of: element))", at: element.location)
                    continue
                }
                all += entries
            }
            return all
        case .scalar, .null:
            diagnostics.error(
                "\"<<\" takes a map, an alias of one, or a list of these; found \(Wording.kind(of: value))",
                at: value.location)
            return []
        }
    }
}
