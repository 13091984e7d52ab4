/// Traffic of which every trace is known, by the service or operation of the traces' roots: what the kept ones say of it,
/// beside the exact figures.
///
/// Fed with every decided trace: the kept ones with their probability, the dropped ones by their summaries. Holds 24 bytes
/// per trace. A value; not synchronised.
public struct GroupedTraffic: Sendable {
    public enum Grouping: String, Sendable, CaseIterable {
        /// Everything in one row.
        case all
        case service, operation
    }

    private struct Key: Hashable {
        var service: String?
        var operation: String?
    }

    private struct Group {
        var sample = TrafficEstimator()
        var count = TrafficCount()
        /// Nanoseconds, of all traces.
        var durations: [UInt64] = []
    }

    public let grouping: Grouping
    private var groups: [Key: Group] = [:]

    public init(by grouping: Grouping) { self.grouping = grouping }

    /// Counts a trace.
    ///
    /// - Parameters:
    ///   - probability: with which it was kept, in (0, 1]; nil for a dropped trace.
    ///   - duration: nanoseconds.
    public mutating func add(
        service: String, operation: String, probability: Double?, isError: Bool, duration: UInt64, spanCount: Int
    ) {
        let key = Key(
            service: grouping == .all ? nil : service, operation: grouping == .operation ? operation : nil)
        var group = groups.removeValue(forKey: key) ?? Group()
        group.count.traces &+= 1
        if isError { group.count.errorTraces &+= 1 }
        group.count.spans &+= UInt64(max(0, spanCount))
        group.durations.append(duration)
        if let probability {
            group.sample.add(probability: probability, isError: isError, duration: duration, spanCount: spanCount)
        }
        groups[key] = group
    }

    /// The groups with the most traces first; equal ones by name.
    public var rows: [TrafficRow] {
        var population = SampledPopulation()
        for group in groups.values { group.sample.join(&population) }
        return groups.map { key, group in
            var exact = group.count
            let sorted = group.durations.sorted()
            exact.durations = TrafficEstimate.percentiles.map { share in
                sorted.isEmpty ? nil : Double(sorted[NearestRank.index(share, of: sorted.count)])
            }
            return TrafficRow(
                service: key.service, operation: key.operation,
                estimate: TrafficEstimate(
                    group.sample.part(of: population),
                    droppedCount: group.count.traces &- UInt64(group.sample.sampleCount)),
                exact: exact)
        }.sorted { left, right in
            let (leftCount, rightCount) = (left.exact?.traces ?? 0, right.exact?.traces ?? 0)
            return leftCount == rightCount
                ? (left.service ?? "", left.operation ?? "") < (right.service ?? "", right.operation ?? "")
                : leftCount > rightCount
        }
    }
}

extension TrafficEstimate {
    /// Estimates of traffic of which it is known that traces were dropped.
    ///
    /// Where no kept trace stands for any of them the sample says nothing of the dropped ones, not even that they exist: the
    /// intervals have no upper end then.
    public init(_ estimator: TrafficEstimator, droppedCount: UInt64) {
        self.init(estimator)
        guard droppedCount > 0, estimator.sampledCount == 0 else { return }
        traces.upper = .infinity
        errorTraces.upper = .infinity
        spans.upper = .infinity
        errorRate = errorRate.map { Estimate(value: $0.value, lower: 0, upper: 1) }
        durations = durations.map { duration in
            duration.map { Estimate(value: $0.value, lower: 0, upper: .infinity) }
        }
    }
}
