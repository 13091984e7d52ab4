import Spelling

/// Holds a map of a configuration file against the options it may have, and reports every mistake.
public struct OptionChecker {
    /// Whom messages are about, for example `stage "sample"`; empty for none.
    public let subject: String
    /// What knows the options, for example `kind kafka`; empty for none.
    public let owner: String
    /// Places whose mistake is already reported.
    public let unresolved: Set<SourceLocation>
    public private(set) var diagnostics = Diagnostics()

    public init(subject: String, owner: String = "", unresolved: Set<SourceLocation> = []) {
        self.subject = subject
        self.owner = owner
        self.unresolved = unresolved
    }

    /// Checks keys and values of `map`.
    ///
    /// - Parameters:
    ///   - location: where a missing key is reported.
    ///   - ignoring: keys that are allowed and checked elsewhere.
    public mutating func check(
        _ map: ConfigValue, options: [StageOption], at location: SourceLocation, ignoring: [String] = []
    ) {
        check(map, options: options, path: "", at: location, ignoring: ignoring)
    }

    private mutating func check(
        _ map: ConfigValue, options: [StageOption], path: String, at location: SourceLocation, ignoring: [String] = []
    ) {
        // A required key that is misspelt is not reported as missing too.
        var misspelt: Set<String> = []
        for entry in map.entries where !ignoring.contains(entry.key) {
            guard let option = options.first(where: { $0.name == entry.key }) else {
                let known = options.map(\.name)
                if let meant = NearestName.nearest(to: entry.key, among: known + ignoring) { misspelt.insert(meant) }
                reportUnknown(entry, known: known, path: path, ignoring: ignoring)
                continue
            }
            check(entry.value, option.type, path: joined(path, entry.key), at: entry.keyLocation)
        }
        for option in options where option.isRequired && map[option.name] == nil && !misspelt.contains(option.name) {
            let place = owner.isEmpty || !path.isEmpty ? "missing key" : "\(owner) needs the key"
            report("\(place) \(Wording.quoted(option.name)): \(option.summary)", path: path, at: location)
        }
    }

    private mutating func reportUnknown(
        _ entry: ConfigEntry, known: [String], path: String, ignoring: [String]
    ) {
        var message = "unknown key \(Wording.quoted(entry.key))"
        let suggestion = Wording.suggestion(for: entry.key, among: known + ignoring)
        if !suggestion.isEmpty {
            message += "." + suggestion
        } else if known.isEmpty {
            message += owner.isEmpty || !path.isEmpty ? "; no keys are known here" : "; \(owner) has no options"
        } else {
            message += "; known keys: \(Wording.list(known))"
        }
        report(message, path: path, at: entry.keyLocation)
    }

    /// - Parameter keyLocation: where the value's key stands; a value that is missing has no place of its own.
    private mutating func check(
        _ value: ConfigValue, _ type: OptionType, path: String, at keyLocation: SourceLocation
    ) {
        guard !unresolved.contains(value.location) else { return }
        switch type {
        case .any, .form, .list(.form):
            return
        case .list(let element):
            checkList(value, element, path: path, at: keyLocation)
        case .object(let options):
            switch value.content {
            case .map: check(value, options: options, path: path, at: keyLocation)
            // `key:` alone is a map without entries: every key has its default.
            case .null: check(value, options: options, path: path, at: keyLocation)
            default: reportExpected(type, value, path: path, at: keyLocation)
            }
        case .map(let element):
            switch value.content {
            case .map(let entries):
                for entry in entries {
                    check(entry.value, element, path: joined(path, entry.key), at: entry.keyLocation)
                }
            case .null: return
            default: reportExpected(type, value, path: path, at: keyLocation)
            }
        default:
            guard case .scalar(let text, _) = value.content else {
                return reportExpected(type, value, path: path, at: keyLocation)
            }
            if let problem = problem(with: text, type) { report(problem, path: path, at: value.location) }
        }
    }

    private mutating func checkList(
        _ value: ConfigValue, _ element: OptionType, path: String, at keyLocation: SourceLocation
    ) {
        switch value.content {
        case .list(let elements):
            for (index, item) in elements.enumerated() {
                check(item, element, path: "\(path)[\(index)]", at: item.location)
            }
        case .scalar where element.isScalar:
            // One text stands for a list of one, as in `brokers: localhost:9092`.
            check(value, element, path: path, at: keyLocation)
        default:
            reportExpected(.list(element), value, path: path, at: keyLocation)
        }
    }

