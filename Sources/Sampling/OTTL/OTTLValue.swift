import OTLP

/// A value while a condition is evaluated. Texts of spans are borrowed from their bytes.
enum OTTLValue {
    case absent
    case bool(Bool)
    case int(Int64)
    case double(Double)
    /// Borrowed.
    case string(UnsafeRawBufferPointer)
    /// Written in the condition, or made by a function.
    case text([UInt8])
    case bytes(UnsafeRawBufferPointer)
    case data([UInt8])
    /// A map or list: the `AnyValue` message.
    case composite(UnsafeRawBufferPointer)
    /// What cannot be worked out: nothing compares with it.
    case failure

    init(_ value: RawAttributeValue) {
        self =
            switch value {
            case .string(let text): .string(text)
            case .bool(let flag): .bool(flag)
            case .int(let number): .int(number)
            case .double(let number): .double(number)
            case .bytes(let bytes): .bytes(bytes)
            case .composite(let message): .composite(message)
            case .empty: .absent
            }
    }

    /// The value's text, where it is one.
    func withText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        switch self {
        case .string(let text): body(text)
        case .text(let text): text.withUnsafeBytes { body($0) }
        default: nil
        }
    }

    private func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        switch self {
        case .bytes(let bytes): body(bytes)
        case .data(let bytes): bytes.withUnsafeBytes { body($0) }
        default: nil
        }
    }

    /// Compares by OTTL's rules: numbers with numbers, texts with texts, truth with truth, bytes with bytes, nil with nil;
    /// anything else is unequal and in no order.
    static func compare(_ left: OTTLValue, _ comparison: OTTLComparison, _ right: OTTLValue) -> Bool {
        switch (left, right) {
        case (.failure, _), (_, .failure): return false
        case (.absent, .absent): return comparison == .equal
        case (.int(let left), .int(let right)): return holds(left, comparison, right)
        case (.int(let left), .double(let right)): return holds(Double(left), comparison, right)
        case (.double(let left), .int(let right)): return holds(left, comparison, Double(right))
        case (.double(let left), .double(let right)): return holds(left, comparison, right)
        case (.bool(let left), .bool(let right)): return holds(left ? 1 : 0, comparison, right ? 1 : 0)
        case (.composite(let left), .composite(let right)):
            let isEqual = StringTest.areEqual(left, right)
            return comparison == .equal ? isEqual : comparison == .notEqual && !isEqual
        default: break
        }
        if let result = left.withText({ left in right.withText { order(left, $0) } }), let result {
            return holds(result, comparison, 0)
        }
        if let result = left.withBytes({ left in right.withBytes { order(left, $0) } }), let result {
            return holds(result, comparison, 0)
        }
        return comparison == .notEqual
    }

    private static func holds<Number: Comparable>(
        _ left: Number, _ comparison: OTTLComparison, _ right: Number
    ) -> Bool {
        switch comparison {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        }
    }

    /// Byte by byte: negative, zero or positive.
    private static func order(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        for index in 0..<min(left.count, right.count) where left[index] != right[index] {
            return left[index] < right[index] ? -1 : 1
        }
        return left.count - right.count
    }

    static func calculate(_ left: OTTLValue, _ operation: OTTLArithmetic, _ right: OTTLValue) -> OTTLValue {
        switch (left, right) {
        case (.int(let left), .int(let right)):
            let (value, overflow) =
                switch operation {
                case .add: left.addingReportingOverflow(right)
                case .subtract: left.subtractingReportingOverflow(right)
                case .multiply: left.multipliedReportingOverflow(by: right)
                case .divide: left.dividedReportingOverflow(by: right)
                }
            return overflow ? .failure : .int(value)
        case (.int(let left), .double(let right)): return calculate(Double(left), operation, right)
        case (.double(let left), .int(let right)): return calculate(left, operation, Double(right))
        case (.double(let left), .double(let right)): return calculate(left, operation, right)
        default: return .failure
        }
    }

    private static func calculate(_ left: Double, _ operation: OTTLArithmetic, _ right: Double) -> OTTLValue {
        switch operation {
        case .add: .double(left + right)
        case .subtract: .double(left - right)
        case .multiply: .double(left * right)
        case .divide: right == 0 ? .failure : .double(left / right)
        }
    }
}
