/// Why a partition is not read at present.
package enum PauseReason: Sendable, CaseIterable {
    /// Its decisions are being read back.
    case restoring
    /// Memory or disk is short.
    case pressure
    /// Its worker has too many records waiting.
    case throttled
}

/// Which partitions are paused, and why: one that is paused for several reasons goes on when the last of them has gone.
package struct PartitionPauses {
    private var reasons: [PartitionID: Set<PauseReason>] = [:]

    package init() {}

    package func isPaused(_ partition: PartitionID) -> Bool { reasons[partition] != nil }

    /// - Returns: those that were not paused before.
    package mutating func pause(_ partitions: [PartitionID], for reason: PauseReason) -> [PartitionID] {
        partitions.filter { partition in
            defer { reasons[partition, default: []].insert(reason) }
            return reasons[partition] == nil
        }
    }

    /// - Returns: those that go on.
    package mutating func resume(_ partitions: [PartitionID], for reason: PauseReason) -> [PartitionID] {
        partitions.filter { partition in
            guard reasons[partition]?.remove(reason) != nil, reasons[partition]?.isEmpty == true else { return false }
            reasons[partition] = nil
            return true
        }
    }

    /// The partitions have gone.
    package mutating func forget(_ partitions: [PartitionID]) {
        for partition in partitions { reasons[partition] = nil }
    }
}
