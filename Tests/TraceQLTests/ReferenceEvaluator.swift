import Patterns
import TraceModel

@testable import TraceQL

/// The language once more, over decoded spans and without a thought for speed: what the evaluators are held against.
struct ReferenceEvaluator {
    indirect enum Value: Equatable {
        case absent
        case bool(Bool)
        case int(Int64)
        case float(Double)
        case duration(Int64)
        case status(StatusCode)
        case kind(SpanKind)
        case text([UInt8])
        case list([Value])
        case opaque
    }

    struct Entry {
        var span: Span
        var resource: Resource
        var scope: InstrumentationScope
    }

    let entries: [Entry]
    private var parents: [Int?] = []
    private var lefts: [Int] = []
    private var rights: [Int] = []

    init(_ resourceSpans: [ResourceSpans]) {
        entries = resourceSpans.flatMap { resourceSpan in
            resourceSpan.scopeSpans.flatMap { scopeSpan in
                scopeSpan.spans.map { Entry(span: $0, resource: resourceSpan.resource, scope: scopeSpan.scope) }
            }
        }
        parents = entries.indices.map { index in
            entries.indices.first {
                $0 != index && entries[$0].span.spanID == entries[index].span.parentSpanID
                    && !entries[index].span.parentSpanID.isZero
            }
        }
        for index in entries.indices {
            // A circle is cut at its first span.
            var circle: [Int] = []
            var next = parents[index]
            while let span = next, span != index, !circle.contains(span) {
                circle.append(span)
                next = parents[span]
            }
            if next == index, circle.allSatisfy({ $0 > index }) { parents[index] = nil }
        }
        lefts = entries.map { _ in 0 }
        rights = lefts
        var counter = 0
        for index in entries.indices where parents[index] == nil { number(index, &counter) }
    }

    private mutating func number(_ index: Int, _ counter: inout Int) {
        counter += 1
        lefts[index] = counter
        for child in entries.indices where parents[child] == index { number(child, &counter) }
        counter += 1
        rights[index] = counter
    }

    // MARK: - Stages

    func evaluate(_ query: TraceQLQuery) -> [[Int]] {
        entries.isEmpty ? [] : run(query.stages, [Array(entries.indices)])
    }

    private func run(_ stages: [QueryStage], _ spansets: [[Int]]) -> [[Int]] {
        var spansets = spansets
        for stage in stages {
            switch stage {
            case .spansets(let expression): spansets = spansets.flatMap { run(expression, $0) }
            case .select: break
            case .coalesce: spansets = spansets.isEmpty ? [] : [Set(spansets.joined()).sorted()]
            case .group(let field):
                spansets = spansets.flatMap { spans in
                    var groups: [(Value, [Int])] = []
                    for span in spans {
                        let value = first(field, span)
                        if let place = groups.firstIndex(where: { $0.0 == value }) {
                            groups[place].1.append(span)
                        } else {
                            groups.append((value, [span]))
                        }
                    }
                    return groups.map(\.1)
                }
            case .scalarFilter(let filter):
                guard case .aggregate(let aggregate) = filter.left.node, case .literal(let literal) = filter.right.node
                else { continue }
                spansets = spansets.filter { spans in
                    guard let value = self.aggregate(aggregate, spans) else { return false }
                    return holds(value, filter.comparison, Self.value(literal))
                }
            }
        }
        return spansets
    }

