import OTLP
import TraceModel

/// One instance of a pipeline's stages, owning one partition. Shares no state with other tasks; owned by one thread.
///
/// A state machine: records and time go in, traces go to the sinks, and `seal` gives the manifest entry that makes it so.
/// No clock, no file, no thread inside.
package final class PartitionTask {
    package let partition: PartitionID
    package let epoch: UInt64
    var taskPlan: TaskPlan
    var settings: Settings
    var sinks: WorkerSinks
    package var counters = TaskCounters()
    /// Decision files that a successor needs, oldest first.
    package var decisionFiles: [DecisionFileReference]
    /// Why the task cannot go on: the first sink that refused a write, or a sampler that lost its spans. Nothing is sealed
    /// from then on.
    package internal(set) var failure: (any Error)? {
        get { refusal ?? lanes.lazy.compactMap(\.sampler.failure).first }
        set { refusal = newValue }
    }
    private var refusal: (any Error)?
    package weak var observer: (any TaskObserver)? {
        didSet { isObserved = observer != nil }
    }
    /// Asked per record and stage, where a weak reference would cost.
    private(set) var isObserved: Bool

    package internal(set) var lanes: [TaskLane] = []
    var stages = TaskStages()

    private var scanner = OTLPScanner()
    private let batch = SpanBatch()
    /// Spans that reach each stage, by stage index; reused from record to record.
    var inputs: [[UInt32]]
    /// The spans of the record at hand; reused from record to record.
    private var selection: [UInt32] = []
    private(set) var rewriter = BatchRewriter()

    /// Milliseconds since the Unix epoch; `Int64.min` before the first record.
    package private(set) var streamTime: Int64
    /// The next offset to be processed.
    package private(set) var position: Int64
    /// Offsets below were seen before a restart: only refs that samplers still owe are processed.
    private(set) var replayedBelow: Int64
    private(set) var restoredStreamTime: Int64?
    /// Used where the topic is repartitioned.
    private var repartitionClock = RepartitionClock()
    /// Something changed since the last seal.
    package internal(set) var isDirty = false
    /// Where the partition starts is known: from the store, or from its first record. Before that there is nothing to say of
    /// it in a manifest.
    package private(set) var isPositioned: Bool
    /// Seconds of budget that were charged.
    private var chargedDebts: [BudgetShares.Key: Double] = [:]
    /// Batches as eager scrubbers left them, by scrubber; those of the record at hand.
    private var scrubbed: [Int: SpanBatch] = [:]

    /// The latest time that is believed, milliseconds: the year 140000 or so. Sums with a window's length stay in range.
    private static let latestTime: Int64 = 1 << 52

    package init(
        taskPlan: TaskPlan, settings: Settings, partition: PartitionID, environment: StageEnvironment,
        restored: RestoredTask, startOffset: Int64, sinks: WorkerSinks, observer: (any TaskObserver)? = nil
    ) throws {
        self.taskPlan = taskPlan
        self.settings = settings
        self.partition = partition
        self.sinks = sinks
        self.observer = observer
        isObserved = observer != nil
        epoch = restored.epoch
        let entry = restored.entry
        position = entry?.low ?? startOffset
        isPositioned = entry != nil
        streamTime = entry?.streamTimeAtLow ?? .min
        replayedBelow = entry?.high ?? .min
        restoredStreamTime = entry?.streamTime
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .streamTimeNotRestored {
                streamTime = .min
                restoredStreamTime = nil
            }
        #endif
        decisionFiles = entry?.decisionFiles ?? []
        inputs = Array(repeating: [], count: taskPlan.plan.stages.count)
        stages = try TaskStages(taskPlan, environment)
        for index in taskPlan.stages where taskPlan.plan.stages[index].role == .sampler {
            lanes.append(try makeLane(index, environment))
        }
        for lane in lanes {
            if let saved = entry?.lanes.first(where: { $0.sampler == lane.name }) {
                lane.restoredLow = saved.low
                lane.restored = saved.done
                if !saved.samplerState.isEmpty { lane.sampler.restore(state: saved.samplerState) }
            }
        }
    }

    /// A sampler with nothing in custody yet.
    func makeLane(_ index: Int, _ environment: StageEnvironment) throws -> TaskLane {
        let stage = taskPlan.plan.stages[index]
        guard case .sampler(let make) = stage.definition.make else {
            throw StageError("stage \(stage.name) is no sampler")
        }
        let context = stages.samplerContext(index, taskPlan, environment, partition)
        return TaskLane(
            stage: index, name: stage.name, sampler: ordered(try make(stage.settings, context)),
            ledger: OffsetLedger(nextOffset: position), wantsDropped: wantsDropped(index), task: self)
    }

    /// The sampler as the task feeds it.
    func ordered(_ sampler: any Sampler) -> any Sampler {
        settings.isRepartitioned ? TimeOrderedSampler(sampler, partition: partition) : sampler
    }

    /// Whether anyone reads the summaries of what a sampler drops.
    func wantsDropped(_ index: Int) -> Bool {
        let stage = taskPlan.plan.stages[index]
        guard observer == nil else { return true }
        guard let port = stage.definition.outputs.firstIndex(where: { $0.type == .summaries }) else { return false }
        return !stage.consumers[port].isEmpty
    }

    /// Feeds decisions of before a restart to a sampler.
    package func restoreDecisions(sampler: String, _ records: [DecisionRecord]) {
        lanes.first { $0.name == sampler }?.sampler.restore(records)
    }

    /// The oldest decision that samplers still want to know, as stream time.
    package var decisionHorizonStart: Int64 {
        let longest = lanes.map(\.sampler.decisionHorizon).max() ?? 0
        let now = max(streamTime, restoredStreamTime ?? .min)
        return now == .min ? .min : now - longest
    }

    // MARK: - Records in

    /// Processes one record. Its bytes may be released when this returns.
    ///
    /// - Parameter now: the wall clock in milliseconds; timestamps more than 5 s after it are set back to it, so that one
    ///   machine with a wrong clock cannot close everybody's windows. `Int64.max` trusts all timestamps.
    package func process(_ record: SourceRecord, now: Int64) {
        isDirty = true
        isPositioned = true
        // Read twice by the source (a pause or a seek may do that): it has been entered, once is enough.
        guard record.offset >= position else {
            counters.replayedRecords += 1
            return
        }
        let isReplayed = record.offset < replayedBelow
        if !isReplayed, let restored = restoredStreamTime {
            // The replay has caught up: time that only the wall clock had advanced is restored too.
            streamTime = max(streamTime, restored)
            restoredStreamTime = nil
        }
        let before = streamTime
        let recordTime = advanceStreamTime(record, now: now)
        position = record.offset + 1
        counters.records += 1
        counters.bytes += UInt64(record.payload.count)
        let context = RecordContext(
            partition: partition, offset: record.offset, timestamp: record.timestamp, streamTime: recordTime)

        if isReplayed, isDone(record.offset) {
            // Nothing of it is owed: its time counted, its bytes need not be looked at.
            counters.replayedRecords += 1
            for lane in lanes {
                lane.ledger.enter(offset: record.offset, spanCount: 0, streamTimeBefore: before)
                lane.sampler.advance(to: streamTime, output: lane)
                lane.ledger.popFinished()
            }
            return
        }
        let problem = scan(record.payload)
        defer { batch.forget() }
        for lane in lanes {
            lane.ledger.enter(offset: record.offset, spanCount: batch.count, streamTimeBefore: before)
        }
        if let problem {
            if !isReplayed { reject(record, problem) }
        } else {
            dispatch(record, context, isReplayed: isReplayed, now: now)
        }
        for lane in lanes {
            lane.sampler.advance(to: streamTime, output: lane)
            lane.ledger.popFinished()
        }
    }

    /// Whether every sampler had finished with a record before a restart.
    private func isDone(_ offset: Int64) -> Bool {
        !lanes.isEmpty && lanes.allSatisfy { $0.restoredSpans(of: offset) == .all }
    }

    /// - Returns: the record's own time: stream time, or a later one where records are held until stream time comes to them.
    private func advanceStreamTime(_ record: SourceRecord, now: Int64) -> Int64 {
        if let progress = RepartitionProgress(key: record.key, payload: record.payload) {
            // In a topic that is read as if it were any other, such a record says nothing about time.
            guard settings.isRepartitioned else { return streamTime }
            repartitionClock.merge(progress)
            streamTime = max(streamTime, repartitionClock.streamTime ?? .min)
            return streamTime
        }
        let timestamp = trusted(record.timestamp, now: now)
        if settings.isRepartitioned { return max(streamTime, timestamp) }
        streamTime = max(streamTime, timestamp)
        return streamTime
    }

    private func trusted(_ timestamp: Int64, now: Int64) -> Int64 {
        var timestamp = timestamp
        if now == .max {
            timestamp = min(max(timestamp, 0), Self.latestTime)
        } else if timestamp < 0 {
            timestamp = now
        } else if timestamp > now + 5000 {
            timestamp = now
            counters.clampedTimestamps += 1
        }
        return timestamp
    }

    struct Problem {
        var code: String
        var reason: String
    }

    /// Finds the record's spans; says what is wrong where there are none to be had.
    private func scan(_ payload: UnsafeRawBufferPointer) -> Problem? {
        guard payload.count <= settings.maximumRecordBytes else {
            return Problem(
                code: ScanError.Code.tooLarge.label,
                reason: "record has \(payload.count) bytes, the source accepts \(settings.maximumRecordBytes) "
                    + "(max_record_bytes)")
        }
        do {
            switch settings.encoding {
            case .otlpProto: try scanner.scan(payload, into: batch)
            case .otlpJSON:
                let converted = try OTLPJSONDecoder.decode(payload).protobuf
                // An empty request is valid JSON but no bytes of protobuf.
                guard !converted.isEmpty else { return nil }
                batch.adopt(converted)
                try scanner.scan(batch.record, into: batch)
            }
            return nil
        } catch let error as ScanError {
            return Problem(code: error.code.label, reason: "no OTLP trace request: \(error)")
        } catch {
            return Problem(code: "malformed_json", reason: "no OTLP/JSON trace request: \(error)")
        }
    }

    private func dispatch(_ record: SourceRecord, _ context: RecordContext, isReplayed: Bool, now: Int64) {
        guard let source = stages.routes[taskPlan.source] else { return }
        if !isReplayed { counters.received += UInt64(batch.count) }
        settings.partitioningCheck?.observe(batch.heads, key: record.key, of: partition, now: now)
        selection.removeAll(keepingCapacity: true)
        for index in 0..<UInt32(batch.count) { selection.append(index) }
        if !scanner.rejectedSpans.isEmpty {
            let bad = Set(scanner.rejectedSpans.map { UInt32($0.index) })
            selection.removeAll { bad.contains($0) }
            if !isReplayed {
                for span in scanner.rejectedSpans {
                    reject(
                        span: span.index, of: batch, record, stage: settings.sourceName, from: taskPlan.source,
                        code: span.error.code.label, reason: span.error.description)
                }
            }
        }
        send(selection, to: source.mainConsumers, isReplayed: isReplayed)
        for route in stages.order where !inputs[route.stage].isEmpty {
            run(route, batch(before: route.stage), record, context, isReplayed: isReplayed)
            inputs[route.stage].removeAll(keepingCapacity: true)
        }
        if !scrubbed.isEmpty { scrubbed.removeAll(keepingCapacity: true) }
    }

    /// The record's spans as the stage may see them: branches that an eager scrubber does not lead to keep theirs.
    private func batch(before stage: Int) -> SpanBatch {
        if scrubbed.isEmpty { return batch }
        let last = taskPlan.plan.scrubbers(before: stage).last { taskPlan.eagerScrubbers.contains($0) }
        return last.flatMap { scrubbed[$0] } ?? batch
    }

    private func send(_ selection: borrowing [UInt32], to consumers: [Int], isReplayed: Bool) {
        if selection.isEmpty { return }
        if !isReplayed {
            if consumers.isEmpty { counters.filtered += UInt64(selection.count) }
            if consumers.count > 1 { counters.branched += UInt64(selection.count * (consumers.count - 1)) }
        }
        for consumer in consumers {
            if inputs[consumer].isEmpty {
                // Into the list's own memory: sharing the other list's would cost both of them an allocation per record.
                inputs[consumer].append(contentsOf: copy selection)
            } else {
                // Several edges meet: a span that came on two of them passes once.
                let merged = Set(inputs[consumer]).union(copy selection)
                if !isReplayed {
                    counters.branched -= UInt64(inputs[consumer].count + selection.count - merged.count)
                }
                inputs[consumer] = merged.sorted()
            }
        }
    }

    private func run(
        _ route: StageRoute, _ current: SpanBatch, _ record: SourceRecord, _ context: RecordContext, isReplayed: Bool
    ) {
        let stage = route.stage
        if isObserved {
            observer?.reached(route.name, Set(inputs[stage].map { current.heads[Int($0)].traceID }))
        }
        switch route.action {
        case .sampler:
            guard let lane = lanes.first(where: { $0.stage == stage }) else { return }
            take(lane, current, context, isReplayed: isReplayed, offset: record.offset, stage: stage)
        case .scrubber(let scrubber, let isEager):
            if isEager { scrub(route, scrubber, current, record, isReplayed: isReplayed) }
            send(inputs[stage], to: route.spanConsumers[0], isReplayed: isReplayed)
        case .filter: filter(route, current, record, context, isReplayed: isReplayed)
        case .sink: if !isReplayed { forward(inputs[stage], of: current, to: stage, context) }
        case .none: break
        }
    }

    /// Scrubs all spans of the batch for the stages behind. A span that cannot be scrubbed goes to the dead letters: nobody
    /// behind this stage would do it.
    private func scrub(
        _ route: StageRoute, _ scrubber: any SpanScrubber, _ batch: SpanBatch, _ record: SourceRecord, isReplayed: Bool
    ) {
        let stage = route.stage
        let rewritten = rewriter.rewrite(batch, with: scrubber)
        scrubbed[stage] = rewritten
        let isWhole = rewritten?.count == batch.count
        for index in inputs[stage] {
            if isWhole, rewritten?.heads[Int(index)].traceID == batch.heads[Int(index)].traceID { continue }
            inputs[stage].removeAll { $0 == index }
            if isReplayed { continue }
            reject(
                span: Int(index), of: batch, record, stage: route.name, from: stage,
                code: "not_scrubbable", reason: "the scrubber could not read it")
        }
    }

    private func take(
        _ lane: TaskLane, _ batch: SpanBatch, _ context: RecordContext, isReplayed: Bool, offset: Int64, stage: Int
    ) {
        if isReplayed {
            if let done = lane.restoredSpans(of: offset) {
                inputs[stage].removeAll { done.contains($0) }
            }
            counters.received += UInt64(inputs[stage].count)
            if inputs[stage].isEmpty {
                counters.replayedRecords += 1
                return
            }
        }
        lane.ledger.take(inputs[stage])
        lane.sampler.add(batch, inputs[stage], context: context, to: lane)
    }

    private func filter(
        _ route: StageRoute, _ batch: SpanBatch, _ record: SourceRecord, _ context: RecordContext, isReplayed: Bool
    ) {
        let stage = route.stage
        // Taken out, to be the sole owner of the lists while they change: no copies.
        guard let filter = stages.filters[stage]?.filter,
            var outputs = stages.filters.removeValue(forKey: stage)?.outputs
        else {
            return
        }
        outputs.clear()
        filter.sort(batch, inputs[stage], context: context, into: &outputs)
        if !isReplayed {
            // Counted before they are sent: where ports meet again, what was branched here is taken back.
            let sent = outputs.ports.reduce(0) { $0 + $1.count }
            let left = inputs[stage].count - outputs.rejected.count
            if sent > left { counters.branched += UInt64(sent - left) }
            if sent < left { counters.filtered += UInt64(left - sent) }
            for rejected in outputs.rejected {
                reject(
                    span: Int(rejected.index), of: batch, record, stage: route.name, from: stage,
                    code: rejected.code, reason: rejected.reason)
            }
        }
        for (port, consumers) in route.spanConsumers.enumerated() {
            send(outputs.ports[port], to: consumers, isReplayed: isReplayed)
        }
        stages.filters[stage] = (filter, outputs)
    }

    // MARK: - Time and memory

    /// Moves stream time by the wall clock while the partition is at its end and quiet.
    package func advanceIdle(to streamTime: Int64) {
        // A repartitioned topic is quiet while its repartitioners are away, and then what is missing is still to come.
        guard !settings.isRepartitioned, streamTime > self.streamTime, self.streamTime != .min,
            position >= replayedBelow
        else { return }
        self.streamTime = streamTime
        for lane in lanes where lane.ledger.outstandingCount > 0 {
            isDirty = true
            lane.sampler.advance(to: streamTime, output: lane)
            lane.ledger.popFinished()
        }
    }

    package func shrink(toBytes bytes: Int) {
        isDirty = true
        for lane in lanes {
            lane.sampler.shrink(toBytes: bytes / max(1, lanes.count), output: lane)
            lane.ledger.popFinished()
        }
    }

    /// The log starts anew at an offset: it was recreated or cut. What is open is decided, since its records cannot be read
    /// again, and nothing that was known of offsets holds any more.
    package func restartLog(at offset: Int64) {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .restartedLogNotNoticed { return }
        #endif
        closeAll()
        for lane in lanes {
            lane.ledger = OffsetLedger(nextOffset: offset)
            lane.restored = DoneRefs()
            lane.restoredLow = .min
        }
        position = offset
        isPositioned = true
        replayedBelow = .min
        streamTime = max(streamTime, restoredStreamTime ?? .min)
        restoredStreamTime = nil
    }

    /// The offset after the highest one that this task or an owner before it has seen.
    package var knownEnd: Int64 { max(position, replayedBelow) }

    /// To be called where the log is read to its end. When an owner before this one has seen offsets behind that, the log was
    /// cut meanwhile (an unclean leader election), and other records will come there: what is known of these offsets is void.
    ///
    /// - Returns: the offsets that are gone; nil where the log is as it was.
    package func forgetCutOffsets() -> Range<Int64>? {
        guard isPositioned, position < replayedBelow else { return nil }
        let gone = position..<replayedBelow
        for lane in lanes { lane.forgetRestored(from: position) }
        replayedBelow = .min
        streamTime = max(streamTime, restoredStreamTime ?? .min)
        restoredStreamTime = nil
        isDirty = true
        return gone
    }

    /// Decides everything: the end of a recording.
    package func closeAll() {
        isDirty = true
        for lane in lanes {
            lane.sampler.closeAll(output: lane)
            lane.ledger.popFinished()
        }
    }

    /// Takes over its parts of the budgets that tasks hold together.
    package func take(_ shares: BudgetShares) {
        for lane in lanes {
            for budget in lane.sampler.budgets {
                let share = shares.share(sampler: lane.name, policy: budget.policy, partition: partition)
                if share != budget.share { lane.sampler.takeBudgetShare(share, policy: budget.policy) }
                let key = BudgetShares.Key(sampler: lane.name, policy: budget.policy, partition: partition)
                let owed = (shares.debts[key] ?? 0) - (chargedDebts[key] ?? 0)
                guard owed > 0 else { continue }
                chargedDebts[key, default: 0] += owed
                lane.sampler.chargeBudget(seconds: owed, policy: budget.policy)
            }
        }
    }
}
