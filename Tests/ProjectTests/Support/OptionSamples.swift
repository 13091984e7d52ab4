import Pipeline

/// Values in the form that options declare.
struct OptionSamples {
    /// Chooses among the values of enumerations and booleans.
    var variant = 0

    /// A map with a value for every option. Its location names it, so that reads of its keys can be told apart.
    func map(_ options: [StageOption], named path: String, more: [ConfigEntry] = []) -> ConfigValue {
        let place = SourceLocation(file: path, line: 1, column: 1)
        let entries = options.map { option in
            ConfigEntry(
                key: option.name, keyLocation: place, value: value(option.type, at: "\(path).\(option.name)"))
        }
        return ConfigValue(.map(more + entries), at: place)
    }

    func value(_ type: OptionType, at path: String) -> ConfigValue {
        let place = SourceLocation(file: path, line: 1, column: 1)
        func scalar(_ text: String, isQuoted: Bool = false) -> ConfigValue {
            ConfigValue(.scalar(text, isQuoted: isQuoted), at: place)
        }
        // Values that only make sense together, or only as one of several.
        if path.hasSuffix(".fleet.stale_after") { return scalar("60s") }
        if path.hasSuffix(".Operator") { return scalar(["exists", "=", "matches", "in"][variant % 4]) }
        if path.hasSuffix("Rules[].Sampler"), case .object(let samplers) = type {
            return map([samplers[variant % samplers.count]], named: path)
        }
        switch type {
        case .string, .any: return scalar("x")
        case .boolean: return scalar(variant % 2 == 0 ? "true" : "false")
        case .integer(let range): return scalar(String(min(max(10, range.lowerBound), range.upperBound)))
        case .number(let range): return scalar(String(min(max(0.5, range.lowerBound), range.upperBound)))
        case .duration: return scalar("10s")
        case .size: return scalar("64KiB")
        case .enumeration(let values): return scalar(values[variant % values.count])
        case .text(let form):
            let candidates = ["x", "p99", "50%", "100 spans/s"]
            return scalar(candidates.first(where: form.isValid) ?? "")
        case .list(let element): return ConfigValue(.list([value(element, at: path + "[]")]), at: place)
        case .object(let options): return map(options, named: path)
        case .map(let element):
            return ConfigValue(
                .map([
                    // An option of librdkafka, which knows no others.
                    ConfigEntry(key: "client.id", keyLocation: place, value: value(element, at: path + ".client.id"))
                ]), at: place)
        case .form(.step): return scalar("flush")
        case .form(.scrubRules), .form(.constant): return scalar("x")
        case .form: return Self.policy([("name", "inner"), ("type", "trace_flags")])
        }
    }

    /// Where the maps of policies stand that belong to other policies.
    static let otherPolicy = "(another policy)"

    static func policy(_ keys: [(String, String)]) -> ConfigValue {
        let place = SourceLocation(file: otherPolicy, line: 1, column: 1)
        return ConfigValue(.map(keys.map { entry($0.0, $0.1, at: place) }), at: place)
    }

    static func entry(_ key: String, _ text: String, at place: SourceLocation) -> ConfigEntry {
        ConfigEntry(key: key, keyLocation: place, value: ConfigValue(.scalar(text, isQuoted: false), at: place))
    }
}