    private func run(_ expression: SpansetExpression, _ spans: [Int]) -> [[Int]] {
        switch expression.node {
        case .filter(nil): return [spans]
        case .filter(let condition?):
            let found = spans.filter { isTrue(condition, $0) }
            return found.isEmpty ? [] : [found]
        case .pipeline(let stages): return run(stages, [spans])
        case .operation(let binary, let left, let right):
            let leftSpans = Set(run(left, spans).joined())
            let rightSpans = Set(run(right, spans).joined())
            var found: Set<Int>
            switch binary {
            case .and: found = leftSpans.isEmpty || rightSpans.isEmpty ? [] : leftSpans.union(rightSpans)
            case .or: found = leftSpans.union(rightSpans)
            default:
                let name = binary.rawValue.drop { $0 == "!" || $0 == "&" }
                let isNegated = binary.rawValue.first == "!"
                let isUnion = binary.rawValue.first == "&"
                found = rightSpans.filter { span in
                    leftSpans.contains { isRelated(span, String(name), to: $0) } != isNegated
                }
                if isUnion {
                    found.formUnion(
                        leftSpans.filter { other in rightSpans.contains { isRelated($0, String(name), to: other) } })
                }
            }
            return found.isEmpty ? [] : [found.sorted()]
        }
    }

    /// Whether `span` is the child (`>`), parent (`<`), … of `other`.
    private func isRelated(_ span: Int, _ relation: String, to other: Int) -> Bool {
        switch relation {
        case ">": return parents[span] == other
        case "<": return parents[other] == span
        case ">>": return isAbove(other, span)
        case "<<": return isAbove(span, other)
        default:
            let parent = entries[span].span.parentSpanID
            return span != other && !parent.isZero && parent == entries[other].span.parentSpanID
        }
    }

    private func isAbove(_ upper: Int, _ lower: Int) -> Bool {
        var next = parents[lower]
        while let span = next {
            if span == upper { return true }
            next = parents[span]
        }
        return false
    }

    private func aggregate(_ aggregate: Aggregate, _ spans: [Int]) -> Value? {
        guard let field = aggregate.field else { return .int(Int64(spans.count)) }
        let numbers = spans.map { first(field, $0) }.filter { Self.number($0) != nil }
        if numbers.isEmpty { return nil }
        let floats = numbers.compactMap(Self.number)
        switch aggregate.function {
        case .count: return .int(Int64(numbers.count))
        case .minimum: return .float(floats.min() ?? 0)
        case .maximum: return .float(floats.max() ?? 0)
        case .sum: return .float(floats.reduce(0, +))
        case .average: return .float(floats.reduce(0, +) / Double(floats.count))
        }
    }

    // MARK: - Fields

    static func value(_ literal: FieldLiteral) -> Value {
        switch literal {
        case .string(let text): .text(Array(text.utf8))
        case .int(let value): .int(value)
        case .float(let value): .float(value)
        case .bool(let value): .bool(value)
        case .duration(let value): .duration(value)
        case .status(let code): .status(code)
        case .kind(let kind): .kind(kind)
        case .null: .absent
        }
    }

    private static func value(_ attribute: AttributeValue?) -> Value {
        switch attribute {
        case .string(let text)?: .text(Array(text.utf8))
        case .bool(let value)?: .bool(value)
        case .int(let value)?: .int(value)
        case .double(let value)?: .float(value)
        case .array(let values)?: .list(values.map { value($0) })
        case .map?, .bytes?: .opaque
        case .empty?, nil: .absent
        }
    }

    func isTrue(_ field: FieldExpression, _ span: Int) -> Bool { values(field, span).contains(.bool(true)) }

    private func first(_ field: FieldExpression, _ span: Int) -> Value { values(field, span).first ?? .absent }

