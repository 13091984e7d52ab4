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
        "foundDirectoryNotSynced": 5, "tornAppendNotCut": 93, "failedRenameForgotten": 302,
        "epochNotCheckedAfterRename": 179, "epochNotExclusive": 46, "fencedOwnerGoesOn": 79,
        "streamTimeNotRestored": 205, "lostPartitionIsPublished": 54, "rowsOfOldEpochKept": 49, "lossNotReported": 71,
        "cutLogNotNoticed": 246, "restartedLogNotNoticed": 20, "collectorLeavesLitter": 41,
        "collectorForgetsEpochs": 31, "unreadableSpansSkipped": 843, "spillSlotShared": 64, "recordsNotHeld": 7,
        "segmentCollectedFirst": 31,
        "newPartitionNotPaused": 364, "decisionFileKeptAcrossEpochs": 2661,
    ]

    /// Worlds in which a bug can matter at all: looked at before the others.
    private static func concerns(_ mutation: String, _ plan: WorldPlan) -> Bool {
        switch mutation {
        case "lossNotReported", "cutLogNotNoticed", "restartedLogNotNoticed":
            plan.faults.contains { Fault.Kind.ofTheLog.contains($0.kind) }
        case "unreadableSpansSkipped", "spillSlotShared": plan.spill != .never
        case "repartitionedBeforeAcknowledged", "progressBeforeRecords", "recordsNotHeld": plan.isRepartitioned
        case "segmentCollectedFirst": plan.collects
        default: mutation.hasPrefix("collector") ? plan.collects : true
        }
    }

    /// - Returns: the first world that finds the bug, with what it found; nil where none of the seeds does.
    package static func find(
        _ mutation: String, seeds: [UInt64]
    ) -> (world: Reproduction, violation: Violation)? {
        if let likely = likelySeeds[mutation], seeds.contains(likely) {
            // By itself: a second thread would begin with worlds that are not wanted then.
            let world = Reproduction(seed: likely, mutation: mutation)
            if let violation = world.run().violation { return (world, violation) }
        }
        let near = seeds.filter { concerns(mutation, WorldPlan(seed: $0)) }
        let far = Set(seeds).subtracting(near).sorted()
        let worlds = (near + far).map { Reproduction(seed: $0, mutation: mutation) }
        let run: @Sendable (Reproduction) -> Violation? = { $0.run().violation }
        let violations = ParallelWorlds.map(worlds, until: { $0 != nil }, run)
        for (world, violation) in zip(worlds, violations) {
            if let violation { return (world, violation) }
        }
        return nil
    }
}
