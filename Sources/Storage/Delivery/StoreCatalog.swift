public import Pipeline

/// A segment that a manifest names, with the partitions whose rows count: a row of a fenced task stays invisible beside its
/// neighbours' good ones.
public struct AcceptedSegment: Sendable, Equatable {
    public var reference: SegmentReference
    public var acceptedPartitions: Set<PartitionID>

    public init(reference: SegmentReference, acceptedPartitions: Set<PartitionID>) {
        self.reference = reference
        self.acceptedPartitions = acceptedPartitions
    }
}
