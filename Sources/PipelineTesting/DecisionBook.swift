import Pipeline
import TraceModel

/// What samplers have decided in a test. A decision counts once its commit group was published; one that a crash took is
/// forgotten, since the next owner makes it again.
final class DecisionBook: TaskObserver {
    struct Key: Hashable {
        var sampler: String
        var trace: TraceID
    }

    struct Entry {
        var decision: Decision
        var summary: TraceSummary
    }

    private var published: [Key: Entry] = [:]
    /// In the group that is being published.
    private var sealed: [Key: Entry] = [:]
    private var pending: [Key: Entry] = [:]
    /// Traces that have reached each stage.
    private(set) var reached: [String: Set<TraceID>] = [:]

    func decision(of trace: TraceID, by sampler: String) -> Entry? {
        let key = Key(sampler: sampler, trace: trace)
        return pending[key] ?? sealed[key] ?? published[key]
    }

    /// Everything decided so far is in the next group.
    func seal() {
        sealed.merge(pending) { $1 }
        pending = [:]
    }

    /// The group is durable.
    func publish() {
        published.merge(sealed) { $1 }
        sealed = [:]
    }

    /// A crash: what was not published is undone.
    func forgetUnpublished() {
        sealed = [:]
        pending = [:]
    }

    func kept(_ trace: KeptTrace, stage: String) {
        // Late spans follow the decision that was made.
        if trace.isLate { return }
        pending[Key(sampler: stage, trace: trace.summary.traceID)] = Entry(
            decision: trace.decision, summary: trace.summary)
    }

    func dropped(_ trace: DroppedTrace, stage: String) {
        pending[Key(sampler: stage, trace: trace.summary.traceID)] = Entry(
            decision: trace.decision, summary: trace.summary)
    }

    func rejected(_ record: RejectedRecord) {}

    func reached(_ stage: String, _ traces: Set<TraceID>) { reached[stage, default: []].formUnion(traces) }
}
