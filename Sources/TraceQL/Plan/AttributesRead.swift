extension TraceQLQuery {
    /// The attributes that the answer to "does this trace match?" depends on, each once, in the order of the query.
    ///
    /// A reference of scope `any` reads its key in every scope; no query reads attributes whose keys it does not name. The
    /// attributes that `select` adds to a result, and hints, change no answer.
    ///
    /// Nil where it depends on all attributes: `compare()` holds them against each other.
    package var attributesRead: [AttributeReference]? {
        if metrics?.comparison != nil { return nil }
        var collector = AttributeCollector()
        collector.add(stages)
        for group in metrics?.groups ?? [] { collector.add(group) }
        if let field = metrics?.field { collector.add(field) }
        return collector.found
    }
}

private struct AttributeCollector {
    private(set) var found: [AttributeReference] = []

    mutating func add(_ stages: [QueryStage]) {
        for stage in stages {
            switch stage {
            case .spansets(let expression): add(expression)
            case .scalarFilter(let filter):
                add(filter.left)
                add(filter.right)
            case .group(let expression): add(expression)
            case .coalesce, .select: break
            }
        }
    }

    private mutating func add(_ expression: SpansetExpression) {
        switch expression.node {
        case .filter(let condition): if let condition { add(condition) }
        case .operation(_, let left, let right):
            add(left)
            add(right)
        case .pipeline(let stages): add(stages)
        }
    }

    private mutating func add(_ scalar: ScalarExpression) {
        switch scalar.node {
        case .literal: break
        case .aggregate(let aggregate): if let field = aggregate.field { add(field) }
        case .binary(_, let left, let right):
            add(left)
            add(right)
        case .pipeline(let stages, let aggregate):
            add(stages)
            if let field = aggregate.field { add(field) }
        }
    }

    mutating func add(_ expression: FieldExpression) {
        switch expression.node {
        case .literal: break
        case .attribute(let reference): add(reference)
        // The only intrinsic that is an attribute in OTLP.
        case .intrinsic(.rootService, _): add(AttributeReference(.resource, "service.name"))
        case .intrinsic: break
        case .not(let operand), .negation(let operand): add(operand)
        case .binary(_, let left, let right):
            add(left)
            add(right)
        }
    }

    private mutating func add(_ reference: AttributeReference) {
        // Whose attribute it is makes no difference to who may read it.
        let own = AttributeReference(reference.scope, reference.name)
        if !found.contains(own) { found.append(own) }
    }
}
