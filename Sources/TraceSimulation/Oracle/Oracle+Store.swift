import Pipeline
import Storage

/// What happens to the store besides what the workers write: collection, damage, loss.
extension Oracle {
    // MARK: - Collection

    /// I4: only what nobody needs is removed.
    func removed(_ path: String, by process: SimulatedProcess) {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count == 4, !path.hasSuffix(".tmp") else { return }
        let relative = parts[1...].joined(separator: "/")
        switch parts[1] {
        case "manifests":
            world.reach(.manifestCollected)
            removedManifest(parts[2], parts[3], by: process)
        case "segments":
            world.reach(.segmentCollected)
            collectedSegments.insert(relative)
            for (key, manifest) in image.manifests where !image.collected.contains(key) {
                if manifest.segments.contains(where: { $0.path == relative }), !namesCollected.contains(key) {
                    violated(
                        .manifestNamesWholeFiles,
                        "\(process.name) removed \(relative), which manifest \(key.chain)/\(key.sequence) names")
                }
            }
        case "decisions":
            for entry in newest.values where entry.decisionFiles.contains(where: { $0.path == relative }) {
                violated(
                    .manifestNamesWholeFiles,
                    "\(process.name) removed \(relative), which the next owner of \(entry.partition) needs")
            }
        case "epochs":
            world.reach(.epochCollected)
            // A reader that starts now must see what others do.
            makeReader()
            checkReader()
        default: break
        }
    }

    private func removedManifest(_ chain: String, _ name: String, by process: SimulatedProcess) {
        guard
            let key = image.manifests.keys.first(where: {
                $0.chain == chain && FileDeliveryStore.manifestName($0.sequence) == name
            })
        else { return }
        for accepted in accepted.sorted(by: { $0.partition < $1.partition }) where accepted.manifest == key {
            if !rows(of: accepted).isEmpty {
                violated(
                    .manifestNamesWholeFiles,
                    "\(process.name) removed manifest \(chain)/\(name), which shows spans of \(accepted.partition)")
            }
            if newestManifests[accepted.partition] == key {
                violated(
                    .manifestNamesWholeFiles,
                    "\(process.name) removed manifest \(chain)/\(name), which the next owner of "
                        + "\(accepted.partition) continues")
            }
        }
        image.collect(key)
    }

    /// I4: what no manifest names gets collected. To be called when everything has drained and the grace time is over.
    func checkCollected(running: Set<String>) {
        let named = Set(image.manifests.values.flatMap { $0.segments.map(\.path) })
        for incarnation in world.disk.names(Simulation.layout.segments) where !running.contains(incarnation) {
            for name in world.disk.names(Simulation.layout.segments + "/" + incarnation) {
                let path = "segments/\(incarnation)/\(name)"
                if !named.contains(path) || name.hasSuffix(".tmp") {
                    violated(.manifestNamesWholeFiles, "\(path) is named by no manifest and was not collected")
                }
            }
        }
    }

    // MARK: - Damage

    /// A file that the next owner of a partition reads.
    func newestFile(of partition: PartitionID, isEpoch: Bool) -> String? {
        if isEpoch {
            guard let number = image.epochs[partition]?.keys.max() else { return nil }
            let directory = Simulation.layout.epochs + "/" + FileDeliveryStore.directoryName(partition) + "/"
            return world.disk.names(directory).first { UInt64($0) == number }.map { directory + $0 }
        }
        guard let key = newestManifests[partition] else { return nil }
        return Simulation.layout.manifests + "/\(key.chain)/" + FileDeliveryStore.manifestName(key.sequence)
    }

    /// The disk returns other bytes for this file, and all workers have died.
    func damaged(_ path: String) {
        damagedFiles.insert(path)
        for copy in world.workload.spans where isSettled(copy) { settledBeforeDamage.insert(copy.number) }
        for (partition, key) in newestManifests {
            let name = Simulation.layout.manifests + "/\(key.chain)/" + FileDeliveryStore.manifestName(key.sequence)
            guard name == path else { continue }
            // What it says is read from the log again, from the entry before it.
            acknowledgedLow[partition] = nil
            acknowledgedHigh[partition] = nil
            acknowledgedManifests = acknowledgedManifests.filter { $0.manifest != key }
        }
        underWay = [:]
        let before = newestManifests
        storeChanged()
        for (partition, key) in newestManifests where before[partition] != key { countsAgain(partition, key) }
    }

