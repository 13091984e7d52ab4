import Glibc

extension FieldValue {
    /// The number with the other sign; absent for what is no number.
    var negated: FieldValue {
        switch self {
        case .int(let value): value == .min ? .double(-Double(value)) : .int(-value)
        case .duration(let value): value == .min ? .double(-Double(value)) : .duration(-value)
        case .double(let value): .double(-value)
        default: .absent
        }
    }

    /// The result of an arithmetic operator; absent where an operand is no number, and for a division of integers by zero.
    ///
    /// Integers stay integers, with truncating division; what does not fit 64 bits becomes a floating-point number.
    static func arithmetic(_ left: FieldValue, _ binary: FieldOperator, _ right: FieldValue) -> FieldValue {
        if case .int(let left) = left, case .int(let right) = right { return integers(left, binary, right) }
        guard let left = left.number, let right = right.number else { return .absent }
        return floats(left, binary, right)
    }

    private static func integers(_ left: Int64, _ binary: FieldOperator, _ right: Int64) -> FieldValue {
        let result: (partialValue: Int64, overflow: Bool)
        switch binary {
        case .add: result = left.addingReportingOverflow(right)
        case .subtract: result = left.subtractingReportingOverflow(right)
        case .multiply: result = left.multipliedReportingOverflow(by: right)
        case .divide:
            if right == 0 { return .absent }
            result = left.dividedReportingOverflow(by: right)
        case .modulo:
            if right == 0 { return .absent }
            // The one overflow is minInt % -1, whose remainder is 0.
            return .int(left.remainderReportingOverflow(dividingBy: right).partialValue)
        case .power: return power(left, right)
        default: return .absent
        }
        return result.overflow ? floats(Double(left), binary, Double(right)) : .int(result.partialValue)
    }

    private static func power(_ base: Int64, _ exponent: Int64) -> FieldValue {
        if exponent < 0 { return .double(pow(Double(base), Double(exponent))) }
        var result: Int64 = 1
        var factor = base
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 {
                let (product, overflows) = result.multipliedReportingOverflow(by: factor)
                if overflows { return .double(pow(Double(base), Double(exponent))) }
                result = product
            }
            rest >>= 1
            if rest == 0 { break }
            let (square, overflows) = factor.multipliedReportingOverflow(by: factor)
            if overflows { return .double(pow(Double(base), Double(exponent))) }
            factor = square
        }
        return .int(result)
    }

    private static func floats(_ left: Double, _ binary: FieldOperator, _ right: Double) -> FieldValue {
        switch binary {
        case .add: .double(left + right)
        case .subtract: .double(left - right)
        case .multiply: .double(left * right)
        case .divide: .double(left / right)
        case .modulo: .double(fmod(left, right))
        case .power: .double(pow(left, right))
        default: .absent
        }
    }
}
