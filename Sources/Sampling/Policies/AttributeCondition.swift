import OTLP

/// A condition on the value of one attribute of a span or of its resource, as the Collector's attribute policies state it.
///
/// All of a sampler's attribute conditions are tested together, in one pass over a span's attributes (`AttributeTests`); this
/// says what each of them means.
final class AttributeCondition: SpanCondition {
    enum Test {
        /// Inclusive. Whole numbers are compared as such.
        case number(NumberRange)
        case string(StringTest)
        case boolean(Bool)
    }

    let key: [UInt8]
    let test: Test

    init(key: String, _ test: Test) {
        self.key = Array(key.utf8)
        self.test = test
    }

    /// - Parameter isResource: an empty text of a resource is a value, one of a span is none.
    func accepts(_ value: RawAttributeValue, isResource: Bool) -> Bool {
        switch test {
        case .number(let range):
            switch value {
            case .int(let number): return range.contains(number)
            case .double(let number): return range.contains(number)
            default: return false
            }
        case .string(let strings):
            guard case .string(let text) = value else { return false }
            return (isResource || !text.isEmpty) && strings.accepts(text)
        case .boolean(let wanted):
            guard case .bool(let flag) = value else { return false }
            return flag == wanted
        }
    }

    func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool {
        var isMet = false
        let visit = { (isResource: Bool, key: UnsafeRawBufferPointer, value: RawAttributeValue) -> Bool in
            guard key.count == self.key.count, key.elementsEqual(self.key), self.accepts(value, isResource: isResource)
            else { return true }
            isMet = true
            return false
        }
        AttributeLookup.forEach(in: batch.bytes(span.message), .span) { visit(false, $0, $1) }
        if isMet { return true }
        AttributeLookup.forEach(in: batch.bytes(batch.units[Int(span.unit)].resource), .resource) {
            visit(true, $0, $1)
        }
        return isMet
    }
}

/// A range of numbers, each bound inclusive and optional.
struct NumberRange: Sendable, Equatable {
    private var lower: Double
    private var upper: Double
    private var lowerWhole: Int64
    private var upperWhole: Int64

    /// Bounds that are whole numbers are compared with whole numbers exactly.
    init(lower: Bound?, upper: Bound?) {
        self.lower = lower?.number ?? -.infinity
        self.upper = upper?.number ?? .infinity
        lowerWhole = lower.map { $0.whole ?? Self.whole($0.number.rounded(.up)) } ?? .min
        upperWhole = upper.map { $0.whole ?? Self.whole($0.number.rounded(.down)) } ?? .max
    }

    struct Bound: Sendable, Equatable {
        var number: Double
        /// Where it was written as a whole number.
        var whole: Int64?
    }

    func contains(_ value: Int64) -> Bool { lowerWhole <= value && value <= upperWhole }

    func contains(_ value: Double) -> Bool { lower <= value && value <= upper }

    private static func whole(_ number: Double) -> Int64 {
        number >= 0x1p63 ? .max : number <= -0x1p63 ? .min : Int64(number)
    }
}
