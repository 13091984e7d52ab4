internal import Pipeline

/// Conditions of the Collector as OTTL texts: those that are one already, and the older `include`/`exclude` maps.
enum OTTLText {
    /// A text literal.
    static func literal(_ text: String) -> String {
        var result = "\""
        for character in text {
            switch character {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            default: result.append(character)
            }
        }
        return result + "\""
    }

    /// A condition whose paths are those of a resource, or scope, with the owner put before them.
    static func qualified(_ condition: String, owner: String) -> String {
        var result = ""
        var word = ""
        var isText = false
        var isEscaped = false
        func flush() {
            // Only what can begin a path of the owner; functions and literals stay.
            let paths: Set = ["attributes", "name", "version", "dropped_attributes_count"]
            if paths.contains(word), result.last != "." { result += owner + "." }
            result += word
            word = ""
        }
        for character in condition {
            if isText {
                result.append(character)
                if isEscaped {
                    isEscaped = false
                } else if character == "\\" {
                    isEscaped = true
                } else if character == "\"" {
                    isText = false
                }
            } else if character.isASCII, character.isLetter || character.isNumber || character == "_" {
                word.append(character)
            } else {
                flush()
                result.append(character)
                isText = character == "\""
            }
        }
        flush()
        return result
    }

    /// What the properties of an `include` or `exclude` mean: all kinds of properties must match, one of each list's values;
    /// of the attributes all.
    ///
    /// - Parameter problems: properties that no condition can express.
    static func condition(_ match: ConfigValue, problems: inout [String]) -> String? {
        let isPattern = ["regexp", "regex"].contains(match["match_type"]?.scalar ?? "strict")
        var parts: [String] = []
        func test(_ path: String, _ value: String) -> String {
            isPattern ? "IsMatch(\(path), \(literal(value)))" : "\(path) == \(literal(value))"
        }
        func any(_ path: String, _ values: [String]) {
            guard !values.isEmpty else { return }
            let tests = values.map { test(path, $0) }
            parts.append(tests.count == 1 ? tests[0] : "(" + tests.joined(separator: " or ") + ")")
        }
        for entry in match.entries {
            switch entry.key {
            case "match_type", "regexp": break
            case "services": any("resource.attributes[\"service.name\"]", CollectorValue.texts(entry.value))
            case "span_names": any("name", CollectorValue.texts(entry.value))
            case "span_kinds":
                let kinds = CollectorValue.texts(entry.value).map { kindName($0) }
                any("kind.string", kinds)
            case "attributes", "resources":
                let owner = entry.key == "resources" ? "resource.attributes" : "attributes"
                for item in entry.value.elements {
                    guard let key = CollectorValue.value(item, anyCase: "key")?.scalar else { continue }
                    let path = "\(owner)[\(literal(key))]"
                    let value = CollectorValue.value(item, anyCase: "value")
                    parts.append(valueTest(path, value, isPattern: isPattern))
                }
            case "libraries":
                for item in entry.value.elements {
                    if let name = CollectorValue.value(item, anyCase: "name")?.scalar {
                        parts.append(test("scope.name", name))
                    }
                    if let version = CollectorValue.value(item, anyCase: "version")?.scalar {
                        parts.append(test("scope.version", version))
                    }
                }
            default: problems.append("\(entry.key) in include or exclude has no counterpart for spans")
            }
        }
        return parts.isEmpty ? nil : parts.joined(separator: " and ")
    }

    private static func valueTest(_ path: String, _ value: ConfigValue?, isPattern: Bool) -> String {
        guard let value, case .scalar(let text, let isQuoted) = value.content else { return "\(path) != nil" }
        if isPattern { return "IsMatch(\(path), \(literal(text)))" }
        let number = CollectorValue.plainNumber(text)
        if !isQuoted, Double(number) != nil || ["true", "false"].contains(text) { return "\(path) == \(number)" }
        return "\(path) == \(literal(text))"
    }

    /// `SPAN_KIND_SERVER` as `Server`.
    private static func kindName(_ text: String) -> String {
        let name = text.hasPrefix("SPAN_KIND_") ? String(text.dropFirst(10)) : text
        return name.prefix(1).uppercased() + name.dropFirst().lowercased()
    }
}
