import Pipeline
import Storage
import TraceModel

/// Knows every span that was produced and watches what becomes of it: the invariants I1 to I20, each checked as soon as it
/// can be.
///
/// It reads the disk itself, and what the disk would be after a power failure; of the production code it uses only the
/// decoders of manifests, epochs and segments, and holds `StoreCatalog`'s view against its own.
final class Oracle {
    unowned let world: Simulation
    let image: StoreImage
    private var catalog: StoreCatalog
    private let fileSystem: LocalFileSystem
    var deadLetters = DeadLetterImage()

    /// How often each copy is visible.
    var stored: [Int: Int] = [:]
    /// Decisions of published groups, by trace.
    var decisions: [TraceID: [DecisionRecord]] = [:]
    private(set) var accepted: Set<StoreImage.AcceptedKey> = []
    private var applied: [StoreImage.AcceptedKey: (rows: [StoreImage.Row], decisions: [DecisionRecord])] = [:]
    /// The newest entry of each partition that counts, and the manifest it is in.
    var newest: [PartitionID: TaskEntry] = [:]
    private(set) var newestManifests: [PartitionID: StoreImage.ManifestKey] = [:]
    /// Everything below was found settled.
    var settledBelow: [PartitionID: Int64] = [:]
    /// Groups by the manifest that made them visible.
    private var groups: [StoreImage.ManifestKey: CommitGroup] = [:]
    /// When what a manifest says was known, microseconds.
    var sealedAt: [StoreImage.ManifestKey: Int64] = [:]
    /// Groups at the writers, by chain.
    var underWay: [String: (group: CommitGroup, since: Int64)] = [:]
    var acknowledgedManifests: Set<StoreImage.AcceptedKey> = []
    /// The highest watermark that a worker was told is durable.
    var acknowledgedLow: [PartitionID: Int64] = [:]
    var owners: [PartitionID: [UInt64: String]] = [:]
    /// Partitions that a process let go, and has not taken again.
    var released: [String: Set<PartitionID>] = [:]
    var losses: [PartitionID: [Range<Int64>]] = [:]
    /// Copies by trace and by identity.
    private(set) var copiesOfTrace: [TraceID: [Int]] = [:]
    private(set) var copiesOfIdentity: [ProducedSpan.Identity: [Int]] = [:]
    var failingSince: [String: Int64] = [:]
    /// Copies that count as settled since they were in a store that is lost.
    var settledBefore: Set<Int> = []
    /// A store was lost: what was decided before is not known any more.
    var lostStores = 0
    /// When each log was cut last.
    var cutAt: [PartitionID: Int64] = [:]
    /// Where each log ended when it had been cut; at its last cut.
    var endAfterCut: [PartitionID: Int64] = [:]
    /// When an owner noticed last that its log was cut.
    var cutNoticedAt: [PartitionID: Int64] = [:]
    /// How often what was known of a log's offsets was given up.
    var restarts: [PartitionID: Int] = [:]
    /// Logs that were cut and filled again before anybody looked: nobody can tell.
    var unnoticed: Set<PartitionID> = []
    /// What the newest published entry that a worker was told of has seen.
    var acknowledgedHigh: [PartitionID: Int64] = [:]
    /// Files that are damaged at present.
    var damagedFiles: Set<String> = []
    /// Copies that were settled when it was whole.
    var settledBeforeDamage: Set<Int> = []
    var collectedSegments: Set<String> = []
    /// Manifests that named a segment which was gone already: of a worker that was asleep.
    var namesCollected: Set<StoreImage.ManifestKey> = []

    init(world: Simulation, fileSystem: LocalFileSystem) {
        self.world = world
        self.fileSystem = fileSystem
        image = StoreImage(disk: world.disk, fileSystem: fileSystem, partitions: world.allPartitions)
        catalog = StoreCatalog(layout: Simulation.layout, fileSystem: fileSystem)
        for span in world.workload.spans where !span.isBad {
            copiesOfTrace[span.identity.traceID, default: []].append(span.number)
            copiesOfIdentity[span.identity, default: []].append(span.number)
        }
    }

