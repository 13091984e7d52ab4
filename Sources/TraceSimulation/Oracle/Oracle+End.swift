import Pipeline
import Storage
import TraceModel

/// Checks when all faults are over and everything has drained.
extension Oracle {
    /// Everything that was appended is done, durably.
    var isDrained: Bool {
        world.allPartitions.allSatisfy { partition in
            guard let log = world.log(partition), !log.records.isEmpty else { return true }
            if knowsOffsetsBehindEnd(log), !unnoticed.contains(partition) { return false }
            // Records that retention took before they were read again are nobody's any more.
            // A new store knows nothing of a partition without news: its owner goes on where the log says.
            let low = newest[partition]?.low ?? (lostStores > 0 ? log.committed ?? 0 : 0)
            let rest = log.firstIndex(from: max(log.start, low))
            return log.records[rest...].allSatisfy(\.isProgress)
        }
    }

    /// What is still owed, for the message.
    var debts: String {
        world.allPartitions.compactMap { partition in
            guard let log = world.log(partition), !log.records.isEmpty else { return nil }
            let low = newest[partition]?.low
            return low == log.end ? nil : "\(partition) at \(low.map(String.init) ?? "nothing") of \(log.end)"
        }.joined(separator: ", ")
    }

    /// I1, I2, I5, I14, I18: every copy is in exactly one place.
    func checkEnd() {
        deadLetters.refresh(world.disk)
        for partition in world.allPartitions {
            for record in world.log(partition)?.records ?? [] where record.isUnreadable {
                let place = DeadLetterImage.Place(
                    partition: partition.partition, offset: record.offset, span: nil)
                if !deadLetters.places.contains(place), !isLost(partition, record.offset),
                    !unnoticed.contains(partition)
                {
                    violated(.poisonRecord, "\(partition)@\(record.offset) is unreadable and in no dead letter")
                }
            }
        }
        for copy in world.workload.spans where copy.source != nil { checkEnd(of: copy) }
        if world.plan.isRepartitioned { checkWholeTraces() }
        if world.plan.isReproducible { checkAgainstReference() }
    }

    private func checkEnd(of copy: ProducedSpan) {
        if copy.isBad {
            guard let source = copy.source, !copy.isCut else { return }
            let place = DeadLetterImage.Place(
                partition: source.partition.partition, offset: source.offset, span: source.index)
            if !deadLetters.places.contains(place), !isLost(source.partition, source.offset),
                !unnoticed.contains(source.partition)
            {
                violated(.poisonRecord, "span \(describe(copy)) is bad and in no dead letter")
            }
            return
        }
        let times = stored[copy.number, default: 0]
        if times > mostTimes(copy) { violated(.noReplayDoubling, "span \(describe(copy)) is stored \(times) times") }
        if isSettled(copy) || isLost(copy) { return }
        if copy.offset < world.log(copy.partition)?.start ?? 0 {
            return violated(.lossIsReported, "span \(describe(copy)) was removed from the log, and nobody said so")
        }
        let siblings = (copiesOfTrace[copy.identity.traceID] ?? []).map(span)
        let hasSibling = siblings.contains {
            $0.identity.spanID == copy.identity.spanID && $0.identity != copy.identity
                && stored[$0.number, default: 0] > 0
        }
        violated(
            hasSibling ? .upstreamDuplicates : .noLoss,
            "span \(describe(copy)) is neither stored nor dropped"
                + (hasSibling ? "; one of another kind is stored" : ""))
    }

    /// I6 of a topic that is not keyed: a trace whose spans lie closer together than any window closes is decided whole,
    /// whoever read which partition when.
    private func checkWholeTraces() {
        let shortest = min(world.plan.window.settle, world.plan.window.idle)
        for (id, numbers) in copiesOfTrace {
            let copies = numbers.map(span).filter { $0.source != nil }
            let times = copies.compactMap { $0.source?.streamTime }
            guard let first = times.min(), let last = times.max(), last - first < shortest else { continue }
            guard let decision = decisions[id]?.first, decision.trigger != .memory else { continue }
            if Int(decision.spanCount) < copies.count {
                violated(
                    .wholeTrace,
                    "trace \(name(id)) was decided with \(decision.spanCount) of \(copies.count) spans, which came within "
                        + "\(last - first) ms")
            }
        }
    }

    /// I13: the log alone, read at once, gives the decisions that all the histories of faults gave.
    private func checkAgainstReference() {
        do {
            for partition in world.partitions {
                for record in try ReferenceRun.decisions(world, partition) {
                    guard let found = decisions[record.traceID]?.first else {
                        violated(.catchUpEquivalence, "trace \(name(record.traceID)) has no decision")
                        continue
                    }
                    if found.isKept != record.isKept || found.spanCount != record.spanCount
                        || found.decidedAt != record.decidedAt || found.trigger != record.trigger
                    {
                        violated(
                            .catchUpEquivalence,
                            "trace \(name(record.traceID)) was decided with \(found.spanCount) spans at "
                                + "\(found.decidedAt) (\(found.trigger.name)); a replay of the log decides with "
                                + "\(record.spanCount) at \(record.decidedAt) (\(record.trigger.name))")
                    }
                }
            }
        } catch {
            violated(.catchUpEquivalence, "the log cannot be replayed: \(error)")
        }
    }
}
