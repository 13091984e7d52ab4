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
    var arena: SpanArena
    var runs = RunPool()
    var table = TraceTable()
    var units = UnitTable()
    var memory: DecisionMemory
    var wheel: DeadlineWheel
    private var arrivals = ArrivalQueue()
    /// The last tick whose windows were closed.
    var tick: Int64 = .min
    private(set) var streamTime: Int64 = .min
    private var openSpans = 0
    /// Reused: units of the record at hand, looked up when the first span needs one.
    private var unitIndices: [UInt32] = []
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
    package init(
        settings: WindowSettings, policies: [any SamplingPolicy], context: SamplerContext,
        clock: (() -> UInt64)? = nil, spillFiles: (any SpillFileSource)? = nil
    ) {
        self.settings = settings
        self.clock = clock
        arena = SpanArena(
            spill: spillFiles.map { SpillStore($0, slotSize: SpanArena.chunkSize) },
            // On disk a chunk's memory goes back as soon as the next one is opened.
            spareChunks: settings.buffer == .disk ? 2 : SpanArena.spareChunks)
        self.policies = PolicyList(policies, stopsAtFirstMatch: settings.stopsAtFirstMatch, clock: clock)
        policyVersion = context.policyVersion
        self.context = context
        assembler = TraceAssembler(scrubbers: context.scrubbers)
        memory = DecisionMemory(horizon: settings.decisionHorizon)
        wheel = DeadlineWheel(span: settings.max / settings.tick)
        openSpansView.sampler = self
    }

    // MARK: - Spans in

    public func add(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        to output: any SamplerOutput
    ) {
        advance(to: context.streamTime, output: output)
        unitIndices.removeAll(keepingCapacity: true)
        unitIndices.append(contentsOf: repeatElement(RunPool.none, count: batch.units.count))
        policies.spansArrive(at: streamTime, decidedBy: streamTime &+ settings.max &+ 2 &* settings.tick)
        let heads = batch.heads
        var lastID = TraceID(high: 0, low: 0)
        var lastIndex = TraceTable.none
        for selected in 0..<selection.count {
            let spanIndex = selection[selected]
            let head = heads[Int(spanIndex)]
            // Records are mostly of one trace: the table is asked once for a run of equal ids.
            if head.traceID != lastID || lastIndex == TraceTable.none {
                lastID = head.traceID
                lastIndex = table.find(head.traceID)
                if lastIndex == TraceTable.none {
                    if addLate(batch, spanIndex, head, context, output) { continue }
                    lastIndex = open(head.traceID)
                }
            }
            append(batch, spanIndex, head, to: lastIndex, context)
        }
    }

    private func open(_ id: TraceID) -> UInt32 {
        let index = table.insert(id, seen: streamTime)
        arrivals.append(index, generation: table[index].generation)
        policies.opened(index)
        schedule(index)
        return index
    }

    @inline(__always)
    private func append(
        _ batch: SpanBatch, _ spanIndex: UInt32, _ head: SpanHead, to index: UInt32, _ context: borrowing RecordContext
    ) {
        let deadline = settings.deadline(of: table[index])
        let isLate = streamTime > deadline
        var unit = unitIndices[Int(head.unit)]
        if unit == RunPool.none {
            unit = units.intern(batch.units[Int(head.unit)], of: batch)
            unitIndices[Int(head.unit)] = unit
        }
        let last = isLate ? table[index].lastLateRun : table[index].lastRun
        let (run, position) = store(batch, spanIndex, head, unit: unit, after: last, offset: context.offset)
        openSpans &+= 1
        if run != last {
            if last == RunPool.none {
                if isLate { table[index].firstLateRun = run } else { table[index].firstRun = run }
            } else {
                runs[last].next = run
            }
            if isLate { table[index].lastLateRun = run } else { table[index].lastRun = run }
        }
        if !isLate { accumulate(batch, head, index, unit: unit, run: run, position: position) }
    }

    @inline(__always)
    private func accumulate(
        _ batch: SpanBatch, _ head: SpanHead, _ index: UInt32, unit: UInt32, run: UInt32, position: UInt32
    ) {
        let isFirst = table[index].spanCount == 0
        let isFirstRoot = head.isRoot && table[index].rootSeen == .max
        table[index].lastSeen = streamTime
        table[index].spanCount &+= 1
        table[index].byteCount &+= UInt64(head.message.length)
        if head.startTime != 0, head.startTime < table[index].startTime { table[index].startTime = head.startTime }
        if head.endTime > table[index].endTime { table[index].endTime = head.endTime }
        table[index].statusSeen |= 1 << head.status
        if head.isError { table[index].errorCount &+= 1 }
        table[index].matched = policies.observe(
            head, in: batch, unit: unit, of: index, matched: table[index].matched)
        if isFirst || isFirstRoot {
            table[index].rootRun = run
            table[index].rootPosition = position
        }
        if isFirstRoot {
            table[index].rootSeen = streamTime
            schedule(index)
        }
        if table[index].spanCount >= settings.maximumSpansPerTrace
            || table[index].byteCount >= settings.maximumBytesPerTrace
            || table[index].byteCount > settings.droppedAboveBytes, table[index].limitReached == .max
        {
            table[index].limitReached = streamTime
            schedule(index)
        }
    }

    /// Copies a span's bytes into the arena, as part of run `last` where it continues it.
    @inline(__always)
    private func store(
        _ batch: SpanBatch, _ spanIndex: UInt32, _ head: SpanHead, unit: UInt32, after last: UInt32, offset: Int64
    ) -> (run: UInt32, position: UInt32) {
        let length = Int(head.message.length)
        let start = batch.record.baseAddress.map { $0 + head.message.start }
        let fits = arena.fits(length + 4)
        if fits, last != RunPool.none {
            let run = runs[last]
            let place = arena.position
            // The run continues when the span is the next of the same record and nothing was put between their bytes.
            if run.offset == offset, run.firstIndex &+ run.spanCount == spanIndex, run.unit == unit,
                lastRunStored == last, run.chunk == place.chunk
            {
                if let start { arena.append(start, count: length) }
                runs[last].spanCount &+= 1
                return (last, place.offset)
            }
        }
        if !fits { openChunk(for: length + 4) }
        let place = arena.position
        if let start { arena.append(start, count: length) }
        arena.retainRun()
        units.retain(unit)
        let run = runs.add(
            SpanRun(
                offset: offset, firstIndex: spanIndex, spanCount: 1, chunk: place.chunk, position: place.offset,
                unit: unit, next: RunPool.none))
        lastRunStored = run
        return (run, place.offset)
    }

    private func openChunk(for length: Int) {
        arena.openChunk(for: length)
        if settings.buffer == .disk { _ = arena.spill(toBytes: hotBytes) }
    }

    /// Bytes of spans that stay in memory with `buffer: disk`: the newest. A worker may own dozens of partitions.
    var hotBytes = 4 * SpanArena.chunkSize

    /// The run whose bytes end where the arena's next bytes go.
    private var lastRunStored = RunPool.none

    func schedule(_ index: UInt32) {
        // A window closes at the first tick boundary after its deadline: a span that comes at the deadline is in time.
        let due = settings.deadline(of: table[index]).flooredDivision(by: settings.tick) + 1
        let tick = max(due, self.tick + 1)
        guard tick < table[index].scheduledTick else { return }
        table[index].scheduledTick = tick
        wheel.schedule(DeadlineWheel.Entry(index: index, generation: table[index].generation), tick: tick)
    }

    // MARK: - Late spans

    /// Sends a span after its trace's decision. Returns false when the trace is unknown.
    private func addLate(
        _ batch: SpanBatch, _ spanIndex: UInt32, _ head: SpanHead, _ context: borrowing RecordContext,
        _ output: any SamplerOutput
    ) -> Bool {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .lateSpanForgetsDecision { return false }
        #endif
        switch memory.find(head.traceID) {
        case .unknown: return false
        case .dropped:
            output.lateDropped(spans: 1)
            output.lateDropped(head.traceID, spans: 1)
        case .kept(let kept):
            let unit = units.intern(batch.units[Int(head.unit)], of: batch)
            // An index means something only in the list of policies that it was made with.
            let isCurrent = kept.policyVersion == policyVersion
            let decision = Decision(
                isKept: true, policy: isCurrent ? policies.name(kept.policyIndex) : "", probability: kept.probability,
                policyVersion: kept.policyVersion, trigger: kept.trigger, decidedAt: kept.decidedAt,
                reason: isCurrent
                    ? "late span of a kept trace" : "late span of a trace that an earlier version of the policies kept")
            let trace = assembler.assembleLate(
                head, bytes: batch.bytes(head.message), unit: unit, units: units, decision: decision,
                annotation: annotation(decision, ownProbability: nil), partition: self.context.partition)
            policies.chargeLate(policyIndex: kept.policyIndex, bytes: Int(head.message.length))
            output.kept(trace, duplicates: 0)
        }
        output.done(offset: context.offset, firstIndex: spanIndex, count: 1)
        return true
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
        if table.count > 0 {
            // Past the wheel's end every bucket has been visited once.
            let last = min(now, tick + settings.max / settings.tick + 4)
            while tick < last, table.count > 0 {
                tick += 1
                close(tick, output)
            }
        }
        tick = now
        arrivals.skipDecided(in: table)
        memory.expire(streamTime: streamTime)
        let swept = units.sweepIfNeeded()
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
        for entry in dueEntries where table.isCurrent(entry.index, generation: entry.generation) {
            guard table[entry.index].scheduledTick == tick else { continue }
            let deadline = settings.deadline(of: table[entry.index])
            if deadline < boundary {
                table[entry.index].scheduledTick = .max
                closing.append((deadline, entry.index))
            } else {
                table[entry.index].scheduledTick = .max
                schedule(entry.index)
            }
        }
        decide(trigger: nil, at: boundary, output)
    }

    public func shrink(toBytes bytes: Int, output: any SamplerOutput) {
        // To disk first: an early decision costs quality. While the disk refuses, the worker pauses instead.
        if settings.buffer == .disk || settings.spillsAtBudget {
            let index = usedBytes - arena.usedBytes
            if !arena.spill(toBytes: max(0, bytes - index)) { return }
        }
        while usedBytes > bytes, table.count > 0 {
            closing.removeAll(keepingCapacity: true)
            while closing.count < 256, let index = arrivals.popOldest(in: table) {
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
        guard table.count == 0 else { return }
        table.releaseMemory()
        runs.releaseMemory()
        policies.releaseMemory()
        arrivals.removeAll()
    }

    public func closeAll(output: any SamplerOutput) {
        guard table.count > 0 else { return }
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
                ? table[left.index].traceID < table[right.index].traceID : left.deadline < right.deadline
        }
        if policies.decidesInBatches { decideTogether(at: time, isForced: trigger == .memory) }
        for (position, (deadline, index)) in closing.enumerated() {
            let state = table[index]
            let verdict = verdicts.isEmpty ? verdict(state, index, deadline) : verdicts[position]
            let trigger = trigger ?? closedBy(state, deadline)
            finish(state, index, verdict, trigger, deadline, output)
            arena.forgetWhatWasRead()
            if failure != nil { break }
        }
        closing.removeAll(keepingCapacity: true)
        verdicts.removeAll(keepingCapacity: true)
        dueEntries.removeAll(keepingCapacity: true)
        lastRunStored = RunPool.none
    }

    /// Fills `verdicts` for the traces in `closing`: all policies are asked, then those that decide together.
    private func decideTogether(at time: Int64, isForced: Bool) {
        policies.beginBatch()
        upstream.removeAll(keepingCapacity: true)
        for (deadline, index) in closing {
            verdicts.append(verdict(table[index], index, deadline))
            upstream.append(policies.lastUpstreamProbability)
            policies.nextInBatch()
        }
        policies.decideBatch(&verdicts, upstream: upstream, at: time, isForced: isForced)
        for (position, (deadline, index)) in closing.enumerated() {
            let state = table[index]
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
        let offsets = offsetRange(of: state)
        var record = DecisionRecord(
            traceID: state.traceID, isKept: verdict.isKept, trigger: trigger, policyIndex: verdict.policyIndex,
            policyVersion: policyVersion, probability: verdict.probability, decidedAt: deadline,
            spanCount: state.spanCount, byteCount: state.byteCount, duration: state.duration,
            firstOffset: offsets.first, lastOffset: offsets.last, errorCount: state.errorCount)
        record.detail = verdict.detail
        if verdict.isKept {
            guard emit(state, record, verdict, output) else { return }
        } else {
            output.dropped(spans: Int(state.spanCount))
            if output.wantsDropped {
                let summary = assembler.summary(of: state, runs: runs, arena: arena, units: units)
                output.dropped(
                    DroppedTrace(
                        partition: context.partition, summary: summary, decision: decision(record, verdict)))
            }
        }
        openSpans -= release(from: state.firstRun, output)
        let lateSpans = release(from: state.firstLateRun, output)
        openSpans -= lateSpans
        if !verdict.isKept, lateSpans > 0 {
            output.lateDropped(spans: lateSpans)
            output.lateDropped(state.traceID, spans: lateSpans)
        }
        memory.remember(record)
        output.decided(record)
        table.remove(index)
    }

    /// Returns false where the trace's spans cannot be read back: nothing of it may be reported then.
    private func emit(
        _ state: TraceState, _ record: DecisionRecord, _ verdict: PolicyList.Verdict, _ output: any SamplerOutput
    ) -> Bool {
        let decision = decision(record, verdict)
        let annotation = annotation(decision, ownProbability: verdict.ownProbability)
        let assembled = assembler.assemble(
            state, runs: runs, arena: arena, units: units, decision: decision, annotation: annotation,
            partition: context.partition)
        guard failure == nil else { return false }
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
            late, runs: runs, arena: arena, units: units, decision: decision, annotation: annotation,
            partition: context.partition)
        guard failure == nil else { return false }
        var trace = assembledLate.trace
        trace.isLate = true
        output.kept(trace, duplicates: assembledLate.duplicates)
        return true
    }

    /// Gives back a chain of runs and reports their refs done. Reads the runs only, never the spans' bytes.
    private func release(from first: UInt32, _ output: any SamplerOutput) -> Int {
        var index = first
        var spans = 0
        while index != RunPool.none {
            let run = runs[index]
            output.done(offset: run.offset, firstIndex: run.firstIndex, count: run.spanCount)
            spans += Int(run.spanCount)
            arena.releaseRun(chunk: run.chunk)
            units.release(run.unit)
            runs.remove(index)
            index = run.next
        }
        return spans
    }

    private func offsetRange(of state: TraceState) -> (first: Int64, last: Int64) {
        guard state.firstRun != RunPool.none else { return (-1, -1) }
        // Runs are chained in order of arrival, which is the order of offsets.
        return (runs[state.firstRun].offset, runs[state.lastRun].offset)
    }

    private func annotation(_ decision: Decision, ownProbability: Double?) -> SpanAnnotation? {
        guard settings.annotates else { return nil }
        return SpanAnnotation(
            policy: decision.policy, probability: decision.probability, ownProbability: ownProbability)
    }

    private func decision(_ record: DecisionRecord, _ verdict: PolicyList.Verdict) -> Decision {
        Decision(
            isKept: record.isKept, policy: policies.name(record.policyIndex), probability: record.probability,
            policyVersion: policyVersion, trigger: record.trigger, decidedAt: record.decidedAt,
            reason: policies.reason(verdict.cause, policyIndex: record.policyIndex, budget: verdict.budget) + "; "
                + record.trigger.explanation)
    }

    /// Spans on disk that cannot be read back. They are in Kafka: a restart reads them again.
    public var failure: (any Error)? { arena.spill?.readError }

    // MARK: - Figures

    /// Bytes of memory that the open traces occupy.
    public var usedBytes: Int {
        arena.usedBytes + runs.byteCount + table.byteCount + units.byteCount + policies.byteCount
    }

    /// What memory may still hold: a restart restores no less than was remembered before it.
    public var decisionHorizon: Int64 { settings.decisionHorizon + memory.periodLength }

    public var gauges: SamplerGauges {
        var gauges = SamplerGauges()
        gauges.openTraces = table.count
        gauges.openSpans = openSpans
        gauges.windowBytes = usedBytes
        if let spill = arena.spill {
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