    func violated(_ invariant: Invariant, _ explanation: String) { world.violated(invariant, explanation) }

    func span(_ number: Int) -> ProducedSpan { world.workload.spans[number] }

    // MARK: - The store changes

    /// A manifest or an epoch file has appeared under its name.
    func changed(_ path: String) {
        let before = image.manifests
        if let key = image.load(path) {
            // A new owner may build on what it saw.
            if let old = before[key], old != image.manifests[key] {
                violated(.fencing, "manifest \(key.chain)/\(key.sequence) was there and is another one now")
            }
            if let (group, since) = underWay[key.chain] {
                groups[key] = group
                sealedAt[key] = since
            }
            if image.manifests[key]?.segments.contains(where: { collectedSegments.contains($0.path) }) == true {
                namesCollected.insert(key)
            }
            follow()
            checkFiles(of: key)
        } else {
            follow()
        }
    }

    /// The disk is as the power failure left it.
    func powerFailed() {
        image.reload()
        catalog = StoreCatalog(layout: Simulation.layout, fileSystem: fileSystem)
        underWay = [:]
        failingSince = [:]
        for key in acknowledgedManifests where image.manifests[key.manifest] == nil && accepted.contains(key) {
            violated(.manifestNamesWholeFiles, "manifest \(key.manifest) was acknowledged and is gone")
        }
        for (key, manifest) in image.manifests {
            for segment in manifest.segments
            where !isWhole(segment, durable: true) && !isExcused(segment, of: key) {
                violated(.manifestNamesWholeFiles, "\(segment.path) of \(key) is gone or damaged")
            }
        }
        follow()
    }

    /// Works out what counts now, and checks what is new.
    private func follow() {
        let now = image.accepted()
        let gone = accepted.subtracting(now)
        let new = now.subtracting(accepted)
        accepted = now
        for key in gone.sorted() { apply(key, -1) }
        for key in new.sorted() { apply(key, 1) }
        for partition in Set(gone.map(\.partition)) { settledBelow[partition] = nil }
        for partition in Set(gone.map(\.partition)).union(new.map(\.partition)) {
            let before = newest[partition]
            let found = newestEntry(partition)
            newest[partition] = found?.entry
            newestManifests[partition] = found?.manifest
            if gone.contains(where: { $0.partition == partition }) { continue }
            if let before, let after = newest[partition], after.low < before.low, !isVoid(partition) {
                violated(.watermark, "the watermark of \(partition) went back from \(before.low) to \(after.low)")
            }
        }
        deadLetters.refresh(world.disk)
        for key in new.sorted() { check(new: key) }
        checkCatalog()
    }

    private func newestEntry(_ partition: PartitionID) -> (entry: TaskEntry, manifest: StoreImage.ManifestKey)? {
        var newest: (entry: TaskEntry, manifest: StoreImage.ManifestKey)?
        for key in accepted where key.partition == partition {
            guard let entry = image.entry(key) else { continue }
            if let newest, (newest.entry.epoch, newest.manifest.sequence) > (entry.epoch, key.manifest.sequence) {
                continue
            }
            newest = (entry, key.manifest)
        }
        return newest
    }

    /// Adds or takes away what an entry makes visible. What it was is remembered: the files may be gone by then.
    private func apply(_ key: StoreImage.AcceptedKey, _ sign: Int) {
        let contents = applied[key] ?? (rows(of: key), decisions(of: key))
        applied[key] = sign > 0 ? contents : nil
        world.note(
            "\(sign > 0 ? "visible" : "invisible"): \(key.partition) in \(key.manifest.chain)/\(key.manifest.sequence), "
                + "epoch \(image.entry(key)?.epoch ?? 0), low \(image.entry(key)?.low ?? 0), spans "
                + "\(rows(of: key).flatMap(\.copies)), decisions "
                + "\(decisions(of: key).map { name($0.traceID) + ($0.isKept ? "+" : "-") })")
        for row in contents.rows { for copy in row.copies { stored[copy, default: 0] += sign } }
        for record in contents.decisions {
            if sign > 0 {
                decisions[record.traceID, default: []].append(record)
            } else if let index = decisions[record.traceID]?.lastIndex(of: record) {
                decisions[record.traceID]?.remove(at: index)
            }
        }
    }

