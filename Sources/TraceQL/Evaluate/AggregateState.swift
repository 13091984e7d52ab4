/// Adds up numbers: the minimum, maximum and sum keep the type of their values.
struct AggregateState {
    private var count = 0
    private var minimum = FieldValue.absent
    private var maximum = FieldValue.absent
    private var total = 0.0
    /// The exact sum, while all values are integers or all are durations and it fits.
    private var exactTotal: Int64? = 0
    private var areIntegers = true
    private var areDurations = true

    /// Values that are no numbers, absent ones among them, do not count.
    mutating func add(_ value: FieldValue) {
        guard let number = value.number else { return }
        if count == 0 || FieldValue.relation(value, minimum) == .less { minimum = value }
        if count == 0 || FieldValue.relation(value, maximum) == .greater { maximum = value }
        count += 1
        total += number
        switch value {
        case .int(let whole):
            areDurations = false
            addExactly(whole)
        case .duration(let whole):
            areIntegers = false
            addExactly(whole)
        default:
            areIntegers = false
            areDurations = false
        }
    }

    private mutating func addExactly(_ value: Int64) {
        guard let sum = exactTotal?.addingReportingOverflow(value) else { return }
        exactTotal = sum.overflow ? nil : sum.partialValue
    }

    /// Nil where there was no number.
    func result(_ function: AggregateFunction) -> FieldValue? {
        if count == 0 { return nil }
        switch function {
        case .count: return .int(Int64(count))
        case .minimum: return minimum
        case .maximum: return maximum
        case .sum:
            if let exactTotal, areIntegers { return .int(exactTotal) }
            if let exactTotal, areDurations { return .duration(exactTotal) }
            return .double(total)
        case .average:
            if let exactTotal, areIntegers || areDurations { return .double(Double(exactTotal) / Double(count)) }
            return .double(total / Double(count))
        }
    }
}
