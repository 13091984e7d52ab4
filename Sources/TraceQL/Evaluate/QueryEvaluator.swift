import TraceModel

/// Evaluates a query on whole traces: a list of spansets goes through the stages, at first one with all spans.
///
/// Keeps its buffers and what the regular expressions have learned from trace to trace. One thread at a time.
package final class QueryEvaluator {
    indirect enum SpansetNode {
        case all
        case filter(Int)
        case operation(SpansetOperator, SpansetNode, SpansetNode)
        case pipeline([StageNode])
    }

    enum StageNode {
        case spansets(SpansetNode)
        case aggregate(AggregateFunction, field: Int?, FieldOperator, FieldValue, name: String)
        case group(Int, name: String)
        case coalesce
    }

    /// A spanset while stages are applied; spans ascend.
    struct Group {
        var spans: [Int32]
        var attributes: [Spanset.Attribute] = []
    }

    private let program: FilterProgram
    private let stages: [StageNode]
    /// The fields of all `select` stages, each once.
    package let columns: [FieldExpression]
    private let columnNodes: [Int]

    /// - Parameter query: parsed and checked; its metrics are not evaluated here.
    package init(_ query: TraceQLQuery) {
        var columns: [FieldExpression] = []
        for case .select(let fields) in query.stages {
            for field in fields where !columns.contains(field) { columns.append(field) }
        }
        self.columns = columns
        var compiler = FilterCompiler()
        var columnNodes: [Int] = []
        for column in columns { columnNodes.append(compiler.add(column)) }
        self.columnNodes = columnNodes
        stages = Self.compile(query.stages, &compiler)
        program = FilterProgram(compiler)
    }

    // MARK: - Compiling

    private static func compile(_ stages: [QueryStage], _ compiler: inout FilterCompiler) -> [StageNode] {
        var nodes: [StageNode] = []
        for stage in stages {
            if let node = compile(stage, &compiler) { nodes.append(node) }
        }
        return nodes
    }

    private static func compile(_ stage: QueryStage, _ compiler: inout FilterCompiler) -> StageNode? {
        switch stage {
        case .spansets(let expression): return .spansets(compile(expression, &compiler))
        case .coalesce: return .coalesce
        case .select: return nil
        case .group(let field): return .group(compiler.add(field), name: QueryFormatter.text(stage))
        case .scalarFilter(let filter):
            // The type checker lets no other form through.
            guard case .aggregate(let aggregate) = filter.left.node, case .literal(let literal) = filter.right.node
            else {
                return nil
            }
            var field: Int?
            if let expression = aggregate.field { field = compiler.add(expression) }
            return .aggregate(
                aggregate.function, field: field, filter.comparison, compiler.constant(literal),
                name: QueryFormatter.text(aggregate))
        }
    }

    private static func compile(_ expression: SpansetExpression, _ compiler: inout FilterCompiler) -> SpansetNode {
        switch expression.node {
        case .filter(nil): .all
        case .filter(let condition?): .filter(compiler.add(condition))
        case .operation(let binary, let left, let right):
            .operation(binary, compile(left, &compiler), compile(right, &compiler))
        case .pipeline(let stages): .pipeline(compile(stages, &compiler))
        }
    }

    // MARK: - Evaluating

    package func evaluate(_ trace: QueryTrace) -> QueryResult {
        let groups = run(trace)
        return QueryResult(
            spansets: groups.map { Spanset(spans: $0.spans.map { Int($0) }, attributes: $0.attributes) })
    }

    /// Whether the query finds anything in the trace.
    package func matches(_ trace: QueryTrace) -> Bool { !run(trace).isEmpty }

    /// The values of `columns` for a span of the trace.
    package func values(of span: Int, in trace: QueryTrace) -> [QueryValue] {
        columnNodes.map { QueryValue(program.value($0, trace.spans[span], in: trace)) }
    }

    private func run(_ trace: QueryTrace) -> [Group] {
        if trace.count == 0 { return [] }
        return apply(stages, [Group(spans: (0..<trace.count).map { Int32($0) })], trace)
    }

    private func apply(_ stages: [StageNode], _ groups: [Group], _ trace: QueryTrace) -> [Group] {
        var groups = groups
        for stage in stages {
            if groups.isEmpty { return [] }
            switch stage {
            case .spansets(let node): groups = groups.flatMap { apply(node, $0, trace) }
            case .aggregate(let function, let field, let comparison, let constant, let name):
                groups = groups.compactMap { group in
                    guard let value = aggregate(function, field, group, trace),
                        FieldValue.compare(value, comparison, constant)
                    else { return nil }
                    var group = group
                    group.attributes.append(Spanset.Attribute(name: name, value: QueryValue(value)))
                    return group
                }
            case .group(let field, let name): groups = groups.flatMap { split($0, by: field, name, trace) }
            case .coalesce: groups = [Group(spans: union(groups))]
            }
        }
        return groups
    }

    private func apply(_ node: SpansetNode, _ group: Group, _ trace: QueryTrace) -> [Group] {
        switch node {
        case .all: return [group]
        case .filter(let condition):
            let views = trace.spans
            let spans = group.spans.filter { program.isTrue(condition, views[Int($0)], in: trace) }
            return spans.isEmpty ? [] : [Group(spans: spans, attributes: group.attributes)]
        case .pipeline(let stages): return apply(stages, [group], trace)
        case .operation(let binary, let left, let right):
            let leftGroups = apply(left, group, trace)
            if binary == .and, leftGroups.isEmpty { return [] }
            let rightGroups = apply(right, group, trace)
            let spans: [Int32]
            switch binary {
            case .and:
                if rightGroups.isEmpty { return [] }
                spans = union(leftGroups + rightGroups)
            case .or: spans = union(leftGroups + rightGroups)
            default:
                // The checker has made sure that each side is one spanset at most.
                spans = SpanRelations.apply(binary, union(leftGroups), union(rightGroups), trace.tree)
            }
            return spans.isEmpty ? [] : [Group(spans: spans, attributes: group.attributes)]
        }
    }

    /// The spans of all groups, ascending, each once.
    private func union(_ groups: [Group]) -> [Int32] {
        if groups.count == 1 { return groups[0].spans }
        var spans = groups.flatMap(\.spans)
        spans.sort()
        var count = 0
        for index in spans.indices where index == 0 || spans[index] != spans[index - 1] {
            spans[count] = spans[index]
            count += 1
        }
        spans.removeSubrange(count...)
        return spans
    }

    /// Groups in the order in which their values first occur; nil is a value.
    private func split(_ group: Group, by field: Int, _ name: String, _ trace: QueryTrace) -> [Group] {
        var places: [QueryValue: Int] = [:]
        var result: [Group] = []
        let views = trace.spans
        for span in group.spans {
            let value = QueryValue(program.value(field, views[Int(span)], in: trace))
            if let place = places[value] {
                result[place].spans.append(span)
            } else {
                places[value] = result.count
                let attribute = Spanset.Attribute(name: name, value: value)
                result.append(Group(spans: [span], attributes: group.attributes + [attribute]))
            }
        }
        return result
    }

    /// The number of a spanset; nil where no span has one to offer.
    private func aggregate(
        _ function: AggregateFunction, _ field: Int?, _ group: Group, _ trace: QueryTrace
    ) -> FieldValue? {
        guard let field else { return .int(Int64(group.spans.count)) }
        var state = AggregateState()
        let views = trace.spans
        for span in group.spans { state.add(program.value(field, views[Int(span)], in: trace)) }
        return state.result(function)
    }
}
