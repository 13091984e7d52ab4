public import Pipeline
public import Storage
public import TraceModel

/// Puts together what a store, and where there are any the workers of this process, know of a trace's decision.
///
/// Thread-safe; blocks on files.
public final class TraceExplainer: Sendable {
    private let log: DecisionLog
    private let layout: StoreLayout
    private let fileSystem: any FileSystem
    private let store: TraceStore?
    private let waiting: (@Sendable (TraceID) -> [WaitingTrace])?

    /// - Parameters:
    ///   - store: asked for traces that the decision log no longer covers; nil where the process answers no queries.
    ///   - waiting: finds traces in the windows of this process's workers; nil where it has none.
    public init(
        layout: StoreLayout, store: TraceStore?, fileSystem: any FileSystem = LocalFileSystem(),
        waiting: (@Sendable (TraceID) -> [WaitingTrace])? = nil
    ) {
        self.layout = layout
        self.fileSystem = fileSystem
        self.store = store
        self.waiting = waiting
        log = DecisionLog(layout: layout, fileSystem: fileSystem)
    }

    public func explain(_ id: TraceID) throws -> TraceExplanation {
        // Windows before the log: a trace that is decided in between is found in the log.
        let open = waiting?(id) ?? []
        let answer = try log.find(id)
        var problems = answer.coverage.problems
        var decisions = answer.entries.map { entry in decision(entry, answer.lateEntries, &problems) }
        if let stored = storedDecision(id, known: decisions, &problems) { decisions.append(stored) }
        let verdict: TraceExplanation.Verdict =
            decisions.contains { $0.decision == .keep }
            ? .keep : !decisions.isEmpty ? .drop : open.isEmpty ? .unknown : .undecided
        return TraceExplanation(
            traceID: id.hex, decision: verdict, decisions: decisions, waiting: open.map(Self.waiting),
            log: TraceExplanation.Log(
                earliestUnixMilli: answer.coverage.earliest, latestUnixMilli: answer.coverage.latest,
                decisions: answer.coverage.decisions, files: answer.coverage.files),
            askedWorkers: waiting != nil, problems: problems)
    }

    // MARK: -

    private func decision(
        _ entry: DecisionLog.Entry, _ late: [DecisionLog.LateEntry], _ problems: inout [String]
    ) -> TraceExplanation.Decision {
        let record = entry.record
        // The same sampler counts late spans of a trace in the flushes after its decision.
        let followers = late.filter { $0.partition == entry.partition && $0.sampler == entry.sampler }
        var segments: [String] = []
        if record.isKept {
            for place in [entry.place] + followers.map(\.place) {
                add(log.segments(of: place), with: record.traceID, entry.partition, to: &segments, &problems)
            }
        }
        return TraceExplanation.Decision(
            decision: record.isKept ? .keep : .drop, policy: entry.policy, policyVersion: record.policyVersion,
            probability: record.probability, wholeProbability: record.wholeProbability, outline: record.isOutline,
            trigger: record.trigger.name,
            reason: Self.reason(record, policy: entry.policy), decidedAtUnixMilli: record.decidedAt,
            sampler: entry.sampler, spans: UInt64(record.spanCount), errors: UInt64(record.errorCount),
            bytes: record.byteCount, durationNano: record.duration,
            lateSpans: followers.reduce(0) { $0 &+ UInt64($1.lateSpans.count) }, cluster: entry.partition.cluster,
            topic: entry.partition.topic, partition: entry.partition.partition,
            firstOffset: record.firstOffset < 0 ? nil : record.firstOffset,
            lastOffset: record.lastOffset < 0 ? nil : record.lastOffset,
            epoch: entry.place.epoch == 0 ? nil : entry.place.epoch, segments: segments,
            budget: Self.budget(record.detail, entry.names), sampleRate: Self.sampleRate(record.detail, entry.names),
            source: entry.place.file)
    }

    private static func budget(
        _ detail: DecisionDetail, _ names: DecisionLog.DetailNames
    ) -> TraceExplanation.Budget? {
        guard detail.kind == .budget else { return nil }
        return TraceExplanation.Budget(
            tier: names.tier ?? String(detail.tier),
            rule: detail.rule == DecisionDetail.noRule ? nil : names.rule ?? String(detail.rule), key: names.key,
            keyHash: hexadecimal(detail.key), shape: detail.shape == 0 ? nil : hexadecimal(detail.shape),
            threshold: threshold(detail.threshold), tick: detail.tick, share: detail.rate,
            oversize: detail.isOversize, dryRun: detail.isDryRun)
    }

