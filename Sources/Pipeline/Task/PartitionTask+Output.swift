import OTLP
import TraceModel

/// What leaves a task: traces, summaries, spans without a sampler, dead letters.
extension PartitionTask {
    func forward(_ selection: [UInt32], of batch: SpanBatch, to stage: Int, _ context: RecordContext) {
        let pending = taskPlan.lazyScrubbers(before: stage).compactMap { stages.scrubbers[$0] }
        counters.forwarded += UInt64(selection.count)
        switch sinks[stage]?.spanGrouping ?? .record {
        case .record: forward(selection, of: batch, to: stage, context, pending, maximumBytes: .max)
        case .trace(let maximumBytes):
            for spans in Self.byTrace(selection, of: batch) {
                forward(spans, of: batch, to: stage, context, pending, maximumBytes: maximumBytes)
            }
        }
    }

    private func forward(
        _ spans: [UInt32], of batch: SpanBatch, to stage: Int, _ context: RecordContext,
        _ scrubbers: [any SpanScrubber], maximumBytes: Int
    ) {
        let payload = rewriter.request(batch, spans, scrubbers: scrubbers)
        if payload.count > maximumBytes, spans.count > 1 {
            for half in [spans.prefix(spans.count / 2), spans.dropFirst(spans.count / 2)] {
                forward(Array(half), of: batch, to: stage, context, scrubbers, maximumBytes: maximumBytes)
            }
            return
        }
        let first = spans.first.map { batch.heads[Int($0)].traceID } ?? TraceID(high: 0, low: 0)
        write(stage) { sink in
            try sink.write(
                SpanPayload(
                    partition: partition, offset: context.offset, timestamp: context.streamTime, traceID: first,
                    spanCount: spans.count, payload: payload))
        }
    }

    /// The spans by trace, in the order in which the traces first come.
    private static func byTrace(_ selection: [UInt32], of batch: SpanBatch) -> [[UInt32]] {
        var groups: [[UInt32]] = []
        var places: [TraceID: Int] = [:]
        for index in selection {
            let id = batch.heads[Int(index)].traceID
            if let place = places[id] {
                groups[place].append(index)
            } else {
                places[id] = groups.count
                groups.append([index])
            }
        }
        return groups
    }

    func emit(_ trace: KeptTrace, from stage: Int) {
        observer?.kept(trace, stage: stages.routes[stage]?.name ?? "")
        send(trace, from: stage)
    }

    private func send(_ trace: KeptTrace, from stage: Int) {
        for consumer in stages.routes[stage]?.traceConsumers ?? [] {
            if isObserved { observer?.reached(stages.routes[consumer]?.name ?? "", [trace.summary.traceID]) }
            if let traceStage = stages.traceStages[consumer] {
                var trace = trace
                if traceStage.process(&trace) { send(trace, from: consumer) }
            } else {
                write(consumer) { try $0.write(trace) }
            }
        }
    }

    func emit(_ dropped: DroppedTrace, from stage: Int) {
        guard let route = stages.routes[stage] else { return }
        observer?.dropped(dropped, stage: route.name)
        for consumer in route.summaryConsumers { write(consumer) { try $0.write(dropped) } }
    }

    func reject(_ record: SourceRecord, _ problem: Problem) {
        counters.received += 1
        emit(
            RejectedRecord(
                partition: partition, offset: record.offset, stage: settings.sourceName, code: problem.code,
                reason: problem.reason, timestamp: record.timestamp, key: Array(record.key),
                payload: Array(record.payload), spanCount: 1,
                configVersion: taskPlan.plan.configurationHash),
            from: taskPlan.source)
    }

    func reject(
        span index: Int, of batch: SpanBatch, _ record: SourceRecord, stage: String, from stageIndex: Int, code: String,
        reason: String
    ) {
        let payload = rewriter.request(batch, [UInt32(index)], scrubbers: [])
        emit(
            RejectedRecord(
                partition: partition, offset: record.offset, stage: stage, code: code,
                reason: "span \(index) of the record: \(reason)", timestamp: record.timestamp, key: Array(record.key),
                payload: payload, spanCount: 1, configVersion: taskPlan.plan.configurationHash),
            from: stageIndex)
    }

    private func emit(_ rejected: RejectedRecord, from stage: Int) {
        counters.rejected += UInt64(rejected.spanCount)
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .rejectedCountedTwice { counters.rejected += 1 }
        #endif
        counters.rejectedByReason[rejected.code, default: 0] += UInt64(rejected.spanCount)
        observer?.rejected(rejected)
        let consumers = stages.routes[stage]?.rejectConsumers ?? []
        for consumer in consumers { write(consumer) { try $0.write(rejected) } }
        if consumers.isEmpty {
            do { try sinks.deadLetters.write(rejected) } catch { failure = failure ?? error }
        }
    }

    private func write(_ stage: Int, _ body: (any Sink) throws -> Void) {
        guard let sink = sinks[stage] else { return }
        do { try body(sink) } catch { failure = failure ?? error }
    }
}
