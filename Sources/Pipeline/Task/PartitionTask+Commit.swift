extension PartitionTask {
    /// What the next manifest says of this partition, with the decisions since the last one.
    package func seal() -> CommitGroup.Task {
        isDirty = false
        var low = position
        var streamTimeAtLow = streamTime
        var entries: [LaneEntry] = []
        var decisions: [LaneDecisions] = []
        for lane in lanes {
            if let time = lane.ledger.streamTimeAtLow, lane.ledger.low < low {
                low = lane.ledger.low
                streamTimeAtLow = time
            }
        }
        for lane in lanes {
            entries.append(lane.entry(position: position))
            decisions.append(lane.takeDecisions())
        }
        let entry = TaskEntry(
            partition: partition, epoch: epoch, low: low, high: max(position, replayedBelow), lanes: entries,
            streamTime: max(streamTime, restoredStreamTime ?? .min), streamTimeAtLow: streamTimeAtLow,
            decisionFiles: neededDecisionFiles)
        return CommitGroup.Task(entry: entry, decisions: decisions)
    }

    /// Decision files with decisions that a successor still wants to know.
    package var neededDecisionFiles: [DecisionFileReference] {
        let oldest = decisionHorizonStart
        return decisionFiles.filter { $0.lastDecidedAt >= oldest }
    }
}
