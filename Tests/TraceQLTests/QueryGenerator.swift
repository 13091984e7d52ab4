import TraceModel

@testable import TraceQL

/// Random queries that the parser could have made.
struct QueryGenerator {
    var random: SeededGenerator
    /// Only what a span alone can answer.
    var isSpanOnly = false

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &random)]
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    // MARK: - Anything that has a syntax

    private static let names = [
        "a", "http.status_code", "a b", "5", "span.x", "resource.", "name", "duration", "q\"uote", "back\\slash", "é",
        "a-b", "{}", "//", "x=y", "\u{1}", "résumé\u{301}", ".", "..", "a,b", "0", "parent", " ",
    ]

    mutating func anyLiteral() -> FieldLiteral {
        switch Int.random(in: 0..<9, using: &random) {
        case 0: .string(pick(Self.names + ["", "\n\t\r", "\u{7f}\u{0}", "`", "日本"]))
        case 1: .int(Int64.random(in: .min ... .max, using: &random))
        case 2: .int(pick([0, 1, -1, .min, .max, 5]))
        case 3: .float(Double(Int64.random(in: -1_000_000...1_000_000, using: &random)) / 64)
        case 4: .float(pick([1e300, 5e-324, 0.1, -2.5, 1e20]))
        case 5: .duration(pick([0, 1, -1, 999, 1_000_000, 3_600_000_000_001, .max, -.max, 1_500_000_000]))
        case 6: .bool(chance(50))
        case 7: .status(pick(Array(StatusCode.allCases)))
        default: chance(70) ? .kind(pick(Array(SpanKind.allCases))) : .null
        }
    }

    mutating func anyField(_ depth: Int) -> FieldExpression {
        if depth == 0 || chance(25) {
            switch Int.random(in: 0..<3, using: &random) {
            case 0: return FieldExpression(.literal(anyLiteral()))
            case 1:
                let ofParent = chance(20)
                let scopes: [AttributeScope] = ofParent ? [.any, .span, .resource] : Array(AttributeScope.allCases)
                return FieldExpression(
                    .attribute(AttributeReference(pick(scopes), pick(Self.names), ofParent: ofParent)))
            default:
                let intrinsic = pick(Array(Intrinsic.allCases))
                let ofParent = Intrinsic.ofParent.contains(intrinsic) && chance(30)
                return FieldExpression(.intrinsic(intrinsic, ofParent: ofParent))
            }
        }
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return FieldExpression(.not(anyField(depth - 1)))
        case 1: return FieldExpression(.negation(anyField(depth - 1)))
        default:
            let binary = pick(Array(FieldOperator.allCases))
            return FieldExpression(.binary(binary, anyField(depth - 1), anyField(depth - 1)))
        }
    }

    private mutating func anySpansets(_ depth: Int) -> SpansetExpression {
        if depth == 0 || chance(40) {
            return SpansetExpression(.filter(chance(15) ? nil : anyField(2)))
        }
        if chance(25) {
            let stages = anyStages(depth - 1)
            // A single spanset in parentheses is that spanset.
            if stages.count == 1, case .spansets(let expression) = stages[0] { return expression }
            return SpansetExpression(.pipeline(stages))
        }
        let binary = pick(Array(SpansetOperator.allCases))
        return SpansetExpression(.operation(binary, anySpansets(depth - 1), anySpansets(depth - 1)))
    }

    private mutating func anyAggregate() -> Aggregate {
        let function = pick(Array(AggregateFunction.allCases))
        return Aggregate(function, function == .count ? nil : anyField(2))
    }

    private mutating func anyScalar(_ depth: Int) -> ScalarExpression {
        if depth == 0 || chance(50) {
            if chance(30) {
                return ScalarExpression(
                    .literal(pick([.int(3), .int(-3), .float(0.5), .duration(1_000_000), .duration(-5)])))
            }
            if chance(20) { return ScalarExpression(.pipeline(anyStages(1), anyAggregate())) }
            return ScalarExpression(.aggregate(anyAggregate()))
        }
        let binary = pick([FieldOperator.add, .subtract, .multiply, .divide, .modulo, .power])
        return ScalarExpression(.binary(binary, anyScalar(depth - 1), anyScalar(depth - 1)))
    }

    private static let comparisons: [FieldOperator] = [
        .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual,
    ]

    mutating func anyStages(_ depth: Int) -> [QueryStage] {
        (0..<Int.random(in: 1...3, using: &random)).map { index in
            switch Int.random(in: 0..<8, using: &random) {
            case 0: return .scalarFilter(ScalarFilter(pick(Self.comparisons), anyScalar(2), anyScalar(2)))
            case 1: return .group(anyField(2))
            case 2 where index > 0: return .coalesce
            case 3:
                return .select([
                    FieldExpression(.intrinsic(.name, ofParent: false)),
                    FieldExpression(.attribute(AttributeReference(.span, pick(Self.names)))),
                ])
            default: return .spansets(anySpansets(depth))
            }
        }
    }

    private mutating func anyMetrics() -> MetricsExpression {
        let function = pick(Array(MetricsFunction.allCases))
        var metrics = MetricsExpression(function)
        if function.takesField { metrics.field = anyField(2) }
        if function == .quantileOverTime { metrics.quantiles = [0, 0.5, 0.99] }
        if function == .compare {
            let condition = anyField(2)
            let hasTimes = chance(50)
            metrics.comparison = MetricsExpression.Comparison(
                selection: SpansetExpression(.filter(condition)), topCount: 10, start: hasTimes ? 1 : nil,
                end: hasTimes ? 2 : nil)
        }
        if chance(50) { metrics.groups = [FieldExpression(.intrinsic(.name, ofParent: false))] }
        if chance(50) { metrics.secondStages.append(.top(3)) }
        if chance(50) { metrics.secondStages.append(.filter(pick(Self.comparisons), .float(-1.5))) }
        return metrics
    }

    mutating func anyQuery() -> TraceQLQuery {
        TraceQLQuery(
            stages: anyStages(3), metrics: chance(20) ? anyMetrics() : nil,
            hints: chance(20) ? [QueryHint("most_recent", .bool(true)), QueryHint("x", anyLiteral())] : [])
    }

    // MARK: - What can be evaluated

    private mutating func attribute() -> FieldExpression {
        let ofParent = !isSpanOnly && chance(15)
        let scopes: [AttributeScope] = ofParent ? [.any, .span, .resource] : Array(AttributeScope.allCases)
        let name = pick(["a", "b", "c", "list", "flag", "missing", "s"])
        return FieldExpression(.attribute(AttributeReference(pick(scopes), name, ofParent: ofParent)))
    }

    private mutating func number(_ depth: Int) -> FieldExpression {
        if depth > 0, chance(25) {
            let binary = pick([FieldOperator.add, .subtract, .multiply, .divide, .modulo, .power])
            return FieldExpression(.binary(binary, number(depth - 1), number(depth - 1)))
        }
        if depth > 0, chance(8) { return FieldExpression(.negation(attribute())) }
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return FieldExpression(.literal(.int(Int64.random(in: -3...4, using: &random))))
        case 1: return FieldExpression(.literal(.float(pick([0, 0.5, 1, 2, -1.5]))))
        case 2: return FieldExpression(.literal(.duration(pick([1, 2, 3, 1_000_000]))))
        case 3:
            var intrinsics: [Intrinsic] = [.duration, .eventTimeSinceStart]
            if !isSpanOnly {
                intrinsics += [.traceDuration, .childCount, .nestedSetLeft, .nestedSetParent, .nestedSetRight]
            }
            let intrinsic = pick(intrinsics)
            return FieldExpression(.intrinsic(intrinsic, ofParent: !isSpanOnly && intrinsic == .duration && chance(30)))
        default: return attribute()
        }
    }

    private mutating func string() -> FieldExpression {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return FieldExpression(.literal(.string(pick(["x", "y", "xy", "", "op", "svc"]))))
        case 1:
            var intrinsics: [Intrinsic] = [
                .name, .statusMessage, .eventName, .instrumentationName, .instrumentationVersion, .spanID, .parentID,
            ]
            if !isSpanOnly { intrinsics += [.rootName, .rootService] }
            return FieldExpression(.intrinsic(pick(intrinsics), ofParent: false))
        default: return attribute()
        }
    }

    mutating func condition(_ depth: Int) -> FieldExpression {
        if depth > 0, chance(45) {
            let binary: FieldOperator = chance(50) ? .and : .or
            return FieldExpression(.binary(binary, condition(depth - 1), condition(depth - 1)))
        }
        if depth > 0, chance(10) { return FieldExpression(.not(condition(depth - 1))) }
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1, 2: return FieldExpression(.binary(pick(Self.comparisons), number(2), number(2)))
        case 3, 4: return FieldExpression(.binary(pick(Self.comparisons), string(), string()))
        case 5:
            let pattern = pick(["x", "x.*", ".*", "", "[xy]+", "op|svc", "0+[1-5]"])
            return FieldExpression(
                .binary(chance(50) ? .matches : .doesNotMatch, string(), FieldExpression(.literal(.string(pattern)))))
        case 6:
            let field =
                chance(70) ? attribute() : FieldExpression(.intrinsic(pick([.parentID, .eventName]), ofParent: false))
            return FieldExpression(.binary(chance(50) ? .equal : .notEqual, field, FieldExpression(.literal(.null))))
        case 7:
            if chance(50) {
                return FieldExpression(
                    .binary(
                        chance(50) ? .equal : .notEqual, FieldExpression(.intrinsic(.status, ofParent: false)),
                        FieldExpression(.literal(.status(pick(Array(StatusCode.allCases)))))))
            }
            return FieldExpression(
                .binary(
                    chance(50) ? .equal : .notEqual, FieldExpression(.intrinsic(.kind, ofParent: false)),
                    FieldExpression(.literal(.kind(pick(Array(SpanKind.allCases)))))))
        default: return chance(70) ? attribute() : FieldExpression(.literal(.bool(chance(60))))
        }
    }

    mutating func spansets(_ depth: Int, structural: Bool) -> SpansetExpression {
        if depth == 0 || chance(40) { return SpansetExpression(.filter(chance(10) ? nil : condition(2))) }
        let binary = structural ? pick(Array(SpansetOperator.allCases)) : pick([.and, .or])
        return SpansetExpression(
            .operation(
                binary, spansets(depth - 1, structural: structural), spansets(depth - 1, structural: structural)))
    }

    /// A pipeline that a sampler can decide from bits.
    mutating func simpleQuery() -> TraceQLQuery {
        TraceQLQuery(
            stages: (0..<Int.random(in: 1...3, using: &random)).map { _ in .spansets(spansets(2, structural: false)) })
    }

    /// A pipeline of every kind of stage.
    mutating func fullQuery() -> TraceQLQuery {
        var isGrouped = false
        var stages: [QueryStage] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                stages.append(.group(chance(50) ? attribute() : FieldExpression(.intrinsic(.kind, ofParent: false))))
                isGrouped = true
            case 1 where !stages.isEmpty:
                stages.append(.coalesce)
                isGrouped = false
            case 2, 3:
                let function = pick(Array(AggregateFunction.allCases))
                var field: FieldExpression?
                if function != .count {
                    field = chance(50) ? attribute() : FieldExpression(.intrinsic(.duration, ofParent: false))
                }
                let literal: FieldLiteral = pick([.int(0), .int(1), .int(2), .float(1.5), .duration(2)])
                stages.append(
                    .scalarFilter(
                        ScalarFilter(
                            pick(Self.comparisons), ScalarExpression(.aggregate(Aggregate(function, field))),
                            ScalarExpression(.literal(literal)))))
            default: stages.append(.spansets(spansets(3, structural: !isGrouped)))
            }
        }
        return TraceQLQuery(stages: stages)
    }

    // MARK: - Traces

    private mutating func value() -> AttributeValue {
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: .string(pick(["x", "y", "xy", "", "op"]))
        case 2, 3, 4: .int(Int64.random(in: -2...4, using: &random))
        case 5: .double(pick([0.5, 1, 2, -1.5]))
        case 6: .bool(chance(50))
        case 7:
            .array(
                (0..<Int.random(in: 0...3, using: &random)).map { _ in .int(Int64.random(in: 0...3, using: &random)) })
        case 8: .array([.string(pick(["x", "y"])), .string("xy")])
        case 9: .map([Attribute("a", .int(1))])
        case 10: .empty
        // Longer than a length of one byte can say.
        default: .string(String(repeating: "x", count: pick([1, 127, 200])))
        }
    }

    private mutating func attributes() -> [Attribute] {
        (0..<Int.random(in: 0...4, using: &random)).map { _ in
            Attribute(pick(["a", "b", "c", "list", "flag", "s", "other"]), value())
        }
    }

    /// A trace with missing parents, several roots and circles now and then.
    mutating func trace() -> [ResourceSpans] {
        let count = Int.random(in: 1...8, using: &random)
        let ids = (1...count).map { UInt64($0) }
        return (0..<Int.random(in: 1...2, using: &random)).map { part -> ResourceSpans in
            // The second resource has every other span; without it these are missing.
            let spans = ids.filter { $0 % 2 == UInt64(part) }
            return ResourceSpans(
                resource: Resource(
                    attributes: attributes() + [Attribute("service.name", .string(pick(["svc", "x"])))]),
                scopeSpans: [
                    ScopeSpans(
                        scope: InstrumentationScope(
                            name: pick(["x", ""]), version: pick(["", "1"]), attributes: attributes()),
                        spans: spans.map { span($0, count) })
                ])
        }
    }

    private mutating func span(_ id: UInt64, _ count: Int) -> Span {
        let start = 1000 + UInt64.random(in: 0...3, using: &random)
        return Span(
            traceID: TraceID(high: 0, low: 7), spanID: SpanID(id),
            parentSpanID: SpanID(chance(20) ? 0 : UInt64.random(in: 1...UInt64(count + 2), using: &random)),
            name: pick(["op", "x", "xy"]), kind: pick(Array(SpanKind.allCases)), startTime: start,
            endTime: start + UInt64.random(in: 0...3, using: &random), attributes: attributes(),
            events: (0..<pick([0, 0, 1, 2])).map { _ in
                SpanEvent(
                    time: start + UInt64.random(in: 0...3, using: &random) - 1, name: pick(["x", "y"]),
                    attributes: attributes())
            },
            links: (0..<pick([0, 0, 1, 2])).map { _ in
                SpanLink(traceID: TraceID(high: 0, low: 7), spanID: SpanID(1), attributes: attributes())
            },
            status: SpanStatus(code: pick(Array(StatusCode.allCases)), message: pick(["", "x"])))
    }
}
