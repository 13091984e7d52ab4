public import Estimation

/// Which traffic to measure. What is nil is no condition.
public struct TrafficQuery: Sendable, Equatable {
    public enum Grouping: String, Sendable, CaseIterable {
        case service, operation
    }

    public static let defaultLimit = 100
    public static let maximumLimit = 1000

    /// Service of the root span.
    public var service: String?
    /// Name of the root span.
    public var operation: String?
    /// The trace started at or after this time, nanoseconds since the Unix epoch; taken down to a whole period.
    public var from: UInt64?
    /// The trace started before this time; taken up to a whole period.
    public var to: UInt64?
    public var grouping: Grouping?
    /// Groups in the answer: those with the most traffic.
    public var limit = TrafficQuery.defaultLimit

    public init() {}
}

/// Traffic as kept traces let estimate it, and as it was counted.
public struct TrafficStatistics: Sendable {
    public var total: TrafficRow
    /// Most traffic first; empty without a grouping.
    public var groups: [TrafficRow]
    public var hasMoreGroups: Bool
    /// The times that were measured, nanoseconds since the Unix epoch: whole periods. Nil where there is no bound.
    public var from: UInt64?
    public var to: UInt64?
    /// Why there are no exact counts, and what to do; nil where there are.
    public var exactProblem: String?
    public var unreadableSegments: [SegmentProblem]
}
