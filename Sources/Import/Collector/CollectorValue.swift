internal import Pipeline

/// Values as the Collector reads them, written as pipeline files write them.
enum CollectorValue {
    /// The value with numbers as Go's YAML reads them (`100_000`) written plainly.
    static func draft(_ value: ConfigValue) -> DraftValue {
        switch value.content {
        case .scalar(let text, let isQuoted): .scalar(isQuoted ? text : plainNumber(text), isQuoted: isQuoted)
        case .list(let elements): .list(elements.map { DraftElement(draft($0)) })
        case .map(let entries): .map(entries.map { DraftEntry($0.key, draft($0.value)) })
        case .null: .null
        }
    }

    /// `100_000` as `100000`; other texts as they are.
    static func plainNumber(_ text: String) -> String {
        guard text.contains("_"), let first = text.first, first.isASCII, first.isNumber || first == "-" || first == "+"
        else { return text }
        let digits = text.filter { $0 != "_" }
        return Double(digits) != nil ? digits : text
    }

    /// Whether the text has a variable in it, so that its value is not known yet.
    static func hasReference(_ text: String) -> Bool { text.contains("${") }

    static func integer(_ value: ConfigValue?) -> Int64? {
        value?.scalar.flatMap { Int64(plainNumber($0)) }
    }

    static func boolean(_ value: ConfigValue?) -> Bool? { value?.scalar.flatMap(Units.boolean) }

    /// A text or a list of texts.
    static func texts(_ value: ConfigValue?) -> [String] {
        guard let value else { return [] }
        return value.scalar.map { [$0] } ?? value.elements.compactMap(\.scalar)
    }

    /// A key in whatever case it is written: old examples have `Key` and `Value`.
    static func value(_ map: ConfigValue, anyCase key: String) -> ConfigValue? {
        map.entries.first { $0.key.lowercased() == key }?.value
    }

    enum Duration: Equatable {
        /// As pipeline files write it.
        case text(String)
        /// A number without unit, which the Collector takes as nanoseconds.
        case nanoseconds(String)
        case unreadable
    }

    /// A duration of Go.
    static func duration(_ value: ConfigValue) -> Duration {
        guard let text = value.scalar else { return .unreadable }
        if hasReference(text) { return .text(text) }
        let number = plainNumber(text)
        if text == "0" || text == "0s" { return .text("0s") }
        if Double(number) != nil { return .nanoseconds(text) }
        if Units.duration(text) != nil { return .text(text) }
        return text.hasSuffix("ns") && Double(text.dropLast(2)) != nil ? .nanoseconds(text) : .unreadable
    }

    /// References that only the Collector can resolve, such as `${file:/run/secret}`; empty where there are none.
    static func foreignReferences(in text: String) -> [String] {
        var found: [String] = []
        var rest = Substring(text)
        while let start = rest.firstIndex(of: "$") {
            let behind = rest[rest.index(after: start)...]
            if behind.first == "$" {
                rest = behind.dropFirst()
                continue
            }
            guard behind.first == "{" else {
                rest = behind
                continue
            }
            guard let end = behind.firstIndex(of: "}") else { return found + [String(rest[start...])] }
            var reference = behind[behind.index(after: behind.startIndex)..<end]
            if reference.hasPrefix("env:") { reference = reference.dropFirst(4) }
            let parts = reference.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let fallback = parts.count > 1 ? parts[1] : ""
            let isOurs =
                isName(parts[0]) && (parts.count == 1 || fallback.hasPrefix("-")) && !fallback.contains("$")
            if !isOurs { found.append(String(rest[start...end])) }
            rest = rest[rest.index(after: end)...]
        }
        return found
    }

    private static func isName(_ name: Substring) -> Bool {
        guard let first = name.first, !first.isNumber else { return false }
        return name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }

    /// Names of the variables that a text needs, those with a default left out.
    static func requiredVariables(in text: String) -> [String] {
        var names: [String] = []
        var rest = Substring(text)
        while let start = rest.firstIndex(of: "$") {
            let behind = rest[rest.index(after: start)...]
            guard behind.first == "{", let end = behind.firstIndex(of: "}") else {
                rest = behind.first == "$" ? behind.dropFirst() : behind
                continue
            }
            var reference = behind[behind.index(after: behind.startIndex)..<end]
            if reference.hasPrefix("env:") { reference = reference.dropFirst(4) }
            if isName(reference) { names.append(String(reference)) }
            rest = rest[rest.index(after: end)...]
        }
        return names
    }
}

extension CollectorValue {
    /// Values for the variables in a value, so that it can be checked: a number is right in most places.
    static func stand(for value: ConfigValue) -> [String: String] {
        var names: [String] = []
        func collect(_ value: ConfigValue) {
            switch value.content {
            case .scalar(let text, _): names += requiredVariables(in: text)
            case .list(let elements): for element in elements { collect(element) }
            case .map(let entries): for entry in entries { collect(entry.value) }
            case .null: break
            }
        }
        collect(value)
        return Dictionary(names.map { ($0, "1") }) { first, _ in first }
    }
}
