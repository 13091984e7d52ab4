import Pipeline
import Storage
import TraceModel

/// Checks at the moment a manifest becomes visible.
extension Oracle {
    /// I4, I19: what a manifest names is durable before the manifest is there.
    func checkFiles(of key: StoreImage.ManifestKey) {
        guard let manifest = image.manifests[key] else { return }
        for segment in manifest.segments where !isWhole(segment, durable: true) && !isExcused(segment, of: key) {
            violated(
                .manifestNamesWholeFiles, "\(segment.path) of manifest \(key.chain)/\(key.sequence) is not durable")
        }
        for entry in manifest.entries {
            for file in entry.decisionFiles {
                let path = Simulation.layout.path(file.path)
                let visible = world.disk.contents(path)?.prefix(Int(file.length))
                let durable = world.disk.durableContents(path)?.prefix(Int(file.length))
                if UInt64(durable?.count ?? 0) != file.length || durable != visible {
                    violated(
                        .manifestNamesWholeFiles,
                        "\(file.path) of manifest \(key.chain)/\(key.sequence) is not durable up to \(file.length)")
                }
            }
        }
        if let since = world.diskFullSince, let group = underWay[key.chain], group.since > since {
            violated(.fullDisk, "manifest \(key.chain)/\(key.sequence) was published on a full disk")
        }
    }

    /// Everything that can be said of a newly visible entry.
    func check(new key: StoreImage.AcceptedKey) {
        guard let entry = image.entry(key) else { return }
        for record in decisions(of: key) { check(record, entry.partition) }
        for row in rows(of: key) { check(row) }
        // An older entry that has become visible again is no news.
        guard entry == newest[entry.partition] else { return }
        checkSettled(entry)
        checkDone(entry, storedNow: rows(of: key))
        checkLag(entry)
    }

    // MARK: - Decisions and rows

    private func check(_ record: DecisionRecord, _ partition: PartitionID) {
        let all = decisions[record.traceID] ?? []
        let horizon = world.plan.window.horizon
        if isVoid(partition) { return }
        if all.contains(where: { $0 != record && abs($0.decidedAt - record.decidedAt) <= horizon })
            || all.filter({ $0 == record }).count > 1
        {
            violated(.decisionStability, "trace \(name(record.traceID)) was decided twice")
        }
        // A repartition writes some records twice, and hands them on in the order of time.
        guard all.count == 1, losses[partition] == nil, !isVoid(partition), lostStores == 0,
            !world.plan.isRepartitioned
        else { return }
        let copies = (copiesOfTrace[record.traceID] ?? []).map(span)
        let before = copies.filter { $0.offset >= 0 && $0.offset <= record.lastOffset }
        if before.count != Int(record.spanCount) {
            violated(
                .wholeTrace,
                "trace \(name(record.traceID)) was decided with \(record.spanCount) spans of \(before.count) that were "
                    + "there")
        }
        for copy in before where record.isKept && !isSettled(copy) {
            violated(.wholeTrace, "span \(copy.number) of kept trace \(name(record.traceID)) is not stored")
        }
    }

    private func check(_ row: StoreImage.Row) {
        var identities: Set<ProducedSpan.Identity> = []
        for copy in row.copies {
            guard copy >= 0, copy < world.workload.spans.count else {
                violated(.noLoss, "a stored span of trace \(name(row.traceID)) is none that was produced")
                continue
            }
            if stored[copy, default: 0] > mostTimes(span(copy)) {
                violated(.noReplayDoubling, "span \(describe(span(copy))) is stored \(stored[copy] ?? 0) times")
            }
            if !identities.insert(span(copy).identity).inserted {
                violated(.upstreamDuplicates, "span \(describe(span(copy))) is stored beside its duplicate")
            }
        }
        if isVoid(row.partition) { return }
        let all = decisions[row.traceID] ?? []
        guard all.count == 1, let decision = all.first else {
            if all.isEmpty { violated(.oneDecision, "trace \(name(row.traceID)) is stored without a decision") }
            return
        }
        if !decision.isKept {
            violated(.oneDecision, "trace \(name(row.traceID)) was dropped, and spans of it are stored")
        } else if row.policyVersion != decision.policyVersion {
            violated(.decisionStability, "spans of trace \(name(row.traceID)) follow another policy's decision")
        } else if decision.isOutline {
            checkOutline(row, decision)
        }
    }

    // MARK: - Watermark

