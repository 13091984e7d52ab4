public import Pipeline
public import TraceModel

/// The summaries of a segment in columns: element `row` of each belongs to row `row` of the trace table.
///
/// Columns of integers, so that a search compares integers and touches a string only for rows it returns. Immutable and
/// safe to share between threads.
public struct SegmentSummaries: Sendable {
    /// Every string of the segment once; the columns hold positions in it.
    public internal(set) var strings: [String] = []

    public internal(set) var traceIDs: [TraceID] = []
    /// Position in `partitions` of the reader.
    public internal(set) var partitionOrdinals: [UInt16] = []
    public internal(set) var startTimes: [UInt64] = []
    public internal(set) var endTimes: [UInt64] = []
    public internal(set) var spanCounts: [UInt32] = []
    public internal(set) var errorCounts: [UInt32] = []
    public internal(set) var byteCounts: [UInt64] = []
    /// Spans left out where only a trace's outline is kept; empty in a segment without outlines.
    public internal(set) var leftOutSpanCounts: [UInt32] = []
    public internal(set) var rootServices: [UInt32] = []
    public internal(set) var rootNames: [UInt32] = []
    /// Bit 0 late, bit 1 error, bit 2 has a root.
    public internal(set) var flags: [UInt16] = []

    public internal(set) var policies: [UInt32] = []
    public internal(set) var probabilities: [Double] = []
    public internal(set) var policyVersions: [UInt32] = []
    public internal(set) var triggers: [UInt8] = []
    public internal(set) var decisionTimes: [Int64] = []
    public internal(set) var reasons: [UInt32] = []

    /// A row's operations are `operations[operationStarts[row]..<operationStarts[row + 1]]`.
    public internal(set) var operationStarts: [UInt32] = [0]
    public internal(set) var operations: [OperationReference] = []
    /// A row's attributes are `attributes[attributeStarts[row]..<attributeStarts[row + 1]]`.
    public internal(set) var attributeStarts: [UInt32] = [0]
    public internal(set) var attributes: [AttributeReference] = []

    /// An operation as positions in `strings`.
    public struct OperationReference: Sendable, Hashable {
        public var service: UInt32
        public var operation: UInt32
        public var kind: SpanKind

        public init(service: UInt32, operation: UInt32, kind: SpanKind) {
            self.service = service
            self.operation = operation
            self.kind = kind
        }
    }

    /// A searchable attribute as positions in `strings`.
    public struct AttributeReference: Sendable, Hashable {
        public var key: UInt32
        public var value: UInt32

        public init(key: UInt32, value: UInt32) {
            self.key = key
            self.value = value
        }
    }

    public var rowCount: Int { traceIDs.count }

    public func isLate(_ row: Int) -> Bool { SegmentRowFlags(rawValue: flags[row]).contains(.isLate) }

    public func hasRoot(_ row: Int) -> Bool { SegmentRowFlags(rawValue: flags[row]).contains(.hasRoot) }

    public func operations(of row: Int) -> ArraySlice<OperationReference> {
        operations[Int(operationStarts[row])..<Int(operationStarts[row + 1])]
    }

    public func attributes(of row: Int) -> ArraySlice<AttributeReference> {
        attributes[Int(attributeStarts[row])..<Int(attributeStarts[row + 1])]
    }

    public func string(_ position: UInt32) -> String { strings[Int(position)] }

    public func summary(of row: Int) -> TraceSummary {
        TraceSummary(
            traceID: traceIDs[row], startTime: startTimes[row], endTime: endTimes[row],
            spanCount: Int(spanCounts[row]), errorCount: Int(errorCounts[row]),
            byteCount: Int(clamping: byteCounts[row]), rootService: string(rootServices[row]),
            rootName: string(rootNames[row]), hasRoot: hasRoot(row), leftOutSpanCount: leftOutSpanCount(row))
    }

    public func leftOutSpanCount(_ row: Int) -> Int {
        leftOutSpanCounts.isEmpty ? 0 : Int(leftOutSpanCounts[row])
    }

    /// The decision that kept the row's trace.
    public func decision(of row: Int) -> Decision {
        Decision(
            isKept: true, policy: string(policies[row]), probability: probabilities[row],
            policyVersion: policyVersions[row], trigger: Decision.Trigger(rawValue: triggers[row]) ?? .max,
            decidedAt: decisionTimes[row], reason: string(reasons[row]))
    }

    /// Memory in use, for a cache's bound; an estimate.
    public var estimatedBytes: Int {
        rowCount * 108 + operations.count * 12 + attributes.count * 8
            + strings.reduce(0) { $0 + 16 + ($1.utf8.count > 15 ? $1.utf8.count + 32 : 0) }
    }
}
