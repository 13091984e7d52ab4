/// JSON whose keys keep their order, so that a generated file changes only where its content does.
indirect enum OrderedJSON: Sendable, ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByIntegerLiteral
{
    case text(String)
    /// As it is written.
    case number(String)
    case boolean(Bool)
    case list([OrderedJSON])
    case object([Entry])

    struct Entry: Sendable {
        var key: String
        var value: OrderedJSON

        init(_ key: String, _ value: OrderedJSON) {
            self.key = key
            self.value = value
        }
    }

    init(stringLiteral value: String) { self = .text(value) }
    init(booleanLiteral value: Bool) { self = .boolean(value) }
    init(integerLiteral value: Int) { self = .number(String(value)) }
    init(arrayLiteral elements: OrderedJSON...) { self = .list(elements) }
    init(dictionaryLiteral elements: (String, OrderedJSON)...) {
        self = .object(elements.map { Entry($0.0, $0.1) })
    }

    static func object(_ key: String, _ value: OrderedJSON) -> OrderedJSON { .object([Entry(key, value)]) }

    static func texts(_ texts: [String]) -> OrderedJSON { .list(texts.map { .text($0) }) }

    /// The object with further keys behind its own. What is no object is returned as it is.
    func adding(_ more: [Entry]) -> OrderedJSON {
        guard case .object(let entries) = self else { return self }
        return .object(entries + more)
    }

    /// Indented by two spaces; what fits a line of 120 characters stays on one. Ends with a newline.
    var pretty: String { written(indent: "", used: 0) + "\n" }

    private static let width = 120

    private func written(indent: String, used: Int) -> String {
        let line = compact
        if indent.utf8.count + used + line.utf8.count <= Self.width { return line }
        let inner = indent + "  "
        switch self {
        case .list(let elements) where !elements.isEmpty:
            let lines = elements.map { inner + $0.written(indent: inner, used: 1) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(indent)]"
        case .object(let entries) where !entries.isEmpty:
            let lines = entries.map { entry in
                let key = Self.quoted(entry.key) + ": "
                return inner + key + entry.value.written(indent: inner, used: key.utf8.count + 1)
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        default: return line
        }
    }

    private var compact: String {
        switch self {
        case .text(let text): Self.quoted(text)
        case .number(let text): text
        case .boolean(let value): value ? "true" : "false"
        case .list(let elements): "[" + elements.map(\.compact).joined(separator: ", ") + "]"
        case .object(let entries) where entries.isEmpty: "{}"
        case .object(let entries):
            "{ " + entries.map { "\(Self.quoted($0.key)): \($0.value.compact)" }.joined(separator: ", ") + " }"
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case let scalar where scalar.value < 0x20:
                let code = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - code.count) + code
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
