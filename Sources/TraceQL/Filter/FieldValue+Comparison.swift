import Glibc
import OTLP
import TraceModel

/// How two values relate; `incomparable` where their types differ, so that every comparison of them is false.
enum FieldRelation {
    case less
    case equal
    case greater
    /// Comparable and different, without an order.
    case different
    case incomparable

    @inline(__always)
    func meets(_ comparison: FieldOperator) -> Bool {
        switch comparison {
        case .equal: self == .equal
        case .notEqual: self != .equal && self != .incomparable
        case .less: self == .less
        case .lessOrEqual: self == .less || self == .equal
        case .greater: self == .greater
        case .greaterOrEqual: self == .greater || self == .equal
        default: false
        }
    }
}

extension FieldValue {
    /// Whether `left comparison right` holds. With an array, `!=` holds when no element is equal, everything else when some
    /// element meets it.
    static func compare(_ left: FieldValue, _ comparison: FieldOperator, _ right: FieldValue) -> Bool {
        if left.isAbsent || right.isAbsent { return false }
        if case .array(let elements) = left {
            return anyElement(of: elements, comparison) {
                compare($0, comparison == .notEqual ? .equal : comparison, right)
            } comparable: {
                isComparable($0, right)
            }
        }
        if case .array(let elements) = right {
            return anyElement(of: elements, comparison) {
                compare(left, comparison == .notEqual ? .equal : comparison, $0)
            } comparable: {
                isComparable(left, $0)
            }
        }
        return relation(left, right).meets(comparison)
    }

    private static func anyElement(
        of elements: UnsafeRawBufferPointer, _ comparison: FieldOperator, _ holds: (FieldValue) -> Bool,
        comparable: (FieldValue) -> Bool
    ) -> Bool {
        var holdsForAny = false
        var isAnyComparable = elements.isEmpty
        forEachElement(of: elements) { element in
            // Arrays in arrays are no values that TraceQL knows.
            if case .array = element { return true }
            if holds(element) {
                holdsForAny = true
                return false
            }
            if !isAnyComparable { isAnyComparable = comparable(element) }
            return true
        }
        // An array of other types than the value is a mismatch, which is false for `!=` too.
        return comparison == .notEqual ? !holdsForAny && isAnyComparable : holdsForAny
    }

    private static func isComparable(_ left: FieldValue, _ right: FieldValue) -> Bool {
        if case .array(let elements) = right {
            var isComparable = elements.isEmpty
            forEachElement(of: elements) { element in
                isComparable = relation(left, element) != .incomparable
                return !isComparable
            }
            return isComparable
        }
        return relation(left, right) != .incomparable
    }

    @inline(__always)
    static func relation(_ left: FieldValue, _ right: FieldValue) -> FieldRelation {
        switch (left, right) {
        case (.string(let left), .string(let right)): return order(left, right)
        case (.int(let left), .int(let right)), (.duration(let left), .duration(let right)),
            (.int(let left), .duration(let right)), (.duration(let left), .int(let right)):
            return left < right ? .less : left == right ? .equal : .greater
        case (.bool(let left), .bool(let right)): return left == right ? .equal : .different
        case (.status(let left), .status(let right)): return left == right ? .equal : .different
        case (.kind(let left), .kind(let right)): return left == right ? .equal : .different
        case (.traceID(let left), .traceID(let right)):
            return left < right ? .less : left == right ? .equal : .greater
        case (.spanID(let left), .spanID(let right)):
            return left < right ? .less : left == right ? .equal : .greater
        default: return mixedRelation(left, right)
        }
    }

    private static func mixedRelation(_ left: FieldValue, _ right: FieldValue) -> FieldRelation {
        if let left = left.number, let right = right.number {
            // NaN has no order and equals nothing.
            return left < right ? .less : left == right ? .equal : left > right ? .greater : .different
        }
        switch (left, right) {
        case (.string(let text), .traceID), (.string(let text), .spanID):
            return right.withText { order(text, $0) }
        case (.traceID, .string(let text)), (.spanID, .string(let text)):
            return left.withText { order($0, text) }
        case (.traceID, .spanID), (.spanID, .traceID):
            return left.withText { left in right.withText { order(left, $0) } }
        default: return .incomparable
        }
    }

    @inline(__always)
    private static func order(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> FieldRelation {
        let shared = min(left.count, right.count)
        if shared > 0, let leftStart = left.baseAddress, let rightStart = right.baseAddress {
            let difference = memcmp(leftStart, rightStart, shared)
            if difference != 0 { return difference < 0 ? .less : .greater }
        }
        return left.count < right.count ? .less : left.count == right.count ? .equal : .greater
    }

    /// The text of a string or an id in hex; the empty text for everything else.
    func withText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        switch self {
        case .string(let text): return body(text)
        case .traceID(let id): return Self.withHex(id.high, id.low, count: 32, body)
        case .spanID(let id): return Self.withHex(id.value, 0, count: 16, body)
        default: return body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }

    /// Lower-case hex digits on the stack: a `String` would be an allocation per span.
    private static func withHex<Result>(
        _ first: UInt64, _ second: UInt64, count: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        var digits = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        return withUnsafeMutableBytes(of: &digits) { buffer in
            for index in 0..<count {
                let word = index < 16 ? first : second
                let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (index & 15)) & 15)
                buffer[index] = nibble < 10 ? 0x30 + nibble : 0x61 + nibble - 10
            }
            return body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