    /// An older entry counts again. Where it speaks of the log before a cut that a later owner had noticed, and the log has
    /// been filled again since, the next owner takes the records that are there for those it has done.
    private func countsAgain(_ partition: PartitionID, _ key: StoreImage.ManifestKey) {
        guard let log = world.log(partition), let end = endAfterCut[partition], log.end > end,
            let high = newest[partition]?.high, high > end, let known = sealedAt[key],
            let noticed = cutNoticedAt[partition], known <= noticed
        else { return }
        cutUnnoticed(partition)
    }

    func repaired() {
        damagedFiles = []
        settledBeforeDamage = []
        storeChanged()
    }

    // MARK: - Loss

    /// The store is empty: what was in it was there, and is not the new one's business.
    func storeIsLost() {
        for copy in world.workload.spans where isSettled(copy) { settledBefore.insert(copy.number) }
        // The log's offsets were told by what the store said before one of its files was damaged.
        settledBefore.formUnion(settledBeforeDamage)
        if !settledBefore.isEmpty { world.reach(.storeLost) }
        lostStores += 1
        forgetEverything()
        storeChanged()
    }

    // MARK: - Logs

    /// Offsets of a log mean other records from now on.
    func logWasCut(_ partition: PartitionID) {
        cutAt[partition] = world.scheduler.now
        endAfterCut[partition] = world.log(partition)?.end
        cutNoticedAt[partition] = nil
        settledBelow[partition] = nil
        acknowledgedLow[partition] = nil
    }

    /// Somebody would take a record that comes now for another one of before.
    func knowsOffsetsBehindEnd(_ log: PartitionLog) -> Bool {
        let partition = log.partition
        if newest[partition]?.high ?? .min > log.end || acknowledgedHigh[partition] ?? .min > log.end { return true }
        // Where the store says nothing of a partition, its next owner goes on at the group's offset.
        if newest[partition] == nil, log.committed ?? .min > log.end { return true }
        if underWay.values.contains(where: {
            $0.group.tasks.contains {
                $0.entry.partition == partition
                    && $0.entry.high > log.end && isNewestOwner($0.entry.epoch, partition)
            }
        }) {
            return true
        }
        return world.processes.contains { process in
            guard let thread = process.consumer(of: partition)?.thread(of: partition) else { return false }
            guard let task = thread.core.task(partition) ?? thread.core.comingTask(partition),
                isNewestOwner(task.epoch, partition)
            else { return false }
            return task.knownEnd > log.end || process.consumer(of: partition)?.position(of: partition) ?? 0 > log.end
        }
    }

    private func isNewestOwner(_ epoch: UInt64, _ partition: PartitionID) -> Bool {
        image.epochs[partition]?.keys.max() == epoch
    }

    /// It was filled again before anybody looked.
    func cutUnnoticed(_ partition: PartitionID) {
        world.reach(.cutUnnoticed)
        unnoticed.insert(partition)
    }

    /// I14: an owner that has read a log to its end knows nothing of offsets behind it.
    func reachedEnd(_ partition: PartitionID, _ core: WorkerCore, by process: SimulatedProcess) {
        guard let log = world.log(partition), let task = core.task(partition), !unnoticed.contains(partition) else {
            return
        }
        if task.knownEnd > log.end {
            violated(
                .lossIsReported,
                "\(process.name) takes offsets of \(partition) up to \(task.knownEnd) for read, the log ends at "
                    + "\(log.end)")
        }
    }

    /// A worker gave up what it knew of a log's offsets.
    func restartedLog(_ partition: PartitionID, _ core: WorkerCore, by process: SimulatedProcess) {
        world.reach(.logRestarted)
        cutNoticedAt[partition] = world.scheduler.now
        restarts[partition, default: 0] += 1
        acknowledgedLow[partition] = nil
        settledBelow[partition] = nil
        reachedEnd(partition, core, by: process)
    }

    /// Offsets of the partition have been used for several records, or records were read again on purpose.
    func isVoid(_ partition: PartitionID) -> Bool {
        restarts[partition] != nil || unnoticed.contains(partition) || world.log(partition)?.cuts ?? 0 > 0
    }
}
