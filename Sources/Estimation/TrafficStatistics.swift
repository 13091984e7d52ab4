/// All traffic as estimated from kept traces: what an answer or a table shows of one group.
public struct TrafficEstimate: Sendable, Equatable {
    /// Kept traces, and those of them with an error: what the estimates rest on.
    public var sampleCount: Int
    public var sampleErrorCount: Int
    public var traces: Estimate
    public var errorTraces: Estimate
    public var spans: Estimate
    /// 0…1; nil without traces.
    public var errorRate: Estimate?
    /// Nanoseconds, for each of `TrafficEstimate.percentiles`; nil without traces.
    public var durations: [Estimate?]

    /// What is told of durations.
    public static let percentiles = [0.5, 0.9, 0.95, 0.99]
    /// Share of the intervals that contain the true value.
    public static let confidence = 0.95

    public init(_ estimator: TrafficEstimator) {
        sampleCount = estimator.sampleCount
        sampleErrorCount = estimator.sampleErrorCount
        (traces, errorTraces, errorRate) = estimator.countsAndRate
        spans = estimator.spanCount
        durations = estimator.percentiles(Self.percentiles)
        // None seen is not none there.
        guard sampleCount == 0 else { return }
        traces.upper = .infinity
        errorTraces.upper = .infinity
        spans.upper = .infinity
    }
}

/// All traffic as counted: kept traces, and the summaries of dropped ones.
public struct TrafficCount: Sendable, Equatable {
    public var traces: UInt64 = 0
    public var errorTraces: UInt64 = 0
    public var spans: UInt64 = 0
    /// Nanoseconds, for each of `TrafficEstimate.percentiles`; nil where they were not counted.
    public var durations: [Double?] = []

    public init() {}

    /// 0…1; nil without traces.
    public var errorRate: Double? { traces > 0 ? Double(errorTraces) / Double(traces) : nil }
}

/// One group of traffic, estimated and counted.
public struct TrafficRow: Sendable, Equatable {
    /// Of the root span; nil where the group is not of one service.
    public var service: String?
    /// Of the root span; nil where the group is not of one operation.
    public var operation: String?
    public var estimate: TrafficEstimate
    /// Nil where dropped traces were not counted.
    public var exact: TrafficCount?

    public init(service: String? = nil, operation: String? = nil, estimate: TrafficEstimate, exact: TrafficCount?) {
        self.service = service
        self.operation = operation
        self.estimate = estimate
        self.exact = exact
    }
}
