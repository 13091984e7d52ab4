public import Storage

/// Says which segments count now: what the newest manifests name. Implemented over a store directory; by a list in tests.
public protocol SegmentCatalog: Sendable {
    /// Reads the manifests again. Blocks; called by one thread at a time.
    func refresh() throws -> [AcceptedSegment]
}
