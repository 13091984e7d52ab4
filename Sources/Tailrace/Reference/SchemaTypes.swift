import Pipeline

/// Options and their types as JSON Schema.
enum SchemaTypes {
    /// Numbers as `Double` reads them, and as YAML gives them where they are quoted.
    private static let numberPattern = "^[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?$"
    private static let amount = "([0-9]+\\.?[0-9]*|\\.[0-9]+) ?"

    static let boolean: OrderedJSON = [
        "anyOf": [
            ["type": "boolean"],
            [
                "type": "string",
                "pattern": "^([tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[yY][eE][sS]|[nN][oO]|[oO][nN]|[oO][fF][fF])$",
            ], variable,
        ]
    ]

    /// See `Units.duration`.
    static let duration: OrderedJSON = [
        "anyOf": [
            ["type": "string", "pattern": .text("^(0|(\(amount)(ms|us|µs|s|m|h|d))+)$")], ["const": 0], variable,
        ],
        "examples": ["500ms", "10s", "1m30s", "2h"],
    ]

    /// See `Units.size`.
    static let size: OrderedJSON = [
        "anyOf": [
            ["type": "string", "pattern": .text("^(0|(\(amount)([kKmMgGtT][iI]?)?[bB])+)$")], ["const": 0], variable,
        ],
        "examples": ["512B", "64KiB", "10MB", "2GiB"],
    ]

    private static let variable: OrderedJSON = ["$ref": "#/$defs/variable"]

    /// A map with these options and no others.
    static func object(_ options: [StageOption], describedAs description: String? = nil) -> OrderedJSON {
        let required = options.filter(\.isRequired).map(\.name)
        var entries: [OrderedJSON.Entry] = []
        if let description { entries.append(.init("description", .text(description))) }
        // `key:` alone is a map in which every key has its default.
        entries.append(.init("type", required.isEmpty ? ["object", "null"] : "object"))
        entries.append(.init("properties", .object(options.map { .init($0.name, property($0)) })))
        if !required.isEmpty { entries.append(.init("required", .texts(required))) }
        entries.append(.init("additionalProperties", false))
        return .object(entries)
    }

    /// The object's schema, in which a key must be a map, empty or not.
    static func demandingMap(_ object: OrderedJSON, at key: String) -> OrderedJSON {
        object.adding([.init("allOf", [["properties": .object(key, ["type": "object"])]])])
    }

    /// A map that says with one of its keys what else it has.
    ///
    /// A conditional for each value, and no `oneOf`: a mistake is then shown at the key where it is, instead of as a map
    /// that fits none of many.
    static func tagged(
        by tag: StageOption, required: [String], alternatives: [(value: String, summary: String, definition: String)]
    ) -> OrderedJSON {
        let values = alternatives.map { alternative -> OrderedJSON in
            ["const": .text(alternative.value), "description": .text(alternative.summary)]
        }
        return [
            "type": "object",
            "required": .texts(required),
            "properties": .object(
                tag.name, ["description": .text(tag.summary), "anyOf": [["oneOf": .list(values)], variable]]),
            "allOf": .list(
                alternatives.map { alternative in
                    [
                        "if": [
                            "properties": .object(tag.name, ["const": .text(alternative.value)]),
                            "required": .texts([tag.name]),
                        ],
                        "then": ["$ref": .text("#/$defs/\(alternative.definition)")],
                    ]
                }),
        ]
    }

    /// What a key may hold, with its documentation.
    static func property(_ option: StageOption) -> OrderedJSON {
        var documentation: [OrderedJSON.Entry] = [.init("description", .text(option.summary))]
        if let text = option.defaultText { documentation.append(.init("default", defaultValue(text, option.type))) }
        if option.isNonEmpty { documentation.append(.init("minItems", 1)) }
        if option.isInert { documentation.append(.init("deprecated", true)) }
        if case .object(let nested) = option.type {
            return object(nested).adding(documentation)
        }
        return type(option.type).adding(documentation)
    }

    private static func defaultValue(_ text: String, _ type: OptionType) -> OrderedJSON {
        switch type {
        case .boolean: .boolean(Units.boolean(text) ?? false)
        case .integer, .number: .number(text)
        default: .text(text)
        }
    }

    static func type(_ type: OptionType) -> OrderedJSON {
        switch type {
        case .string: return ["$ref": "#/$defs/text"]
        case .boolean: return ["$ref": "#/$defs/boolean"]
        case .duration: return ["$ref": "#/$defs/duration"]
        case .size: return ["$ref": "#/$defs/size"]
        case .integer(let range):
            // Written even where it is the largest of all: a schema's integers have no end.
            let whole: OrderedJSON = [
                "type": "integer", "minimum": .number(String(range.lowerBound)),
                "maximum": .number(String(range.upperBound)),
            ]
            return ["anyOf": [whole, ["type": "string", "pattern": "^[+-]?[0-9]+$"], variable]]
        case .number(let range):
            let largest = Double.greatestFiniteMagnitude
            let number = bounds("number", range.lowerBound, range.upperBound, -largest, largest)
            return ["anyOf": [number, ["type": "string", "pattern": .text(numberPattern)], variable]]
        case .enumeration(let values):
            return ["anyOf": [["enum": .list(values.flatMap(forms))], variable]]
        case .text(let form):
            var alternatives: [OrderedJSON] = [["type": "string", "pattern": .text(form.pattern)]]
            for other in form.otherForms {
                switch other {
                case .boolean: alternatives.append(["type": "boolean"])
                case .wholeNumber: alternatives.append(["type": "integer"])
                case .number(let range):
                    alternatives.append(bounds("number", range.lowerBound, range.upperBound, -.infinity, .infinity))
                }
            }
            return ["anyOf": .list(alternatives + [variable])]
        case .list(let element):
            let list: OrderedJSON = ["type": "array", "items": self.type(element)]
            // One text stands for a list of one.
            return element.isScalar ? ["anyOf": [self.type(element), list]] : list
        case .object(let options): return object(options)
        case .map(let element): return ["type": ["object", "null"], "additionalProperties": self.type(element)]
        case .form(let form): return ["$ref": .text("#/$defs/\(form.rawValue)")]
        case .any: return [:]
        }
    }

    /// YAML reads some texts as numbers or truth values.
    private static func forms(_ value: String) -> [OrderedJSON] {
        if Double(value) != nil { return [.text(value), .number(value)] }
        return value == "true" || value == "false" ? [.text(value), .boolean(value == "true")] : [.text(value)]
    }

    private static func bounds<Number: Comparable & CustomStringConvertible>(
        _ type: String, _ lower: Number, _ upper: Number, _ lowest: Number, _ highest: Number
    ) -> OrderedJSON {
        var entries: [OrderedJSON.Entry] = [.init("type", .text(type))]
        if lower > lowest { entries.append(.init("minimum", .number(written(lower)))) }
        if upper < highest { entries.append(.init("maximum", .number(written(upper)))) }
        return .object(entries)
    }

    /// `100`, not `100.0`.
    private static func written(_ number: some CustomStringConvertible) -> String {
        let text = number.description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
