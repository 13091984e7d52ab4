public import Pipeline

/// What importers need to know of the policy `rules`.
public enum RefineryRules {
    /// All operators, in lower case.
    public static let operators = RefineryRuleParser.operators

    /// Fields that spans have without an attribute.
    public static let builtInFields = Set(RefineryBuiltIn.allCases.map(\.rawValue))

    /// Those that count the spans of the trace.
    public static let countFields = Set(RefineryBuiltIn.allCases.filter(\.isCountOfTrace).map(\.rawValue))

    /// Whether `Datatype` makes a difference to an operator.
    public static func usesDatatype(_ name: String) -> Bool {
        RefineryCondition.Comparison(rawValue: name) != nil || name == "in" || name == "not-in"
    }

    /// Whether a condition's value, or each one in its list, can be converted to a `Datatype`.
    public static func isConvertible(_ value: ConfigValue, to datatype: String) -> Bool {
        let values = (value.elements.isEmpty ? [value] : value.elements).map { RefineryCondition.Constant($0).value }
        switch datatype {
        case "int": return values.allSatisfy { $0.asInt != nil }
        case "float": return values.allSatisfy { $0.asDouble != nil }
        case "bool": return value.elements.isEmpty
        case "string": return true
        default: return false
        }
    }
}
