#if TAILRACE_MUTATIONS
    /// A deliberate bug in the delivery protocol, switched on in test builds only: the simulator must find each of them, which
    /// shows that it would find such a bug. docs/simulation.md lists them with the invariant that catches each.
    ///
    /// `TAILRACE_MUTATIONS` is defined in debug builds; release builds have none of this.
    package enum ProtocolMutation: String, CaseIterable, Sendable {
        // Files
        case contentsNotSynced
        case appendNotSynced
        case directoryNotSynced
        case foundDirectoryNotSynced
        case tornAppendNotCut
        // Commit group
        case manifestBeforeSegment
        case deadLetterAfterManifest
        case deadLetterNotInGroup
        case flushErrorIgnored
        case decisionsNotWritten
        case failedRenameForgotten
        case commitBeforePublish
        // Ownership
        case epochNotChecked
        case epochNotCheckedAfterRename
        case epochNotExclusive
        case takeOverLooksOnce
        case takeOverNotSynced
        case decisionFileKeptAcrossEpochs
        case fencedOwnerGoesOn
        case readerAcceptsAnyEpoch
        // Restart
        case restartFromCommittedOffset
        case decisionsNotRestored
        case streamTimeNotRestored
        case doneRefsForgotten
        case doneRefsOffByOne
        // Revoke
        case lostPartitionIsPublished
        case revokedTaskStays
        case revokeTakesEverything
        case rowsOfOldEpochKept
        case restoreNotCancelled
        // Ledger, window, memory
        case watermarkFromTail
        case rejectedCountedTwice
        case lateSpanForgetsDecision
        case lateSpanForgetsOutline
        case duplicatesWithoutKind
        case duplicatesKept
        case longWindowStaysOpen
        case idleClockRunsAhead
        case pauseForgotten
        case newPartitionNotPaused
        case budgetIgnored
        // The log
        case lossNotReported
        case cutLogNotNoticed
        case restartedLogNotNoticed
        // Windows on disk
        case unreadableSpansSkipped
        case spillSlotShared
        // Collection
        case collectorLeavesLitter
        case collectorForgetsRows
        case collectorForgetsParents
        case collectorForgetsEpochs
        case collectorForgetsDecisions
        case collectorTakesOthersFiles
        case segmentCollectedFirst
        // Repartition
        case repartitionedBeforeAcknowledged
        case progressBeforeRecords
        case recordsNotHeld

        /// The bug that is switched on for what runs inside; nil for none.
        @TaskLocal package static var active: ProtocolMutation?
    }
#endif
