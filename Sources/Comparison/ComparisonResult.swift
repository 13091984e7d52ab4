import TraceModel

/// What two pipelines keep of the same traffic.
package struct ComparisonResult: Sendable {
    /// One side as a whole.
    package struct SideTotals: Sendable {
        package var path: String
        package var pipeline: String
        package var sampler: String
        package var kept: TraceCost
        package var droppedTraces: Int
        /// Traces of which no span reached the sampler: filters took them all.
        package var unsampledTraces: Int
        /// Spans among the kept ones that came after their trace's decision.
        package var lateSpans: Int
        /// Spans that a stage before the sampler refused.
        package var rejectedSpans: Int
        package var keptErrors: Int
        package var keptSlow: Int
    }

    /// What a policy keeps; nil on a side that does not have it.
    package struct PolicyRow: Sendable {
        package var name: String
        package var old: TraceCost?
        package var new: TraceCost?

        package var difference: TraceCost { (new ?? TraceCost()) - (old ?? TraceCost()) }
    }

    /// A trace that is named.
    package struct Example: Sendable {
        package var traceID: TraceID
        /// Of the root span, or of the first span seen where the root is missing.
        package var service: String
        package var operation: String
        package var hasRoot: Bool
        /// Nanoseconds.
        package var duration: UInt64
        package var spanCount: Int
        package var isError: Bool
        package var isSlow: Bool
        /// The policy that keeps it; nil where it is not kept.
        package var keptBy: PerSide<String?>
    }

    /// Traces with the same root operation.
    package struct OperationGroup: Sendable {
        package var service: String
        package var operation: String
        package var traces: Int
        package var errors: Int
        package var slow: Int
    }

    /// Traces that one side keeps and the other does not.
    package struct Change: Sendable {
        /// As received, of whole traces.
        package var cost = TraceCost()
        package var errors = 0
        package var slow = 0
        /// Those that matter most first: errors, then slow ones, then long ones; different root operations before more of
        /// the same.
        package var examples: [Example] = []
        /// Those with the most traces first.
        package var groups: [OperationGroup] = []
    }

    /// Traces of one kind, and which of them each side misses.
    package struct Missed: Sendable {
        package var traces = 0
        package var missed = PerSide(0)
        package var examples = PerSide<[Example]>([])
    }

    /// A service or an operation that only one side covers.
    package struct Covered: Sendable, Equatable {
        package var service: String
        /// Nil for a service as a whole.
        package var operation: String?
        /// Spans of it in the recording.
        package var spans: Int
        /// Kept traces with a span of it, on the side that covers it; nil for services.
        package var traces: Int?
    }

    package struct Coverage: Sendable {
        /// In the recording.
        package var offered = 0
        package var covered = PerSide(0)
        /// Only the new side covers them.
        package var gained: [Covered] = []
        /// Only the old side covers them.
        package var lost: [Covered] = []
    }

    /// Traces by the policies that keep them; nil for not kept.
    package struct Move: Sendable {
        package var from: String?
        package var to: String?
        package var traces: Int
    }

    package var sides: PerSide<SideTotals>
    package var offered: TraceCost
    /// Stream time from the first to the last record, milliseconds.
    package var length: Int64
    /// Spans that no side could use: without a valid trace or span id.
    package var rejectedSpans: Int
    package var policies: [PolicyRow]
    package var gained: Change
    package var lost: Change
    package var errors: Missed
    package var slow: Missed
    package var slowRule: SlowRule
    package var services: Coverage
    package var operations: Coverage
    /// How many operations are told apart, where there were more: those beyond share one entry.
    package var operationLimit: Int?
    /// Those of more traces first.
    package var moves: [Move]
    package var series: TimeSeries

    package var keptDifference: TraceCost { sides.new.kept - sides.old.kept }
}