    private mutating func reportExpected(
        _ type: OptionType, _ value: ConfigValue, path: String, at keyLocation: SourceLocation
    ) {
        let location = value.content == .null ? keyLocation : value.location
        report("expected \(type.expectation), found \(Wording.kind(of: value))", path: path, at: location)
    }

    private mutating func report(_ message: String, path: String, at location: SourceLocation) {
        let shownPath = Wording.printable(path, limit: 120)
        let parts = [subject, shownPath, message].filter { !$0.isEmpty }
        diagnostics.error(parts.joined(separator: ": "), at: location)
    }

    private func joined(_ path: String, _ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
}

// MARK: - Scalars

extension OptionChecker {
    /// What is wrong with a scalar, or nil.
    private func problem(with text: String, _ type: OptionType) -> String? {
        let expected = "expected \(type.expectation), found \(Wording.quoted(text))"
        switch type {
        case .boolean:
            return Units.boolean(text) == nil ? expected : nil
        case .integer(let range):
            guard let number = Int64(text) else {
                let isWhole = text.drop { $0 == "-" }.allSatisfy { $0.isASCII && $0.isNumber } && text.last != "-"
                return isWhole && !text.isEmpty ? outside(text, bounds(range)) : expected
            }
            return range.contains(number) ? nil : outside(text, bounds(range))
        case .number(let range):
            guard let number = Double(text) else { return expected }
            return range.contains(number) ? nil : outside(text, bounds(range))
        case .duration:
            guard Units.duration(text) == nil else { return nil }
            if Double(text) != nil { return "\(Wording.printable(text, limit: 30)) has no unit; write \(text)s" }
            return expected + (Units.durationSuggestion(for: text).map { "; write \($0)" } ?? "")
        case .size:
            guard Units.size(text) == nil else { return nil }
            if Double(text) != nil { return "\(Wording.printable(text, limit: 30)) has no unit; write \(text)B" }
            return expected + (Units.sizeSuggestion(for: text).map { "; write \($0)" } ?? "")
        case .enumeration(let values):
            guard !values.contains(text) else { return nil }
            let suggestion = Wording.suggestion(for: text, among: values)
            return "unknown value \(Wording.quoted(text)).\(suggestion) Allowed: \(Wording.list(values))"
        case .text(let form):
            return form.isValid(text) ? nil : expected
        case .string, .list, .object, .map, .form, .any:
            return nil
        }
    }

    private func outside(_ text: String, _ bounds: String) -> String {
        "\(Wording.printable(text, limit: 30)) is out of range; expected \(bounds)"
    }

    private func bounds(_ range: ClosedRange<Int64>) -> String {
        switch (range.lowerBound, range.upperBound) {
        case (.min, let upper): "at most \(upper)"
        case (let lower, .max): "at least \(lower)"
        case (let lower, let upper): "\(lower) to \(upper)"
        }
    }

    private func bounds(_ range: ClosedRange<Double>) -> String {
        let isOpenBelow = range.lowerBound <= -Double.greatestFiniteMagnitude
        let isOpenAbove = range.upperBound >= Double.greatestFiniteMagnitude
        switch (isOpenBelow, isOpenAbove) {
        case (true, true): return "a finite number"
        case (true, false): return "at most \(shown(range.upperBound))"
        case (false, true): return "at least \(shown(range.lowerBound))"
        case (false, false): return "\(shown(range.lowerBound)) to \(shown(range.upperBound))"
        }
    }

    /// `1`, not `1.0`.
    private func shown(_ number: Double) -> String {
        Int64(exactly: number).map(String.init) ?? "\(number)"
    }
}

extension OptionType {
    /// What should have been written, in words.
    var expectation: String {
        switch self {
        case .string: "text"
        case .boolean: "true or false"
        case .integer: "a whole number"
        case .number: "a number"
        case .duration: "a duration such as 500ms, 10s or 1m30s"
        case .size: "a size such as 512B, 64KiB or 2GiB"
        case .enumeration(let values): "one of \(Wording.list(values))"
        case .list(let element): element.isScalar ? "a list" : "a list of maps"
        case .object: "a map"
        case .map: "a map"
        case .text(let form): form.expectation
        case .form(let form): "a \(form.rawValue)"
        case .any: "a value"
        }
    }

    /// Whether a single text can be such a value.
    package var isScalar: Bool {
        switch self {
        case .string, .boolean, .integer, .number, .duration, .size, .enumeration, .text, .any: true
        case .list, .object, .map, .form: false
        }
    }
}