    private func values(_ field: FieldExpression, _ span: Int) -> [Value] {
        switch field.node {
        case .literal(let literal): return [Self.value(literal)]
        case .attribute(let reference):
            guard reference.ofParent else { return attribute(reference.scope, reference.name, span) }
            guard let parent = parents[span] else { return [] }
            return Array(attribute(reference.scope, reference.name, parent).prefix(1))
        case .intrinsic(let intrinsic, let ofParent):
            if !ofParent { return self.intrinsic(intrinsic, span) }
            return parents[span].map { self.intrinsic(intrinsic, $0) } ?? []
        case .not(let operand):
            guard case .bool(let value) = first(operand, span) else { return [] }
            return [.bool(!value)]
        case .negation(let operand):
            switch first(operand, span) {
            case .int(let value): return [.int(-value)]
            case .float(let value): return [.float(-value)]
            case .duration(let value): return [.duration(-value)]
            default: return []
            }
        case .binary(let binary, let left, let right):
            switch binary {
            case .and: return [.bool(isTrue(left, span) && isTrue(right, span))]
            case .or: return [.bool(isTrue(left, span) || isTrue(right, span))]
            case .equal, .notEqual:
                let nils = [left, right].map { $0.node == .literal(.null) }
                if nils == [true, true] { return [.bool(false)] }
                if nils.contains(true) {
                    let isAbsent = first(nils[0] ? right : left, span) == .absent
                    return [.bool(isAbsent == (binary == .equal))]
                }
                return [.bool(anyHolds(left, binary, right, span))]
            case .less, .lessOrEqual, .greater, .greaterOrEqual, .matches, .doesNotMatch:
                return [.bool(anyHolds(left, binary, right, span))]
            default: return [arithmetic(first(left, span), binary, first(right, span))]
            }
        }
    }

    private func anyHolds(
        _ left: FieldExpression, _ binary: FieldOperator, _ right: FieldExpression, _ span: Int
    ) -> Bool {
        values(left, span).contains { leftValue in
            values(right, span).contains { holds(leftValue, binary, $0) }
        }
    }

    private func attribute(_ scope: AttributeScope, _ name: String, _ index: Int) -> [Value] {
        let entry = entries[index]
        switch scope {
        case .span: return [Self.value(entry.span.attributes[name])].filter { $0 != .absent }
        case .resource: return [Self.value(entry.resource.attributes[name])].filter { $0 != .absent }
        case .instrumentation: return [Self.value(entry.scope.attributes[name])].filter { $0 != .absent }
        case .event: return entry.span.events.map { Self.value($0.attributes[name]) }.filter { $0 != .absent }
        case .link: return entry.span.links.map { Self.value($0.attributes[name]) }.filter { $0 != .absent }
        case .any:
            for scope in [AttributeScope.span, .resource, .event, .link, .instrumentation] {
                let values = attribute(scope, name, index)
                if !values.isEmpty { return values }
            }
            return []
        }
    }

    private func intrinsic(_ intrinsic: Intrinsic, _ index: Int) -> [Value] {
        let entry = entries[index]
        let span = entry.span
        func text(_ text: String) -> Value { .text(Array(text.utf8)) }
        let roots = entries.filter { $0.span.parentSpanID.isZero }
        let root = roots.min { ($0.span.startTime, $0.span.spanID.value) < ($1.span.startTime, $1.span.spanID.value) }
        switch intrinsic {
        case .duration: return [.duration(Int64(span.endTime) - Int64(span.startTime))]
        case .name: return [text(span.name)]
        case .status: return [.status(span.status.code)]
        case .statusMessage: return [text(span.status.message)]
        case .kind: return [.kind(span.kind)]
        case .parent, .parentID: return span.parentSpanID.isZero ? [] : [text(span.parentSpanID.hex)]
        case .nestedSetLeft: return [.int(Int64(lefts[index]))]
        case .nestedSetRight: return [.int(Int64(rights[index]))]
        case .nestedSetParent: return [.int(parents[index].map { Int64(lefts[$0]) } ?? -1)]
        case .childCount: return [.int(Int64(parents.count { $0 == index }))]
        case .spanID: return [text(span.spanID.hex)]
        case .traceDuration:
            let start = entries.map(\.span.startTime).min() ?? 0
            return [.duration(Int64((entries.map(\.span.endTime).max() ?? 0) - start))]
        case .rootName: return root.map { [text($0.span.name)] } ?? []
        case .rootService: return root.map { [Self.value($0.resource.attributes["service.name"])] } ?? []
        case .traceID: return [text(span.traceID.hex)]
        case .eventName: return span.events.map { text($0.name) }
        case .eventTimeSinceStart: return span.events.map { .duration(Int64($0.time) - Int64(span.startTime)) }
        case .linkTraceID: return span.links.map { text($0.traceID.hex) }
        case .linkSpanID: return span.links.map { text($0.spanID.hex) }
        case .instrumentationName: return [text(entry.scope.name)]
        case .instrumentationVersion: return [text(entry.scope.version)]
        }
    }

