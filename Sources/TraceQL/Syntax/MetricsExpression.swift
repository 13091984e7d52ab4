package enum MetricsFunction: String, Sendable, CaseIterable {
    case rate
    case countOverTime = "count_over_time"
    case minOverTime = "min_over_time"
    case maxOverTime = "max_over_time"
    case sumOverTime = "sum_over_time"
    case averageOverTime = "avg_over_time"
    case quantileOverTime = "quantile_over_time"
    case histogramOverTime = "histogram_over_time"
    case compare

    /// Whether its first argument is a number of each span.
    var takesField: Bool {
        switch self {
        case .rate, .countOverTime, .compare: false
        default: true
        }
    }
}

/// A metric over the spans that a query finds. Parsed and checked here; evaluated where series are made.
package struct MetricsExpression: Equatable, Sendable {
    package struct Comparison: Equatable, Sendable {
        /// Spans that meet it are held against those that do not.
        package var selection: SpansetExpression
        package var topCount: Int64?
        /// Nanoseconds since the Unix epoch.
        package var start: Int64?
        package var end: Int64?
    }

    /// What is done with the series of the metric.
    package enum SecondStage: Equatable, Sendable {
        case top(Int64)
        case bottom(Int64)
        case filter(FieldOperator, FieldLiteral)
    }

    package var function: MetricsFunction
    package var field: FieldExpression?
    /// 0…1, for `quantile_over_time`.
    package var quantiles: [Double]
    /// For `compare`.
    package var comparison: Comparison?
    package var groups: [FieldExpression]
    package var secondStages: [SecondStage]
    package var range: Range<Int>

    package init(
        _ function: MetricsFunction, field: FieldExpression? = nil, quantiles: [Double] = [],
        comparison: Comparison? = nil, groups: [FieldExpression] = [], secondStages: [SecondStage] = [],
        at range: Range<Int> = 0..<0
    ) {
        self.function = function
        self.field = field
        self.quantiles = quantiles
        self.comparison = comparison
        self.groups = groups
        self.secondStages = secondStages
        self.range = range
    }

    package static func == (left: MetricsExpression, right: MetricsExpression) -> Bool {
        left.function == right.function && left.field == right.field && left.quantiles == right.quantiles
            && left.comparison == right.comparison && left.groups == right.groups
            && left.secondStages == right.secondStages
    }
}
