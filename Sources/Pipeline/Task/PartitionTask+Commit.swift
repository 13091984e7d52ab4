import OTLP
import TraceModel

extension PartitionTask {
    /// What the task's samplers hold together.
    package var gauges: SamplerGauges {
        var gauges = SamplerGauges()
        for lane in lanes { gauges.add(lane.sampler.gauges) }
        return gauges
    }
    /// Why spans cannot go to disk at present.
    package var spillError: String? { lanes.lazy.compactMap(\.sampler.gauges.spillError).first }
    package var decisionBytes: Int { lanes.reduce(0) { $0 + $1.sampler.gauges.decisionBytes } }
    package var windowBytes: Int { lanes.reduce(0) { $0 + $1.sampler.gauges.windowBytes } }
    package var openSpans: Int { lanes.reduce(0) { $0 + $1.ledger.outstandingCount } }

    /// The lowest offset whose effects are not complete in memory.
    package var low: Int64 { lanes.map(\.ledger.low).min() ?? position }

    // MARK: - Commit

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
