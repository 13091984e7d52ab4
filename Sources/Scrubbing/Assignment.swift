/// A value that a rule sets, and where it does.
public struct Assignment: Hashable, Sendable {
    /// As in the Collector's `attributes` processor.
    public enum Mode: String, Hashable, Sendable, CaseIterable {
        /// Only where the attribute is not there.
        case insert
        /// Only where it is there.
        case update
        /// In both cases.
        case upsert
    }

    public enum Value: Hashable, Sendable {
        case string(String)
        case int(Int64)
        case double(Double)
        case bool(Bool)
    }

    public var value: Value
    public var mode: Mode

    public init(_ value: Value, mode: Mode = .upsert) {
        self.value = value
        self.mode = mode
    }
}

extension Assignment.Value {
    /// A scalar of YAML: a number, true, false, or a text. Quoted ones are texts. Nil for null.
    ///
    /// - Parameter isQuoted: anything but plain style.
    init?(yaml text: String, isQuoted: Bool) {
        if isQuoted {
            self = .string(text)
            return
        }
        switch text {
        case "", "~", "null", "Null", "NULL": return nil
        case "true", "True", "TRUE": self = .bool(true)
        case "false", "False", "FALSE": self = .bool(false)
        default: self = Self.number(text) ?? .string(text)
        }
    }

    /// Decimal numbers only: hexadecimal ones, infinity and the like are taken as texts.
    private static func number(_ text: String) -> Self? {
        if let number = Int64(text) { return .int(number) }
        let isDecimal = text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
        guard isDecimal, let number = Double(text), number.isFinite else { return nil }
        return .double(number)
    }
}
