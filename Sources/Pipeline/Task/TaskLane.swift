package import TraceModel

/// One sampler of a task with the refs it has in custody, and what becomes of what it decides.
package final class TaskLane: SamplerOutput {
    /// Index of the sampler's stage in the plan in force.
    var stage: Int
    let name: String
    var sampler: any Sampler
    package internal(set) var ledger: OffsetLedger
    /// What a restart restored: below this offset everything is done for this sampler (others may owe some of it).
    var restoredLow = Int64.min
    /// Done refs from `restoredLow` on, as restored; those the replay has passed are in the ledger too.
    var restored = DoneRefs()
    private(set) var decisions: [DecisionRecord] = []
    /// Late spans since the last seal, by their trace.
    private var late: [TraceID: LateSpans] = [:]
    /// Names of the policies whose decisions wait for the seal, by their version.
    private var policyNames: [UInt32: [String]] = [:]
    /// What their details refer to; nil for what has no name.
    private var names: [DecisionName: String?] = [:]
    package var wantsDropped: Bool
    private unowned let task: PartitionTask

    init(stage: Int, name: String, sampler: any Sampler, ledger: OffsetLedger, wantsDropped: Bool, task: PartitionTask)
    {
        self.stage = stage
        self.name = name
        self.sampler = sampler
        self.ledger = ledger
        self.wantsDropped = wantsDropped
        self.task = task
    }

    /// Whether a ref was done before a restart.
    func restoredSpans(of offset: Int64) -> DoneRefs.Spans? {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .doneRefsOffByOne { return restored.spans(of: offset + 1) }
        #endif
        return offset < restoredLow ? .all : restored.spans(of: offset)
    }

    /// Forgets what was done before a restart at and behind an offset: the log has, or will have, other records there.
    func forgetRestored(from offset: Int64) {
        restored = restored.before(offset)
        restoredLow = min(restoredLow, offset)
    }

    /// What the manifest says of this sampler. A replay that has not caught up must not forget what lies before it.
    func entry(position: Int64) -> LaneEntry {
        var done = ledger.doneRefs()
        done.append(restored, from: position)
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .doneRefsForgotten { done = DoneRefs() }
        #endif
        return LaneEntry(
            sampler: name, low: max(ledger.low, restoredLow), done: done, samplerState: sampler.state)
    }

    /// What was decided since the last seal.
    func takeDecisions() -> LaneDecisions {
        defer {
            decisions = []
            late = [:]
            policyNames = [:]
            names = [:]
        }
        return LaneDecisions(
            sampler: name, records: decisions, lateSpans: late.values.sorted { $0.traceID < $1.traceID },
            policyNames: policyNames, names: names.compactMapValues { $0 })
    }

    private func countLate(_ traceID: TraceID, isKept: Bool, spans: Int) {
        late[traceID, default: LateSpans(traceID: traceID, isKept: isKept, count: 0)].count &+= UInt32(clamping: spans)
    }

    // MARK: - SamplerOutput

    package func kept(_ trace: KeptTrace, duplicates: Int) {
        task.counters.duplicate += UInt64(duplicates)
        if trace.isLate {
            task.counters.lateKept += UInt64(trace.summary.spanCount)
            countLate(trace.summary.traceID, isKept: true, spans: trace.summary.spanCount)
        } else {
            task.counters.kept += UInt64(trace.summary.spanCount)
            task.counters.keptTraces += 1
        }
        task.counters.keptBytes += UInt64(trace.payload.count)
        task.emit(trace, from: stage)
    }

    package func dropped(spans: Int) {
        task.counters.dropped += UInt64(spans)
        task.counters.droppedTraces += 1
    }

    package func leftOut(spans: Int) {
        task.counters.dropped += UInt64(spans)
    }

    package func dropped(_ trace: DroppedTrace) {
        task.emit(trace, from: stage)
    }

    package func lateDropped(spans: Int) {
        task.counters.lateDropped += UInt64(spans)
    }

    package func lateDropped(_ traceID: TraceID, spans: Int) {
        countLate(traceID, isKept: false, spans: spans)
    }

    package func done(offset: Int64, firstIndex: UInt32, count: UInt32) {
        ledger.done(offset: offset, firstIndex: firstIndex, count: count)
    }

    package func decided(_ record: DecisionRecord) {
        if record.trigger == .memory { task.counters.earlyTraces += 1 }
        if policyNames[record.policyVersion] == nil {
            // Asked for once per flush: a reload may change the list under the same sampler.
            policyNames[record.policyVersion] = sampler.policyCounters.map(\.name)
        }
        for name in DecisionName.all(in: record) where names[name] == nil {
            names[name] = .some(sampler.text(of: name))
        }
        decisions.append(record)
    }
}

/// Sees what a task decides; used by `tailrace decide` and by tests.
package protocol TaskObserver: AnyObject {
    func kept(_ trace: KeptTrace, stage: String)
    func dropped(_ trace: DroppedTrace, stage: String)
    func rejected(_ record: RejectedRecord)
    /// Spans, or a kept trace, of these traces have reached a stage behind the source.
    func reached(_ stage: String, _ traces: Set<TraceID>)
}

extension TaskObserver {
    package func reached(_ stage: String, _ traces: Set<TraceID>) {}
}