    /// I1, I3, I15: everything below the watermark, and everything marked as done above it, has its effect.
    private func checkSettled(_ entry: TaskEntry) {
        guard let log = world.log(entry.partition), !unnoticed.contains(entry.partition) else { return }
        // Of before the log was cut.
        if log.cuts > 0, entry.high > log.end { return }
        var index = log.firstIndex(from: settledBelow[entry.partition] ?? 0)
        while index < log.records.count, log.records[index].offset < entry.high {
            let record = log.records[index]
            let done: DoneRefs.Spans? =
                record.offset < entry.low ? .all : entry.lanes.first.flatMap { $0.done.spans(of: record.offset) }
            index += 1
            if record.isUnreadable { checkDeadLetter(record.offset, nil, entry) }
            for (position, number) in record.spans.enumerated() {
                let copy = span(number)
                if copy.isBad {
                    checkDeadLetter(record.offset, UInt32(position), entry)
                } else if isOuter(entry.partition) {
                    if record.offset < entry.low, copy.instances == 0 {
                        violated(
                            .watermark,
                            "span \(describe(copy)) of \(entry.partition)@\(record.offset) is below the watermark and not "
                                + "in the internal topic")
                    }
                } else if let done, done.contains(UInt32(position)), !isSettled(copy), !isLost(copy) {
                    let place = record.offset < entry.low ? "below the watermark" : "done"
                    violated(.watermark, "span \(describe(copy)) is \(place) and not durable; low is \(entry.low)")
                }
            }
        }
        settledBelow[entry.partition] = entry.low
    }

    private func checkDeadLetter(_ offset: Int64, _ span: UInt32?, _ entry: TaskEntry) {
        if isLost(entry.partition, offset) { return }
        let place = DeadLetterImage.Place(partition: entry.partition.partition, offset: offset, span: span)
        if !deadLetters.places.contains(place) {
            violated(.poisonRecord, "\(entry.partition)@\(offset) was passed, and its dead letter is not durable")
        }
    }

    /// I2, before it happens: what is stored must not be read again.
    private func checkDone(_ entry: TaskEntry, storedNow: [StoreImage.Row]) {
        // Records are read again on purpose, or are in the log twice.
        if isVoid(entry.partition) || world.plan.isRepartitioned { return }
        for row in storedNow {
            for number in row.copies where number >= 0 && number < world.workload.spans.count {
                let copy = span(number)
                if copy.offset < entry.low { continue }
                if entry.lanes.first?.done.spans(of: copy.offset)?.contains(copy.index) != true {
                    violated(.noReplayDoubling, "span \(describe(copy)) is stored, and a restart would read it again")
                }
            }
        }
    }

    /// I8: the watermark's stream time is never older than the longest window.
    private func checkLag(_ entry: TaskEntry) {
        guard world.plan.timestamps != .wrongClocks, losses[entry.partition] == nil, entry.low < entry.high,
            !isVoid(entry.partition), !world.plan.isRepartitioned, let log = world.log(entry.partition)
        else { return }
        var atLow = Int64.min
        for record in log.records[..<min(log.records.count, log.firstIndex(from: entry.low) + 1)] {
            atLow = max(atLow, record.timestamp)
        }
        if atLow != .min, entry.streamTime - atLow > world.plan.window.max + world.plan.window.tick {
            violated(
                .boundedLag,
                "stream time of \(entry.partition) is \(entry.streamTime - atLow) ms ahead of its watermark")
        }
    }

    // MARK: - What became of a span

    /// Its effect is durable and visible.
    func isSettled(_ copy: ProducedSpan) -> Bool {
        if settledBefore.contains(copy.number) { return true }
        if stored[copy.number, default: 0] > 0 { return true }
        if decisions[copy.identity.traceID]?.contains(where: { !$0.isKept }) == true { return true }
        if isLeftOut(copy) { return true }
        return copiesOfIdentity[copy.identity]?.contains { stored[$0, default: 0] > 0 } == true
    }

    func isLost(_ copy: ProducedSpan) -> Bool {
        copy.isCut || unnoticed.contains(copy.partition) || isLost(copy.partition, copy.offset)
    }

    /// How often a copy may be visible: once for each time that it was in the log, or was read on purpose.
    func mostTimes(_ copy: ProducedSpan) -> Int {
        if unnoticed.contains(copy.partition) { return .max }
        return max(1, copy.instances) + (restarts[copy.partition] ?? 0)
    }

    func isOuter(_ partition: PartitionID) -> Bool { world.outerPartitions.contains(partition) }

    func isLost(_ partition: PartitionID, _ offset: Int64) -> Bool {
        losses[partition]?.contains { $0.contains(offset) } == true
    }

    func name(_ id: TraceID) -> String { String(id.hex.prefix(6)) }

    func describe(_ copy: ProducedSpan) -> String {
        "\(copy.number) (trace \(name(copy.identity.traceID)), \(copy.partition)@\(copy.offset).\(copy.index))"
    }
}
