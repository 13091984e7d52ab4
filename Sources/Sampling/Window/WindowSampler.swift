public import OTLP
public import Pipeline
import TraceModel

/// The tail sampler: holds the spans of a partition by trace until a trace's window closes, then decides.
///
/// A pure state machine on stream time; no clock, no file, no thread. Per span it costs a table look-up, a copy into the
/// arena and a few accumulators; a dropped trace's bytes are never looked at again.
/// One instance per task, used by one thread.
public final class WindowSampler: Sampler {
    // Changed by a reload only.
    var settings: WindowSettings
    var policies: PolicyList
    var policyVersion: UInt32
    var context: SamplerContext
    /// What the policies of before the last reload counted.
    var earlierCounters: [PolicyCounters] = []
    let clock: (() -> UInt64)?
    var assembler: TraceAssembler
    var store: OpenTraceStore
    var memory: DecisionMemory
    var wheel: DeadlineWheel
    private var arrivals = ArrivalQueue()
    /// The last tick whose windows were closed.
    var tick: Int64 = .min
    private(set) var streamTime: Int64 = .min
    private var dueEntries: [DeadlineWheel.Entry] = []
    private var closing: [(deadline: Int64, index: UInt32)] = []
    /// The spans of the trace being decided, for policies that ask.
    let openSpansView = OpenTraceSpans()
    /// Reused: verdicts of the traces in `closing`, where policies decide them together.
    private var verdicts: [PolicyList.Verdict] = []
    private var upstream: [Double] = []

    /// - Parameters:
    ///   - clock: monotonic nanoseconds, for the metric of policies' time; decisions do not depend on it.
    ///   - spillFiles: makes the files for spans on disk; nil where there are none.
    ///   - chunkSize: of the arena, bytes; nil for the usual one. Tests with few spans fill smaller ones.
    package init(
        settings: WindowSettings, policies: [any SamplingPolicy], context: SamplerContext,
        clock: (() -> UInt64)? = nil, spillFiles: (any SpillFileSource)? = nil, chunkSize: Int? = nil
    ) {
        let chunkSize = chunkSize ?? SpanArena.chunkSize
        self.settings = settings
        self.clock = clock
        store = OpenTraceStore(
            arena: SpanArena(
                spill: spillFiles.map { SpillStore($0, slotSize: chunkSize) },
                // On disk a chunk's memory goes back as soon as the next one is opened.
                spareChunks: settings.buffer == .disk ? 2 : SpanArena.spareChunks, chunkSize: chunkSize))
        hotBytes = 4 * chunkSize
        self.policies = PolicyList(policies, stopsAtFirstMatch: settings.stopsAtFirstMatch, clock: clock)
        policyVersion = context.policyVersion
        self.context = context
        assembler = TraceAssembler(scrubbers: context.scrubbers)
        memory = DecisionMemory(horizon: settings.decisionHorizon)
        wheel = DeadlineWheel(span: settings.max / settings.tick)
        openSpansView.sampler = self
        self.policies.use(ScrubberChain(context.scrubbers))
    }

    // MARK: - Spans in

    public func add(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        to output: any SamplerOutput
    ) {
        advance(to: context.streamTime, output: output)
        store.beginRecord(unitCount: batch.units.count)
        policies.spansArrive(at: streamTime, decidedBy: streamTime &+ settings.max &+ 2 &* settings.tick)
        let heads = batch.heads
        var first = 0
        while first < selection.count {
            // Records are mostly of one trace: the table is asked once for a run of equal ids.
            let id = heads[Int(selection[first])].traceID
            var end = first &+ 1
            while end < selection.count, heads[Int(selection[end])].traceID == id { end &+= 1 }
            var index = store.table.find(id)
            if index == TraceTable.none {
                if addLate(batch, selection, first..<end, id, context, output) {
                    first = end
                    continue
                }
                index = open(id)
            }
            let isEarlier = store.append(
                selection, first..<end, of: batch, to: index, offset: context.offset, streamTime: streamTime,
                settings: settings, policies: policies, hotBytes: hotBytes)
            if isEarlier { schedule(index) }
            first = end
        }
    }

