/// A parsed query: a pipeline over the spansets of one trace, perhaps a metric over many.
package struct TraceQLQuery: Equatable, Sendable {
    package var stages: [QueryStage]
    package var metrics: MetricsExpression?
    /// `with(key=value)`.
    package var hints: [QueryHint]

    package init(stages: [QueryStage], metrics: MetricsExpression? = nil, hints: [QueryHint] = []) {
        self.stages = stages
        self.metrics = metrics
        self.hints = hints
    }
}

/// One step of a pipeline: takes a list of spansets and gives another.
package enum QueryStage: Equatable, Sendable {
    case spansets(SpansetExpression)
    case scalarFilter(ScalarFilter)
    case group(FieldExpression)
    case coalesce
    case select([FieldExpression])
}

/// An expression that picks spans out of a spanset.
package struct SpansetExpression: Equatable, Sendable {
    package indirect enum Node: Equatable, Sendable {
        /// `{ condition }`; nil for `{}`, which every span meets.
        case filter(FieldExpression?)
        case operation(SpansetOperator, SpansetExpression, SpansetExpression)
        /// `( stage | stage )`.
        case pipeline([QueryStage])
    }

    package let node: Node
    package let range: Range<Int>
    let depth: Int

    package init(_ node: Node, at range: Range<Int> = 0..<0) {
        self.node = node
        self.range = range
        switch node {
        case .filter: depth = 1
        case .operation(_, let left, let right): depth = max(left.depth, right.depth) + 1
        case .pipeline(let stages):
            depth =
                1
                + stages.reduce(0) { deepest, stage in
                    switch stage {
                    case .spansets(let expression): max(deepest, expression.depth)
                    case .scalarFilter(let filter): max(deepest, filter.left.depth, filter.right.depth)
                    case .group, .coalesce, .select: deepest
                    }
                }
        }
    }

    package static func == (left: SpansetExpression, right: SpansetExpression) -> Bool { left.node == right.node }

    var precedence: Int {
        switch node {
        case .filter, .pipeline: Precedence.primary
        case .operation(let binary, _, _): binary.precedence
        }
    }
}

package enum AggregateFunction: String, Sendable, CaseIterable {
    case count
    case average = "avg"
    case minimum = "min"
    case maximum = "max"
    case sum
}

/// `count()`, `avg(duration)`: one number for a spanset.
package struct Aggregate: Equatable, Sendable {
    package var function: AggregateFunction
    /// Nil for `count()` only.
    package var field: FieldExpression?

    package init(_ function: AggregateFunction, _ field: FieldExpression? = nil) {
        self.function = function
        self.field = field
    }
}

/// Numbers of spansets and arithmetic on them.
package struct ScalarExpression: Equatable, Sendable {
    package indirect enum Node: Equatable, Sendable {
        /// Int, float or duration.
        case literal(FieldLiteral)
        case aggregate(Aggregate)
        case binary(FieldOperator, ScalarExpression, ScalarExpression)
        /// `( stage | aggregate )`.
        case pipeline([QueryStage], Aggregate)
    }

    package let node: Node
    package let range: Range<Int>
    let depth: Int

    package init(_ node: Node, at range: Range<Int> = 0..<0) {
        self.node = node
        self.range = range
        switch node {
        case .literal, .aggregate: depth = 1
        case .binary(_, let left, let right): depth = max(left.depth, right.depth) + 1
        case .pipeline(let stages, _): depth = SpansetExpression(.pipeline(stages)).depth
        }
    }

    package static func == (left: ScalarExpression, right: ScalarExpression) -> Bool { left.node == right.node }

    var precedence: Int {
        switch node {
        case .literal, .aggregate, .pipeline: Precedence.primary
        case .binary(let binary, _, _): binary.precedence
        }
    }
}

/// `count() > 2`: keeps the spansets whose number meets the comparison.
package struct ScalarFilter: Equatable, Sendable {
    /// A comparison other than `=~` and `!~`.
    package var comparison: FieldOperator
    package var left: ScalarExpression
    package var right: ScalarExpression
    package var range: Range<Int>

    package init(
        _ comparison: FieldOperator, _ left: ScalarExpression, _ right: ScalarExpression, at range: Range<Int> = 0..<0
    ) {
        self.comparison = comparison
        self.left = left
        self.right = right
        self.range = range
    }

    package static func == (left: ScalarFilter, right: ScalarFilter) -> Bool {
        left.comparison == right.comparison && left.left == right.left && left.right == right.right
    }
}

/// `key=value` of `with(…)`.
package struct QueryHint: Equatable, Sendable {
    package var name: String
    package var value: FieldLiteral

    package init(_ name: String, _ value: FieldLiteral) {
        self.name = name
        self.value = value
    }
}
