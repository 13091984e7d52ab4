/// Traffic by service or operation: what the kept traces say of it, with 95 % confidence intervals, beside the exact figures.
///
/// Fed with every decided trace: the kept ones with their probability, the dropped ones by their summaries. A group is the
/// service and the operation of the traces' roots. Holds 24 bytes per trace. A value; not synchronised.
public struct TrafficStatistics: Sendable {
    /// What a row is about.
    public enum Grouping: String, Sendable, CaseIterable {
        /// Everything in one row.
        case all
        /// One row per service.
        case service
        /// One row per service and operation.
        case operation
    }

    /// Of the traces' roots; a name is empty where the grouping does not ask for it.
    public struct Group: Sendable, Hashable, Comparable {
        public var service: String
        public var operation: String

        public init(service: String, operation: String) {
            self.service = service
            self.operation = operation
        }

        public static func < (left: Group, right: Group) -> Bool {
            (left.service, left.operation) < (right.service, right.operation)
        }
    }

    /// One line of the answer.
    public struct Row: Sendable {
        public var group: Group
        /// From the kept traces.
        public var estimate: TrafficEstimator
        /// From all traces.
        public var exact: ExactTraffic
    }

    public let grouping: Grouping
    private var groups: [Group: Row] = [:]

    public init(by grouping: Grouping) { self.grouping = grouping }

    /// Counts a kept trace, in the estimate and in the exact figures.
    ///
    /// - Parameters:
    ///   - probability: with which it was kept, in (0, 1].
    ///   - duration: nanoseconds.
    public mutating func addKept(
        service: String, operation: String, probability: Double, isError: Bool, duration: UInt64, spanCount: Int
    ) {
        with(service, operation) { row in
            row.estimate.add(probability: probability, isError: isError, duration: duration, spanCount: spanCount)
            row.exact.add(isError: isError, duration: duration, spanCount: spanCount)
        }
    }

    /// Counts a dropped trace by its summary.
    ///
    /// - Parameter duration: nanoseconds.
    public mutating func addDropped(
        service: String, operation: String, isError: Bool, duration: UInt64, spanCount: Int
    ) {
        with(service, operation) { $0.exact.add(isError: isError, duration: duration, spanCount: spanCount) }
    }

    /// The groups with the most traces first; equal ones by name.
    public var rows: [Row] {
        groups.values.sorted { left, right in
            left.exact.count == right.exact.count
                ? left.group < right.group : left.exact.count > right.exact.count
        }
    }

    private mutating func with(_ service: String, _ operation: String, _ body: (inout Row) -> Void) {
        let group = Group(
            service: grouping == .all ? "" : service, operation: grouping == .operation ? operation : "")
        body(&groups[group, default: Row(group: group, estimate: TrafficEstimator(), exact: ExactTraffic())])
    }
}

/// Counts, error rate and percentiles of traces that are all known.
public struct ExactTraffic: Sendable {
    public private(set) var count = 0
    public private(set) var errorCount = 0
    public private(set) var spanCount = 0
    /// Nanoseconds.
    private var durations: [UInt64] = []

    public init() {}

    /// - Parameter duration: nanoseconds.
    public mutating func add(isError: Bool, duration: UInt64, spanCount: Int) {
        count += 1
        if isError { errorCount += 1 }
        self.spanCount += spanCount
        durations.append(duration)
    }

    /// Share of the traces that have an error, 0…1; nil without traces.
    public var errorRate: Double? { count == 0 ? nil : Double(errorCount) / Double(count) }

    /// The durations that these shares of the traces do not exceed (nearest rank), nanoseconds; nil without traces.
    public func percentiles(_ shares: [Double]) -> [UInt64?] {
        let sorted = durations.sorted()
        return shares.map { share in
            guard !sorted.isEmpty else { return nil }
            let rank = (min(max(share, 0), 1) * Double(sorted.count)).rounded(.up)
            return sorted[min(sorted.count, max(1, Int(rank))) - 1]
        }
    }
}