    func rows(of key: StoreImage.AcceptedKey) -> [StoreImage.Row] {
        var list: [StoreImage.Row] = []
        for segment in image.manifests[key.manifest]?.segments ?? [] {
            do {
                list += try image.rows(of: segment).filter { $0.partition == key.partition }
            } catch {
                violated(.manifestNamesWholeFiles, "\(segment.path) cannot be read: \(error)")
            }
        }
        return list
    }

    func decisions(of key: StoreImage.AcceptedKey) -> [DecisionRecord] {
        guard let group = groups[key.manifest] else { return [] }
        return group.tasks.first { $0.entry.partition == key.partition }?.decisions.flatMap(\.records) ?? []
    }

    // MARK: - Readers

    /// The production reader sees what counts, no more and no less.
    private func checkCatalog() {
        do {
            var expected: Set<String> = []
            for key in accepted {
                for segment in image.manifests[key.manifest]?.segments ?? [] {
                    expected.insert("\(segment.path) \(key.partition)")
                }
            }
            var found: Set<String> = []
            for segment in try catalog.refresh() {
                for partition in segment.acceptedPartitions { found.insert("\(segment.reference.path) \(partition)") }
            }
            for path in damagedFiles where !catalog.problems.contains(where: { $0.hasPrefix(path) }) {
                violated(.manifestNamesWholeFiles, "\(path) is damaged, and a reader does not say so")
            }
            // Whose an unreadable epoch is a reader cannot know: it shows more, and says so.
            if damagedFiles.isEmpty, let surplus = found.subtracting(expected).min() {
                violated(.fencing, "a reader sees \(surplus), which no rightful owner published")
            }
            if damagedFiles.isEmpty, let missing = expected.subtracting(found).min() {
                violated(.noLoss, "a reader does not see \(missing)")
            }
        } catch {
            violated(.manifestNamesWholeFiles, "a reader cannot read the store: \(error)")
        }
    }

    /// Forgets what the reader knows, as a reader does that starts now.
    func makeReader() { catalog = StoreCatalog(layout: Simulation.layout, fileSystem: fileSystem) }

    /// The files of the store changed behind everybody's back.
    func storeChanged() {
        image.reload()
        makeReader()
        follow()
    }

    func checkReader() { checkCatalog() }

    /// As if nothing had ever been stored.
    func forgetEverything() {
        image.forget()
        stored = [:]
        decisions = [:]
        accepted = []
        applied = [:]
        newest = [:]
        newestManifests = [:]
        settledBelow = [:]
        groups = [:]
        sealedAt = [:]
        underWay = [:]
        acknowledgedManifests = []
        acknowledgedLow = [:]
        acknowledgedHigh = [:]
        owners = [:]
        released = [:]
        failingSince = [:]
        collectedSegments = []
        namesCollected = []
        damagedFiles = []
    }

    /// A manifest that a sleeper published after its segment was collected; it makes nothing visible.
    func isExcused(_ segment: SegmentReference, of key: StoreImage.ManifestKey) -> Bool {
        namesCollected.contains(key) && collectedSegments.contains(segment.path)
            && !accepted.contains { $0.manifest == key }
    }

    func isWhole(_ segment: SegmentReference, durable: Bool) -> Bool {
        let path = Simulation.layout.path(segment.path)
        guard let bytes = durable ? world.disk.durableContents(path) : world.disk.contents(path) else { return false }
        return UInt64(bytes.count) == segment.byteCount && Checksum.of(bytes) == segment.checksum
    }
}
