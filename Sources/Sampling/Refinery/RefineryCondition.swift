import Glibc

/// One condition of a rule: what Refinery's `RulesBasedSamplerCondition` tests.
struct RefineryCondition {
    /// How two values are compared.
    enum Comparison: String, CaseIterable {
        case equal = "="
        case notEqual = "!="
        case more = ">"
        case moreOrEqual = ">="
        case less = "<"
        case lessOrEqual = "<="

        /// - Parameter order: negative where the span's value is less than the condition's.
        func holds(_ order: Int) -> Bool {
            switch self {
            case .equal: order == 0
            case .notEqual: order != 0
            case .more: order > 0
            case .moreOrEqual: order >= 0
            case .less: order < 0
            case .lessOrEqual: order <= 0
            }
        }
    }

    /// A `Value` without `Datatype`: it is compared with values of its own kind only.
    enum Constant: Equatable {
        case null
        case text([UInt8])
        case int(Int64)
        case double(Double)
        case bool(Bool)
    }

    enum Test {
        case exists
        case notExists
        case hasRootSpan(Bool)
        case compare(Comparison, Constant)
        case compareText(Comparison, [UInt8])
        case compareInt(Comparison, Int64)
        case compareDouble(Comparison, Double)
        case compareBool(isEqual: Bool, Bool)
        case startsWith([UInt8])
        case contains([UInt8], isWanted: Bool)
        case matches(StringTest)
        case inTexts(Set<[UInt8]>, isWanted: Bool)
        case inInts(Set<Int64>, isWanted: Bool)
        case inDoubles(Set<Double>, isWanted: Bool)
    }

    /// The first field that an item has counts.
    var fields: [RefineryField]
    var test: Test

    func holds(_ value: RefineryValue) -> Bool {
        switch test {
        case .exists: return value.exists
        case .notExists: return !value.exists
        case .hasRootSpan: return false
        case .compare(let comparison, let constant):
            return Self.order(value, constant).map { comparison.holds($0) } ?? false
        case .compareText(let comparison, let text):
            return value.withText { comparison.holds(Self.order($0, text)) }
        case .compareInt(let comparison, let number):
            return value.asInt.map { comparison.holds($0 < number ? -1 : $0 > number ? 1 : 0) } ?? false
        case .compareDouble(let comparison, let number):
            return value.asDouble.map { Self.holds(comparison, $0, number) } ?? false
        case .compareBool(let isEqual, let flag): return value.exists && (value.asBool == flag) == isEqual
        case .startsWith(let text): return value.withText { $0.starts(with: text) }
        case .contains(let text, let isWanted): return value.withText { Self.contains($0, text) } == isWanted
        case .matches(let pattern): return value.withText { pattern.accepts($0) }
        case .inTexts(let texts, let isWanted): return value.withText { texts.contains(Array($0)) } == isWanted
        case .inInts(let numbers, let isWanted): return (value.asInt.map(numbers.contains) ?? false) == isWanted
        case .inDoubles(let numbers, let isWanted): return (value.asDouble.map(numbers.contains) ?? false) == isWanted
        }
    }

    /// How a value stands to a constant of its own kind; nil where they cannot be compared.
    private static func order(_ value: RefineryValue, _ constant: Constant) -> Int? {
        switch (value, constant) {
        case (.missing, _): nil
        // A value is more than none.
        case (_, .null): 1
        case (.int(let left), .int(let right)): left < right ? -1 : left > right ? 1 : 0
        case (.int(let left), .double(let right)): order(Double(left), right)
        case (.double(let left), .int(let right)): order(left, Double(right))
        case (.double(let left), .double(let right)): order(left, right)
        case (.bool(let left), .bool(let right)): left == right ? 0 : right ? -1 : 1
        case (.text, .text(let text)), (.ownedText, .text(let text)): value.withText { order($0, text) }
        default: nil
        }
    }

    /// As Go's comparison there: what is neither less nor more is equal.
    private static func order(_ left: Double, _ right: Double) -> Int { left < right ? -1 : left > right ? 1 : 0 }

    /// With a datatype the language's own operators decide, for which not-a-number is not even equal to itself.
    private static func holds(_ comparison: Comparison, _ left: Double, _ right: Double) -> Bool {
        left.isNaN || right.isNaN ? comparison == .notEqual : comparison.holds(order(left, right))
    }

    private static func order(_ left: UnsafeRawBufferPointer, _ right: [UInt8]) -> Int {
        right.withUnsafeBytes { right in
            let shared = min(left.count, right.count)
            if let leftStart = left.baseAddress, let rightStart = right.baseAddress, shared > 0 {
                let order = memcmp(leftStart, rightStart, shared)
                if order != 0 { return Int(order) }
            }
            return left.count - right.count
        }
    }

    private static func contains(_ text: UnsafeRawBufferPointer, _ part: [UInt8]) -> Bool {
        guard let start = text.baseAddress, let first = part.first else { return part.isEmpty }
        return part.withUnsafeBytes { part in
            guard let partStart = part.baseAddress else { return true }
            var position = 0
            while text.count - position >= part.count {
                let left = text.count - part.count - position + 1
                guard let found = memchr(start + position, Int32(first), left) else { return false }
                if memcmp(found, partStart, part.count) == 0 { return true }
                position = UnsafeRawPointer(found) - start + 1
            }
            return false
        }
    }
}