    private static func sampleRate(
        _ detail: DecisionDetail, _ names: DecisionLog.DetailNames
    ) -> TraceExplanation.SampleRate? {
        guard detail.kind == .rate else { return nil }
        return TraceExplanation.SampleRate(
            policy: names.policy, key: names.key, keyHash: hexadecimal(detail.key), rate: detail.rate)
    }

    private static func hexadecimal(_ value: UInt64, digits: Int = 16) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// As W3C trace context writes it; 2^56, which keeps nothing, has no such form.
    private static func threshold(_ threshold: UInt64) -> String {
        if threshold >= DecisionDetail.thresholdRange { return hexadecimal(threshold) }
        var text = hexadecimal(threshold, digits: 14)
        while text.count > 1, text.last == "0" { text.removeLast() }
        return text
    }

    /// Adds those of a flush's segments that have the trace.
    private func add(
        _ references: [SegmentReference], with id: TraceID, _ partition: PartitionID, to segments: inout [String],
        _ problems: inout [String]
    ) {
        for reference in references where !segments.contains(reference.path) {
            do {
                let reader = try SegmentReader(
                    path: layout.path(reference.path), expectedByteCount: reference.byteCount, fileSystem: fileSystem)
                if try reader.rows(of: id).contains(where: { $0.partition == partition }) {
                    segments.append(reference.path)
                }
            } catch {
                problems.append("\(reference.path): \(error)")
            }
        }
    }

    /// The decision as a kept trace's segment tells it, where the log has forgotten it.
    private func storedDecision(
        _ id: TraceID, known: [TraceExplanation.Decision], _ problems: inout [String]
    ) -> TraceExplanation.Decision? {
        guard let store, !known.contains(where: { $0.decision == .keep }) else { return nil }
        let rows: [StoredRow]
        do { rows = try store.storedRows(of: id) } catch {
            problems.append("\(error)")
            return nil
        }
        guard let first = rows.first(where: { !$0.isLate }) ?? rows.first else { return nil }
        let decision = first.decision
        return TraceExplanation.Decision(
            decision: .keep, policy: decision.policy, policyVersion: decision.policyVersion,
            probability: decision.probability, outline: first.summary.leftOutSpanCount > 0,
            trigger: decision.trigger.name, reason: decision.reason,
            decidedAtUnixMilli: decision.decidedAt, sampler: "",
            spans: UInt64(first.isLate ? 0 : first.summary.totalSpanCount),
            errors: UInt64(first.summary.errorCount), bytes: UInt64(first.summary.byteCount),
            durationNano: first.summary.duration,
            lateSpans: rows.reduce(0) { $0 + ($1.isLate ? UInt64($1.summary.spanCount) : 0) },
            cluster: first.partition.cluster, topic: first.partition.topic, partition: first.partition.partition,
            firstOffset: nil, lastOffset: nil, epoch: nil, segments: Array(Set(rows.map(\.segment))).sorted(),
            budget: nil, sampleRate: nil, source: first.segment)
    }

    private static func waiting(_ waiting: WaitingTrace) -> TraceExplanation.Waiting {
        TraceExplanation.Waiting(
            sampler: waiting.sampler, cluster: waiting.partition.cluster, topic: waiting.partition.topic,
            partition: waiting.partition.partition, spans: UInt64(waiting.trace.spanCount),
            errors: UInt64(waiting.trace.errorCount), bytes: waiting.trace.byteCount, hasRoot: waiting.trace.hasRoot,
            firstSeenUnixMilli: waiting.trace.firstSeen, lastSeenUnixMilli: waiting.trace.lastSeen,
            closesAtUnixMilli: waiting.trace.closesAt, streamTimeUnixMilli: waiting.streamTime)
    }

    private static func reason(_ record: DecisionRecord, policy: String?) -> String {
        let closed =
            switch record.trigger {
            case .root: "its window closed after the root span"
            case .idle: "its window closed because no more spans came"
            case .max: "its window reached its maximum"
            case .limit: "it reached the limit of spans or bytes of a trace"
            case .memory: "it was decided early to free memory"
            case .shutdown: "it was decided at a shutdown"
            }
        let name = policy.map { "policy \"\($0)\"" } ?? "policy number \(record.policyIndex)"
        if record.isKept { return "\(name) matched; \(closed)" }
        return record.policyIndex == DecisionRecord.noPolicy
            ? "no policy matched; \(closed)" : "\(name) drops; \(closed)"
    }
}
