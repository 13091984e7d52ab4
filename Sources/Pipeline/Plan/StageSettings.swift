/// The settings of one stage as written, with typed access. Values were checked against the stage's options when the plan
/// was made, so that reading them here needs no errors: what is absent has its default.
public struct StageSettings: Sendable {
    /// Name of the stage in the pipeline.
    public let name: String
    public let value: ConfigValue
    public let definition: [StageOption]

    public init(name: String, value: ConfigValue, definition: [StageOption]) {
        self.name = name
        self.value = value
        self.definition = definition
    }

    private func text(_ key: String, as form: ReadForm) -> String? {
        #if DEBUG
            ConfigReads.recorder?.note(key, in: value, as: form)
        #endif
        return value[key]?.scalar ?? definition.first { $0.name == key }?.defaultText
    }

    public func isSet(_ key: String) -> Bool { value[key] != nil }

    public func string(_ key: String) -> String? { text(key, as: .string) }

    public func boolean(_ key: String) -> Bool? { text(key, as: .boolean).flatMap(Units.boolean) }

    public func integer(_ key: String) -> Int64? { text(key, as: .integer).flatMap { Int64($0) } }

    public func number(_ key: String) -> Double? { text(key, as: .number).flatMap { Double($0) } }

    /// Milliseconds.
    public func duration(_ key: String) -> Int64? { text(key, as: .duration).flatMap { Units.duration($0) } }

    /// Bytes.
    public func size(_ key: String) -> Int64? { text(key, as: .size).flatMap { Units.size($0) } }

    public func strings(_ key: String) -> [String] {
        #if DEBUG
            ConfigReads.recorder?.note(key, in: value, as: .strings)
        #endif
        guard let value = value[key] else { return [] }
        if let single = value.scalar { return [single] }
        return value.elements.compactMap(\.scalar)
    }

    /// The settings of a nested object; absent keys have the defaults of the object's options.
    public func object(_ key: String) -> StageSettings {
        #if DEBUG
            ConfigReads.recorder?.note(key, in: value, as: .object)
        #endif
        var options: [StageOption] = []
        if case .object(let nested)? = definition.first(where: { $0.name == key })?.type { options = nested }
        let nested = value[key] ?? ConfigValue(.map([]), at: value.location)
        return StageSettings(name: name, value: nested, definition: options)
    }
}
