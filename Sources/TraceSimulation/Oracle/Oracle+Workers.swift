import Pipeline
import Storage
import TraceModel

/// What the oracle hears from the simulated workers, and what it checks in them.
extension Oracle {
    // MARK: - Ownership

    /// I3, I10, I20: an epoch has one owner, who continues what was published last.
    func acquired(_ partition: PartitionID, _ restored: RestoredTask, by process: SimulatedProcess) {
        if let other = owners[partition]?[restored.epoch] {
            violated(.fencing, "\(process.name) and \(other) both own epoch \(restored.epoch) of \(partition)")
        }
        owners[partition, default: [:]][restored.epoch] = process.name
        if let parent = image.epochs[partition]?[restored.epoch]?.parent {
            let name = "\(parent.chain)/" + FileDeliveryStore.manifestName(parent.sequence)
            if world.disk.durableContents(Simulation.layout.manifests + "/" + name) == nil {
                violated(.manifestNamesWholeFiles, "\(process.name) builds on manifest \(name), which is not durable")
            }
        }
        if let path = newestFile(of: partition, isEpoch: true), damagedFiles.contains(path) {
            violated(.fencing, "\(process.name) owns \(partition), whose newest epoch cannot be read")
        }
        released[process.name]?.remove(partition)
        guard restored.entry?.low == newest[partition]?.low || hasNewerOwner(partition, restored.epoch) else {
            let last = newest[partition].map { String($0.low) } ?? "nothing"
            return violated(
                .restartCost,
                "\(process.name) continues \(partition) at \(restored.entry.map { String($0.low) } ?? "nothing"), "
                    + "published was \(last)")
        }
        if let highest = acknowledgedLow[partition], !hasNewerOwner(partition, restored.epoch), !isVoid(partition),
            restored.entry?.low ?? .min < highest
        {
            violated(.watermark, "\(process.name) continues \(partition) before its acknowledged watermark \(highest)")
        }
    }

    private func hasNewerOwner(_ partition: PartitionID, _ epoch: UInt64) -> Bool {
        (image.epochs[partition]?.keys.max() ?? 0) > epoch
    }

    /// I20: reading starts at the manifest's watermark.
    func starts(_ partition: PartitionID, at offset: Int64, _ restored: RestoredTask, by process: SimulatedProcess) {
        // A group that knows nothing starts with the first record there is: what was removed before is nobody's loss.
        if restored.startOffset == nil, world.log(partition)?.committed == nil {
            reportedLoss(partition, from: 0, to: offset)
        }
        if let entry = restored.entry, offset != entry.low {
            violated(
                .restartCost, "\(process.name) reads \(partition) from \(offset), the manifest says \(entry.low)")
        }
    }

    /// I7: a new owner knows the decisions of its predecessors: all of them, and no others.
    func restored(_ read: [DecisionRecord], of entry: TaskEntry, since oldest: Int64, by process: SimulatedProcess) {
        guard process.isAlive, !hasNewerOwner(entry.partition, entry.epoch + 1), entry == newest[entry.partition] else {
            return
        }
        var expected: [DecisionRecord] = []
        for key in accepted where key.partition == entry.partition {
            expected += decisions(of: key).filter { $0.decidedAt >= oldest }
        }
        // A successor reads what it needs of a decision, not all of it.
        let known = Set(expected.map(Remembered.init))
        let found = Set(read.map(Remembered.init))
        for record in read where !known.contains(Remembered(record)) {
            return violated(
                .decisionStability,
                "\(process.name) restored a decision on trace \(name(record.traceID)) that no rightful owner published")
        }
        for record in expected where !found.contains(Remembered(record)) {
            return violated(
                .decisionStability, "\(process.name) did not restore the decision on trace \(name(record.traceID))")
        }
    }

    private struct Remembered: Hashable {
        let traceID: TraceID
        let isKept: Bool
        let decidedAt: Int64

        init(_ record: DecisionRecord) {
            traceID = record.traceID
            isKept = record.isKept
            decidedAt = record.decidedAt
        }
    }

    // MARK: - Publishing and committing

    /// I9: what was let go is not published.
    func handedOver(_ group: CommitGroup, by process: SimulatedProcess, thread: Int) {
        underWay["\(process.name)-\(thread)"] = (group, world.scheduler.now)
        for task in group.tasks where released[process.name]?.contains(task.entry.partition) == true {
            violated(.revokedIsSilent, "\(process.name) publishes \(task.entry.partition), which it has let go")
        }
    }

    /// I4: what the store reports as published is durable.
    func acknowledged(_ entries: [TaskEntry], by process: SimulatedProcess, thread: Int) {
        let chain = "\(process.name)-\(thread)"
        guard let last = image.manifests.keys.filter({ $0.chain == chain }).max(by: { $0.sequence < $1.sequence })
        else {
            return violated(.manifestNamesWholeFiles, "\(chain) reports a manifest that is not there")
        }
        let path = Simulation.layout.manifests + "/\(chain)/" + FileDeliveryStore.manifestName(last.sequence)
        guard let bytes = world.disk.durableContents(path), let manifest = try? Manifest.decode(bytes),
            entries.allSatisfy({ manifest.entries.contains($0) })
        else {
            return violated(.manifestNamesWholeFiles, "manifest \(chain)/\(last.sequence) is reported and not durable")
        }
        for entry in entries {
            let key = StoreImage.AcceptedKey(manifest: last, partition: entry.partition)
            acknowledgedManifests.insert(key)
            acknowledgedHigh[entry.partition] = entry.high
            acknowledgedLow[entry.partition] = max(acknowledgedLow[entry.partition] ?? .min, entry.low)
            if !accepted.contains(key) {
                violated(
                    .fencing, "\(chain)/\(last.sequence) was reported for \(entry.partition) and no reader sees it")
            }
        }
    }