    // MARK: - Values

    private static func number(_ value: Value) -> Double? {
        switch value {
        case .int(let value), .duration(let value): Double(value)
        case .float(let value): value
        default: nil
        }
    }

    private func arithmetic(_ left: Value, _ binary: FieldOperator, _ right: Value) -> Value {
        if case .int(let left) = left, case .int(let right) = right {
            switch binary {
            case .add: return .int(left + right)
            case .subtract: return .int(left - right)
            case .multiply: return .int(left * right)
            case .divide: return right == 0 ? .absent : .int(left / right)
            case .modulo: return right == 0 ? .absent : .int(left % right)
            default:
                if right < 0 { return .float(power(Double(left), right)) }
                return .int((0..<right).reduce(1) { product, _ in product * left })
            }
        }
        guard let leftNumber = Self.number(left), let rightNumber = Self.number(right) else { return .absent }
        switch binary {
        case .add: return .float(leftNumber + rightNumber)
        case .subtract: return .float(leftNumber - rightNumber)
        case .multiply: return .float(leftNumber * rightNumber)
        case .divide: return .float(leftNumber / rightNumber)
        case .modulo: return .float(leftNumber.truncatingRemainder(dividingBy: rightNumber))
        default: return FloatPower.of(leftNumber, rightNumber)
        }
    }

    private func power(_ base: Double, _ exponent: Int64) -> Double {
        if case .float(let value) = FloatPower.of(base, Double(exponent)) { return value }
        return 0
    }

    private func holds(_ left: Value, _ binary: FieldOperator, _ right: Value) -> Bool {
        if left == .absent || right == .absent { return false }
        let isNegative = binary == .notEqual || binary == .doesNotMatch
        let positive: FieldOperator = binary == .notEqual ? .equal : binary == .doesNotMatch ? .matches : binary
        func elements(_ value: Value) -> [Value] {
            guard case .list(let elements) = value else { return [value] }
            return elements.filter { if case .list = $0 { false } else { true } }
        }
        let pairs = elements(left).flatMap { left in elements(right).map { (left, $0) } }
        // No element of nothing is equal.
        if case .list = left, elements(left).isEmpty { return isNegative }
        if case .list = right, elements(right).isEmpty { return isNegative }
        let answers = pairs.compactMap { holdsForScalars($0, positive, $1) }
        if isNegative { return !answers.isEmpty && !answers.contains(true) }
        return answers.contains(true)
    }

    /// Nil where the types do not compare.
    private func holdsForScalars(_ left: Value, _ binary: FieldOperator, _ right: Value) -> Bool? {
        if binary == .matches {
            guard case .text(let text) = left, case .text(let pattern) = right,
                var matcher = try? TextMatcher(String(decoding: pattern, as: UTF8.self), isAnchored: true)
            else { return nil }
            return matcher.matches(String(decoding: text, as: UTF8.self))
        }
        if let left = Self.number(left), let right = Self.number(right) {
            switch binary {
            case .equal: return left == right
            case .less: return left < right
            case .lessOrEqual: return left <= right
            case .greater: return left > right
            default: return left >= right
            }
        }
        switch (left, right) {
        case (.text(let left), .text(let right)):
            let isLess = left.lexicographicallyPrecedes(right)
            switch binary {
            case .equal: return left == right
            case .less: return isLess
            case .lessOrEqual: return isLess || left == right
            case .greater: return !isLess && left != right
            default: return !isLess
            }
        case (.bool, .bool), (.status, .status), (.kind, .kind): return binary == .equal ? left == right : false
        default: return nil
        }
    }
}
