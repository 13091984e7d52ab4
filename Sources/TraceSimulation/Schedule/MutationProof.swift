import Pipeline

/// Looks for the seeds that find deliberate bugs.
package enum MutationProof {
    /// The bugs that can be switched on; empty in release builds.
    package static var names: [String] {
        #if TAILRACE_MUTATIONS
            return ProtocolMutation.allCases.map(\.rawValue)
        #else
            return []
        #endif
    }

    /// Where bugs that few seeds find were found last: looked at first, to save time. All the others follow.
    private static let likelySeeds: [String: UInt64] = [
        "foundDirectoryNotSynced": 102, "failedRenameForgotten": 102, "epochNotCheckedAfterRename": 620,
        "epochNotExclusive": 68, "decisionFileKeptAcrossEpochs": 267, "fencedOwnerGoesOn": 306,
        "streamTimeNotRestored": 205,
    ]

    /// - Returns: the first world that finds the bug, with what it found; nil where none of the seeds does.
    package static func find(
        _ mutation: String, seeds: ClosedRange<UInt64>
    ) -> (world: Reproduction, violation: Violation)? {
        let likely = likelySeeds[mutation].map { [$0] } ?? []
        let worlds = (likely.filter(seeds.contains) + Array(seeds)).map { Reproduction(seed: $0, mutation: mutation) }
        // The likely one by itself: a second thread would begin with worlds that are not wanted then.
        if !likely.isEmpty, let first = worlds.first, let violation = first.run().violation { return (first, violation) }
        let violations = ParallelWorlds.map(worlds, until: { $0 != nil }) { $0.run().violation }
        for (world, violation) in zip(worlds, violations) {
            if let violation { return (world, violation) }
        }
        return nil
    }
}