    /// I9: another worker owns these already: nothing of them may be handed to the writer from here on.
    func lost(_ partitions: [PartitionID], by process: SimulatedProcess) {
        released[process.name, default: []].formUnion(partitions)
    }

    func letGo(_ partitions: [PartitionID], by process: SimulatedProcess) {
        released[process.name, default: []].formUnion(partitions)
        for thread in process.threads {
            for partition in partitions where thread.core.task(partition) != nil {
                violated(.revokedIsSilent, "\(process.name) still has a task of \(partition), which it has let go")
            }
        }
    }

    /// I9: a commit is sent for partitions that the process owns.
    func commits(_ offsets: [PartitionID: CommittedOffset], by process: SimulatedProcess) {
        for partition in offsets.keys.sorted() where released[process.name]?.contains(partition) == true {
            violated(.revokedIsSilent, "\(process.name) commits \(partition), which it has let go")
        }
    }

    /// The watermarks that are published, to be asked when a commit is sent: what the store holds when it arrives says nothing
    /// of it. A file may have been damaged meanwhile, the store may be lost, or the log may have begun again.
    func publishedLows(_ partitions: some Sequence<PartitionID>) -> [PartitionID: Int64] {
        var lows: [PartitionID: Int64] = [:]
        for partition in partitions {
            lows[partition] = max(newest[partition]?.low ?? .min, acknowledgedLow[partition] ?? .min)
        }
        return lows
    }

    /// I3: the log's committed offset is never ahead of the manifest.
    ///
    /// - Parameter published: the watermarks when the commit was sent.
    func committed(_ offsets: [PartitionID: CommittedOffset], published: [PartitionID: Int64]) {
        for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            let low = published[partition] ?? .min
            if offset.offset > low {
                violated(
                    .watermark, "\(offset.offset) of \(partition) was committed, its manifest's watermark is \(low)")
            }
        }
    }

    // MARK: - Reading

    /// I14: the source does not skip records.
    func delivers(
        _ records: [PartitionLog.Record], of partition: PartitionID, at position: Int64, by process: SimulatedProcess
    ) {
        guard let log = world.log(partition), let first = records.first else { return }
        let index = log.firstIndex(from: position)
        if index < log.records.count, log.records[index].offset < first.offset {
            violated(.lossIsReported, "\(process.name) skips \(partition)@\(log.records[index].offset) without a word")
        }
    }

    func reportedLoss(_ partition: PartitionID, from: Int64, to: Int64) {
        if from != to { world.reach(.lossReported) }
        if from < to { losses[partition, default: []].append(from..<to) }
    }

    // MARK: - Inside a worker

    /// I16, I17, I19.
    func check(_ shell: WorkerShell, of process: SimulatedProcess, afterUpkeep: Bool) {
        guard process.isAlive else { return }
        let core = shell.core
        for partition in core.partitions {
            guard let task = core.task(partition) else { continue }
            let left = task.counters.imbalance(inWindow: task.openSpans)
            if left != 0 {
                violated(.ledgerEquation, "\(left) spans of \(partition) are left over in \(process.name)")
            }
            if afterUpkeep, let problem = task.lanes.first?.ledger.invariantViolation() {
                violated(.ledgerEquation, "\(partition): \(problem)")
            }
        }
        guard afterUpkeep else { return }
        let snapshot = core.snapshot
        let windows = snapshot.partitions.reduce(0) { $0 + $1.gauges.windowBytes }
        let open = snapshot.partitions.reduce(0) { $0 + $1.gauges.openTraces }
        let budget = world.plan.memoryBudget / world.plan.threads
        // While the disk refuses spans nobody is decided early: reading stops.
        let isHeldByDisk = snapshot.isPaused && snapshot.partitions.contains { $0.gauges.spillError != nil }
        if windows + snapshot.bufferedBytes > budget, open > 0, !isHeldByDisk {
            violated(
                .memoryBudget,
                "\(process.name) holds \(windows) bytes of windows and \(snapshot.bufferedBytes) of \(budget)")
        }
        checkPause(shell, process)
    }

    /// I19: while nothing can be made durable, nothing is read.
    private func checkPause(_ shell: WorkerShell, _ process: SimulatedProcess) {
        guard shell.core.snapshot.flushError != nil else { return }
        for partition in shell.core.partitions {
            guard let consumer = process.consumer(of: partition), consumer.owned.contains(partition) else { continue }
            if !consumer.isPaused(partition) {
                violated(.fullDisk, "\(process.name) cannot flush and goes on reading \(partition)")
            }
        }
    }
}
