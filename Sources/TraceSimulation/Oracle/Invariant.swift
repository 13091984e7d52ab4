/// The invariants of spec/delivery.md, section 8.
package enum Invariant: String, Sendable, CaseIterable {
    case noLoss = "I1 no loss"
    case noReplayDoubling = "I2 no replay doubling"
    case watermark = "I3 the watermark moves forward only, and passes nothing that is not durable"
    case manifestNamesWholeFiles = "I4 a manifest names only whole and durable files"
    case oneDecision = "I5 one decision per trace"
    case wholeTrace = "I6 all spans of before the decision share its fate"
    case decisionStability = "I7 a decision is the same after a restart"
    case boundedLag = "I8 bounded lag"
    case revokedIsSilent = "I9 a revoked task publishes and commits nothing"
    case fencing = "I10 a stale owner changes nothing that a reader sees"
    case keptPartitions = "I11 kept partitions are untouched by a rebalance"
    case idlePartition = "I12 the last traces of an idle partition close"
    case catchUpEquivalence = "I13 catching up gives the same decisions"
    case lossIsReported = "I14 records that are gone are reported"
    case poisonRecord = "I15 a bad record is passed only after its dead letter is durable"
    case ledgerEquation = "I16 the ledger adds up"
    case memoryBudget = "I17 memory stays within its budget"
    case upstreamDuplicates = "I18 duplicates are visible once, client and server both"
    case fullDisk = "I19 a full disk stops everything and loses nothing"
    case restartCost = "I20 a restart reads again only what lies behind the watermark"
}

/// What a world found wrong, first of all.
package struct Violation: Sendable, Equatable, CustomStringConvertible {
    package var invariant: Invariant
    package var explanation: String
    /// Virtual time, microseconds, and number of the step (system calls and messages of all workers together).
    package var time: Int64
    package var step: Int

    package var description: String {
        "\(invariant.rawValue): \(explanation) (step \(step), \(Double(time / 1000) / 1000) s of virtual time)"
    }
}