    private func open(_ id: TraceID) -> UInt32 {
        let index = store.table.insert(id, seen: streamTime)
        arrivals.append(index, generation: store.table[index].generation)
        policies.opened(index)
        schedule(index)
        return index
    }

    /// Bytes of spans that stay in memory with `buffer: disk`: the newest. A worker may own dozens of partitions.
    var hotBytes: Int

    func schedule(_ index: UInt32) {
        // A window closes at the first tick boundary after its deadline: a span that comes at the deadline is in time.
        let due = settings.deadline(of: store.table[index]).flooredDivision(by: settings.tick) + 1
        let tick = max(due, self.tick + 1)
        guard tick < store.table[index].scheduledTick else { return }
        store.table[index].scheduledTick = tick
        wheel.schedule(DeadlineWheel.Entry(index: index, generation: store.table[index].generation), tick: tick)
    }

    // MARK: - Late spans

    /// Sends spans after their trace's decision. Returns false when the trace is unknown.
    private func addLate(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], _ range: Range<Int>, _ id: TraceID,
        _ context: borrowing RecordContext, _ output: any SamplerOutput
    ) -> Bool {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .lateSpanForgetsDecision { return false }
        #endif
        switch memory.find(id) {
        case .unknown: return false
        case .dropped:
            output.lateDropped(spans: range.count)
            output.lateDropped(id, spans: range.count)
            for position in range { output.done(offset: context.offset, firstIndex: selection[position], count: 1) }
        case .kept(let kept):
            for position in range {
                #if TAILRACE_MUTATIONS
                    let isOutline = kept.isOutline && ProtocolMutation.active != .lateSpanForgetsOutline
                #else
                    let isOutline = kept.isOutline
                #endif
                if isOutline, !batch.heads[Int(selection[position])].isError {
                    output.lateDropped(spans: 1)
                    output.lateDropped(id, spans: 1)
                    output.done(offset: context.offset, firstIndex: selection[position], count: 1)
                } else {
                    addLate(batch, selection[position], kept, context, output)
                }
            }
        }
        return true
    }

    private func addLate(
        _ batch: SpanBatch, _ spanIndex: UInt32, _ kept: DecisionMemory.Kept, _ context: borrowing RecordContext,
        _ output: any SamplerOutput
    ) {
        let head = batch.heads[Int(spanIndex)]
        let unit = store.units.intern(batch.units[Int(head.unit)], in: batch.record)
        // An index means something only in the list of policies that it was made with.
        let isCurrent = kept.policyVersion == policyVersion
        let decision = Decision(
            isKept: true, policy: isCurrent ? policies.name(kept.policyIndex) : "", probability: kept.probability,
            policyVersion: kept.policyVersion, trigger: kept.trigger, decidedAt: kept.decidedAt,
            reason: isCurrent
                ? "late span of a kept trace" : "late span of a trace that an earlier version of the policies kept")
        let trace = assembler.assembleLate(
            head, bytes: batch.bytes(head.message), unit: unit, units: store.units, decision: decision,
            annotation: annotation(decision, whole: kept.wholeProbability), partition: self.context.partition)
        policies.chargeLate(policyIndex: kept.policyIndex, bytes: Int(head.message.length))
        output.kept(trace, duplicates: 0)
        output.done(offset: context.offset, firstIndex: spanIndex, count: 1)
    }

    // MARK: - Time

    public func advance(to streamTime: Int64, output: any SamplerOutput) {
        guard streamTime > self.streamTime else { return }
        self.streamTime = streamTime
        let now = streamTime.flooredDivision(by: settings.tick)
        guard now > tick else { return }
        if tick == .min {
            tick = now
            memory.expire(streamTime: streamTime)
            return
        }
        if store.table.count > 0 {
            // Past the wheel's end every bucket has been visited once.
            let last = min(now, tick + settings.max / settings.tick + 4)
            while tick < last, store.table.count > 0 {
                tick += 1
                close(tick, output)
            }
        }
        tick = now
        arrivals.skipDecided(in: store.table)
        memory.expire(streamTime: streamTime)
        let swept = store.units.sweepIfNeeded()
        assembler.forget(swept)
        policies.forget(swept)
        releaseUnused()
    }

    /// Decides the traces whose window closed before the tick's boundary.
    private func close(_ tick: Int64, _ output: any SamplerOutput) {
        wheel.take(tick, into: &dueEntries)
        guard !dueEntries.isEmpty else { return }
        closing.removeAll(keepingCapacity: true)
        let boundary = tick * settings.tick
        for entry in dueEntries where store.table.isCurrent(entry.index, generation: entry.generation) {
            guard store.table[entry.index].scheduledTick == tick else { continue }
            let deadline = settings.deadline(of: store.table[entry.index])
            if deadline < boundary {
                store.table[entry.index].scheduledTick = .max
                closing.append((deadline, entry.index))
            } else {
                store.table[entry.index].scheduledTick = .max
                schedule(entry.index)
            }
        }
        decide(trigger: nil, at: boundary, output)
    }

    public func shrink(toBytes bytes: Int, output: any SamplerOutput) {
        // To disk first: an early decision costs quality. While the disk refuses, the worker pauses instead.
        if settings.buffer == .disk || settings.spillsAtBudget {
            let index = usedBytes - store.arena.usedBytes
            if !store.arena.spill(toBytes: max(0, bytes - index)) { return }
        }
        while usedBytes > bytes, store.table.count > 0 {
            closing.removeAll(keepingCapacity: true)
            while closing.count < 256, let index = arrivals.popOldest(in: store.table) {
                closing.append((streamTime, index))
            }
            if closing.isEmpty { return }
            decide(trigger: .memory, at: streamTime, output)
            releaseUnused()
        }
    }

    /// Gives the tables' memory back when nothing is open: otherwise one burst would keep the window above its budget, and
    /// every trace after it would be decided early.
    private func releaseUnused() {
        guard store.table.count == 0 else { return }
        store.releaseUnused()
        policies.releaseMemory()
        arrivals.removeAll()
    }

    public func closeAll(output: any SamplerOutput) {
        guard store.table.count > 0 else { return }
        advance(to: streamTime + settings.max + 2 * settings.tick, output: output)
    }

    public func restore(_ decisions: [DecisionRecord]) {
        for decision in decisions { memory.remember(decision) }
    }

    public var state: [UInt8] { policies.state }

    public func restore(state: [UInt8]) { policies.restore(state) }

    // MARK: - Decisions

    /// Decides the traces in `closing` together.
    ///
    /// - Parameter time: the end of their tick, or now where they are decided early.
    private func decide(trigger: Decision.Trigger?, at time: Int64, _ output: any SamplerOutput) {
        // In order of time and id, so that a replay in another order decides in the same order.
        closing.sort { left, right in
            left.deadline == right.deadline
                ? store.table[left.index].traceID < store.table[right.index].traceID : left.deadline < right.deadline
        }
        if policies.decidesInBatches { decideTogether(at: time, isForced: trigger == .memory) }
        for (position, (deadline, index)) in closing.enumerated() {
            let state = store.table[index]
            let verdict = verdicts.isEmpty ? verdict(state, index, deadline) : verdicts[position]
            let trigger = trigger ?? closedBy(state, deadline)
            finish(state, index, verdict, trigger, deadline, output)
            store.arena.forgetWhatWasRead()
            if failure != nil { break }
        }
        closing.removeAll(keepingCapacity: true)
        verdicts.removeAll(keepingCapacity: true)
        dueEntries.removeAll(keepingCapacity: true)
        store.endRun()
    }

    /// Fills `verdicts` for the traces in `closing`: all policies are asked, then those that decide together.
    private func decideTogether(at time: Int64, isForced: Bool) {
        policies.beginBatch()
        upstream.removeAll(keepingCapacity: true)
        for (deadline, index) in closing {
            verdicts.append(verdict(store.table[index], index, deadline))
            upstream.append(policies.lastUpstreamProbability)
            policies.nextInBatch()
        }
        policies.decideBatch(&verdicts, upstream: upstream, at: time, isForced: isForced)
        for (position, (deadline, index)) in closing.enumerated() {
            let state = store.table[index]
            policies.finishBatched(
                verdicts[position], evidence(state, deadline), matched: state.matched, of: index)
        }
    }

    private func verdict(_ state: TraceState, _ index: UInt32, _ deadline: Int64) -> PolicyList.Verdict {
        if state.byteCount > settings.droppedAboveBytes { return policies.tooLarge() }
        return policies.decide(evidence(state, deadline), matched: state.matched, of: index)
    }

    private func evidence(_ state: TraceState, _ deadline: Int64) -> TraceEvidence {
        openSpansView.state = state
        return TraceEvidence(
            traceID: state.traceID, duration: state.duration, spanCount: state.spanCount,
            errorCount: state.errorCount, byteCount: state.byteCount, statusSeen: state.statusSeen,
            hasRoot: state.rootSeen != .max, decidedAt: deadline, spans: openSpansView)
    }

    private func closedBy(_ state: TraceState, _ deadline: Int64) -> Decision.Trigger {
        if state.limitReached != .max { return .limit }
        if state.firstSeen + settings.max == deadline { return .max }
        if let settle = settings.settle, state.rootSeen != .max, state.rootSeen + settle == deadline { return .root }
        return .idle
    }

    private func finish(
        _ state: TraceState, _ index: UInt32, _ verdict: PolicyList.Verdict, _ trigger: Decision.Trigger,
        _ deadline: Int64, _ output: any SamplerOutput
    ) {
        let offsets = store.offsetRange(of: state)
        var record = DecisionRecord(
            traceID: state.traceID, isKept: verdict.isKept, trigger: trigger, policyIndex: verdict.policyIndex,
            policyVersion: policyVersion, probability: verdict.probability, decidedAt: deadline,
            spanCount: state.spanCount, byteCount: state.byteCount, duration: state.duration,
            firstOffset: offsets.first, lastOffset: offsets.last, errorCount: state.errorCount,
            isOutline: verdict.isOutline, wholeProbability: verdict.whole?.probability)
        record.detail = verdict.detail
        if verdict.isKept {
            guard emit(state, record, verdict, output) else { return }
        } else {
            output.dropped(spans: Int(state.spanCount))
            if output.wantsDropped {
                let summary = assembler.summary(of: state, runs: store.runs, arena: store.arena, units: store.units)
                output.dropped(
                    DroppedTrace(
                        partition: context.partition, summary: summary, decision: decision(record, verdict)))
            }
        }
        _ = store.release(from: state.firstRun, output)
        let lateSpans = store.release(from: state.firstLateRun, output)
        if !verdict.isKept, lateSpans > 0 {
            output.lateDropped(spans: lateSpans)
            output.lateDropped(state.traceID, spans: lateSpans)
        }
        memory.remember(record)
        output.decided(record)
        store.table.remove(index)
    }

    /// Returns false where the trace's spans cannot be read back: nothing of it may be reported then.
    private func emit(
        _ state: TraceState, _ record: DecisionRecord, _ verdict: PolicyList.Verdict, _ output: any SamplerOutput
    ) -> Bool {
        let decision = decision(record, verdict)
        let annotation = annotation(decision, verdict)
        let outlineUse: TraceAssembler.OutlineUse =
            verdict.isOutline ? .only : annotation != nil && verdict.whole != nil ? .weights : .none
        let assembled = assembler.assemble(
            state, runs: store.runs, arena: store.arena, units: store.units, decision: decision, annotation: annotation,
            partition: context.partition,
            outlineUse: outlineUse)
        guard failure == nil else { return false }
        output.leftOut(spans: assembled.trace.summary.leftOutSpanCount)
        policies.countKept(
            policyIndex: record.policyIndex, spans: assembled.trace.summary.spanCount,
            bytes: assembled.trace.summary.byteCount)
        output.kept(assembled.trace, duplicates: assembled.duplicates)
        guard state.firstLateRun != RunPool.none else { return true }
        var late = state
        late.firstRun = state.firstLateRun
        late.rootRun = RunPool.none
        late.rootSeen = .max
        let assembledLate = assembler.assemble(
            late, runs: store.runs, arena: store.arena, units: store.units, decision: decision, annotation: annotation,
            partition: context.partition, outlineUse: outlineUse, isLate: true)
        guard failure == nil else { return false }
        var trace = assembledLate.trace
        // They are late spans that are not kept, and no part of what the decision left out.
        var leftOut = trace.summary.leftOutSpanCount
        trace.summary.leftOutSpanCount = 0
        let isEmpty = trace.summary.spanCount == 0
        if isEmpty { leftOut += assembledLate.duplicates }
        if leftOut > 0 {
            output.lateDropped(spans: leftOut)
            output.lateDropped(state.traceID, spans: leftOut)
        }
        if !isEmpty { output.kept(trace, duplicates: assembledLate.duplicates) }
        return true
    }

    private func annotation(_ decision: Decision, _ verdict: PolicyList.Verdict) -> SpanAnnotation? {
        guard settings.annotates else { return nil }
        return SpanAnnotation(
            policy: decision.policy, probability: decision.probability, ownProbability: verdict.ownProbability,
            whole: verdict.whole)
    }

    /// Of a late span.
    private func annotation(_ decision: Decision, whole: Double?) -> SpanAnnotation? {
        guard settings.annotates else { return nil }
        return SpanAnnotation(
            policy: decision.policy, probability: decision.probability, ownProbability: nil,
            whole: whole.map { (probability: $0, own: $0) })
    }

    private func decision(_ record: DecisionRecord, _ verdict: PolicyList.Verdict) -> Decision {
        Decision(
            isKept: record.isKept, policy: policies.name(record.policyIndex), probability: record.probability,
            policyVersion: policyVersion, trigger: record.trigger, decidedAt: record.decidedAt,
            reason: policies.reason(verdict.cause, policyIndex: record.policyIndex, budget: verdict.budget) + "; "
                + record.trigger.explanation)
    }

    /// Spans on disk that cannot be read back. They are in Kafka: a restart reads them again.
    public var failure: (any Error)? {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .unreadableSpansSkipped { return nil }
        #endif
        return store.arena.spill?.readError
    }

    // MARK: - Figures

    /// Bytes of memory that the open traces occupy.
    public var usedBytes: Int {
        store.usedBytes + policies.byteCount
    }

    /// What memory may still hold: a restart restores no less than was remembered before it.
    public var decisionHorizon: Int64 { settings.decisionHorizon + memory.periodLength }

    public var gauges: SamplerGauges {
        var gauges = SamplerGauges()
        gauges.openTraces = store.table.count
        gauges.openSpans = store.openSpans
        gauges.windowBytes = usedBytes
        if let spill = store.arena.spill {
            gauges.spilledBytes = spill.byteCount
            gauges.spillFiles = spill.fileCount
            gauges.spillWrittenBytes = spill.writtenBytes
            gauges.spillReads = spill.reads
            gauges.spillFailures = spill.failures
            gauges.spillError = (spill.readError ?? spill.writeError)?.description
        }
        gauges.rememberedDecisions = memory.count
        gauges.decisionBytes = memory.byteCount
        gauges.rememberedKept = memory.keptCount
        gauges.decisionHorizon = settings.decisionHorizon
        gauges.decisionFalsePositiveRate = memory.falsePositiveRate
        return gauges
    }

    public func text(of name: DecisionName) -> String? { policies.text(of: name) }

    public var budgets: [BudgetGauge] { policies.budgets }

    public func takeBudgetShare(_ share: Double, policy: String) { policies.takeBudgetShare(share, policy: policy) }

    public func chargeBudget(seconds: Double, policy: String) {
        policies.chargeBudget(seconds: seconds, policy: policy)
    }

    public var policyCounters: [PolicyCounters] {
        earlierCounters.isEmpty ? policies.counters : PolicyCounters.sum(earlierCounters, policies.counters)
    }
}
