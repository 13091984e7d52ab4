import Foundation
import Pipeline

/// JSON as a validator sees it.
enum JSONTree: Decodable, Equatable {
    case null
    case boolean(Bool)
    case number(Double)
    case text(String)
    case list([JSONTree])
    case object([String: JSONTree])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONTree].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONTree].self))
        }
    }

    /// A value of a YAML file, typed by YAML's core schema: what an editor's validator is given.
    init(_ value: ConfigValue) {
        switch value.content {
        case .null: self = .null
        case .list(let elements): self = .list(elements.map(JSONTree.init))
        case .map(let entries):
            self = .object(
                Dictionary(entries.map { ($0.key, JSONTree($0.value)) }, uniquingKeysWith: { first, _ in first }))
        case .scalar(let text, let isQuoted):
            if isQuoted {
                self = .text(text)
            } else if ["true", "True", "TRUE", "false", "False", "FALSE"].contains(text) {
                self = .boolean(text.lowercased() == "true")
            } else if text.wholeMatch(of: /[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?/) != nil {
                self = .number(Double(text) ?? 0)
            } else {
                self = .text(text)
            }
        }
    }

    /// For `JSONSerialization`.
    var any: Any {
        switch self {
        case .null: NSNull()
        case .boolean(let value): value
        case .number(let value): value
        case .text(let text): text
        case .list(let elements): elements.map(\.any)
        case .object(let entries): entries.mapValues(\.any)
        }
    }

    subscript(key: String) -> JSONTree? {
        if case .object(let entries) = self { return entries[key] }
        return nil
    }

    var typeName: String {
        switch self {
        case .null: "null"
        case .boolean: "boolean"
        case .number: "number"
        case .text: "string"
        case .list: "array"
        case .object: "object"
        }
    }
}

/// A validator for the part of JSON Schema that our schema uses; another keyword is an error, not ignored.
///
/// For one thread at a time.
final class JSONSchema: @unchecked Sendable {
    struct UnknownKeyword: Error { var name: String }

    let root: JSONTree
    /// Compiled once: every check would do it again.
    private var patterns: [String: NSRegularExpression] = [:]

    init(_ text: String) throws {
        root = try JSONDecoder().decode(JSONTree.self, from: Data(text.utf8))
    }

    /// What is wrong, with its path; empty for a valid document.
    func problems(_ document: JSONTree) throws -> [String] { try problems(document, root, "") }

    private static let annotations: Set<String> = [
        "$schema", "$comment", "$defs", "title", "description", "default", "examples", "deprecated", "then", "else",
    ]

    private func problems(_ value: JSONTree, _ schema: JSONTree, _ path: String) throws -> [String] {
        if case .boolean(let isValid) = schema { return isValid ? [] : ["\(path): not allowed"] }
        guard case .object(let keywords) = schema else { return [] }
        var found: [String] = []
        for (keyword, argument) in keywords where !Self.annotations.contains(keyword) {
            found += try problems(value, keyword, argument, keywords, path)
        }
        return found
    }

    private func problems(
        _ value: JSONTree, _ keyword: String, _ argument: JSONTree, _ schema: [String: JSONTree], _ path: String
    ) throws -> [String] {
        func unless(_ condition: Bool) -> [String] { condition ? [] : ["\(path): \(keyword)"] }
        switch (keyword, argument, value) {
        case ("$ref", .text(let reference), _): return try problems(value, target(reference), path)
        case ("type", .text(let name), _): return unless(isType(value, name))
        case ("type", .list(let names), _):
            return unless(names.contains { if case .text(let name) = $0 { isType(value, name) } else { false } })
        case ("const", _, _): return unless(argument == value)
        case ("enum", .list(let values), _): return unless(values.contains(value))
        case ("anyOf", .list(let schemas), _):
            return unless(try schemas.contains { try problems(value, $0, path).isEmpty })
        case ("oneOf", .list(let schemas), _):
            return unless(try schemas.filter { try problems(value, $0, path).isEmpty }.count == 1)
        case ("allOf", .list(let schemas), _): return try schemas.flatMap { try problems(value, $0, path) }
        case ("if", _, _):
            let branch = try problems(value, argument, path).isEmpty ? schema["then"] : schema["else"]
            return try branch.map { try problems(value, $0, path) } ?? []
        case ("pattern", .text(let pattern), .text(let text)): return unless(try matches(text, pattern))
        case ("minimum", .number(let bound), .number(let number)): return unless(number >= bound)
        case ("maximum", .number(let bound), .number(let number)): return unless(number <= bound)
        case ("minLength", .number(let bound), .text(let text)):
            return unless(Double(text.unicodeScalars.count) >= bound)
        case ("items", _, .list(let elements)):
            return try elements.enumerated().flatMap { try problems($1, argument, "\(path)[\($0)]") }
        case ("minItems", .number(let bound), .list(let elements)): return unless(Double(elements.count) >= bound)
        case ("required", .list(let names), .object(let entries)):
            return names.flatMap { name -> [String] in
                guard case .text(let key) = name, entries[key] == nil else { return [] }
                return ["\(path): \(key) is missing"]
            }
        case ("minProperties", .number(let bound), .object(let entries)): return unless(Double(entries.count) >= bound)
        case ("maxProperties", .number(let bound), .object(let entries)): return unless(Double(entries.count) <= bound)
        case ("properties", .object(let properties), .object(let entries)):
            return try entries.flatMap { key, entry in
                try properties[key].map { try problems(entry, $0, "\(path).\(key)") } ?? []
            }
        case ("patternProperties", .object(let byPattern), .object(let entries)):
            return try entries.flatMap { key, entry in
                try byPattern.filter { try matches(key, $0.key) }.flatMap {
                    try problems(entry, $0.value, "\(path).\(key)")
                }
            }
        case ("additionalProperties", _, .object(let entries)):
            return try entries.flatMap { key, entry -> [String] in
                if schema["properties"]?[key] != nil { return [] }
                if case .object(let byPattern)? = schema["patternProperties"],
                    try byPattern.contains(where: { try matches(key, $0.key) })
                {
                    return []
                }
                return try problems(entry, argument, "\(path).\(key)")
            }
        case ("pattern", _, _), ("minimum", _, _), ("maximum", _, _), ("minLength", _, _), ("items", _, _),
            ("minItems", _, _), ("required", _, _), ("minProperties", _, _), ("maxProperties", _, _),
            ("properties", _, _), ("patternProperties", _, _), ("additionalProperties", _, _):
            return []
        default: throw UnknownKeyword(name: keyword)
        }
    }

    private func target(_ reference: String) throws -> JSONTree {
        let name = String(reference.dropFirst("#/$defs/".count))
        guard reference.hasPrefix("#/$defs/"), let definition = root["$defs"]?[name] else {
            throw UnknownKeyword(name: "$ref: \(reference)")
        }
        return definition
    }

    private func isType(_ value: JSONTree, _ name: String) -> Bool {
        if name == "integer", case .number(let number) = value { return number == number.rounded() }
        return value.typeName == name
    }

    private func matches(_ text: String, _ pattern: String) throws -> Bool {
        let expression = try patterns[pattern] ?? NSRegularExpression(pattern: pattern)
        patterns[pattern] = expression
        return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
    }
}
