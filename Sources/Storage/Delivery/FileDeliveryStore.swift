public import Pipeline
import Synchronization

/// The delivery protocol over files: epochs, decisions, manifests. See spec/delivery.md section 3.
///
/// The order inside `publish` is everything: segments durable, decisions durable, epochs checked, manifest renamed. Only
/// then may offsets move. Readers see only what a manifest names.
public final class FileDeliveryStore: DeliveryStore {
    private let layout: StoreLayout
    private let fileSystem: any FileSystem
    private let incarnation: String
    private let chains = Mutex<[Int: Chain]>([:])
    private let unconfirmed = Mutex<[Int: Unconfirmed]>([:])

    /// One writer's chain of manifests and its decision file.
    private struct Chain {
        var sequence: UInt64 = 0
        var previousChecksum: UInt64 = 0
        var decisionFile = 0
        var decisionLength: UInt64 = 0
        var firstDecidedAt: Int64 = .max
        var lastDecidedAt: Int64 = .min
    }

    /// A manifest whose rename was begun and not seen to succeed. Readers may have seen it: from then on it must not change,
    /// and its group must not be published under another number.
    private struct Unconfirmed {
        var directory: String
        var name: String
        var bytes: [UInt8]
        var entries: [TaskEntry]
        /// The chain as it is when the manifest is there.
        var chain: Chain
    }

    /// A decision file is closed at this size, or when it spans this much stream time (milliseconds), so that old ones can
    /// be forgotten whole.
    private static let maximumDecisionFile: UInt64 = 64 << 20
    private static let maximumDecisionSpan: Int64 = 600_000

    /// - Parameter incarnation: names this start of this process; never used before.
    public init(layout: StoreLayout, incarnation: String, fileSystem: any FileSystem = LocalFileSystem()) throws {
        self.layout = layout
        self.incarnation = incarnation
        self.fileSystem = fileSystem
        for directory in [layout.epochs, layout.manifests, layout.decisions, layout.segments] {
            try fileSystem.createDirectory(directory)
        }
    }

    public func space() -> StoreSpace? { fileSystem.space(layout.root) }

    // MARK: - Assign

    public func acquire(_ partition: PartitionID) throws -> RestoredTask {
        let directory = layout.epochs + "/" + Self.directoryName(partition)
        try fileSystem.createDirectory(directory)
        while true {
            let newest = try newestEpoch(in: directory)
            let found = try newest.map { try lastEntry(of: partition, epoch: $0) } ?? nil
            let number = (newest?.number ?? 0) + 1
            let epoch = Epoch(number: number, incarnation: incarnation, parent: found?.position)
            // Of two workers that want the same number one succeeds; the other looks again.
            if try fileSystem.createExclusively(epoch.encoded(), at: directory + "/" + Self.padded(number)) {
                return RestoredTask(epoch: number, entry: found?.entry)
            }
        }
    }

    private func newestEpoch(in directory: String) throws -> Epoch? {
        guard let name = try Self.epochNames(fileSystem.list(directory)).last else { return nil }
        do {
            return try Epoch.decode(try fileSystem.read(directory + "/" + name))
        } catch let error as StoreError {
            throw StageError("epoch file \(directory)/\(name) cannot be read: \(error)")
        }
    }

    /// The newest undamaged entry of a partition that its owner of this epoch published, or what that owner took over.
    private func lastEntry(
        of partition: PartitionID, epoch: Epoch
    ) throws -> (entry: TaskEntry, position: Epoch.ManifestPosition)? {
        for chain in try fileSystem.list(layout.manifests) where chain.hasPrefix(epoch.incarnation + "-") {
            for name in try Self.manifestNames(fileSystem.list(layout.manifests + "/" + chain)).reversed() {
                guard let manifest = readManifest(chain: chain, name: name) else { continue }
                guard let entry = manifest.entries.first(where: { $0.partition == partition }) else { continue }
                if entry.epoch != epoch.number { break }
                return (
                    entry,
                    Epoch.ManifestPosition(chain: chain, sequence: manifest.sequence, epoch: epoch.number)
                )
            }
        }
        guard let parent = epoch.parent else { return nil }
        guard let manifest = readManifest(chain: parent.chain, name: Self.manifestName(parent.sequence)),
            let entry = manifest.entries.first(where: { $0.partition == partition && $0.epoch == parent.epoch })
        else {
            throw StageError(
                "manifest \(parent.chain)/\(Self.manifestName(parent.sequence)), which \(partition) continues, "
                    + "is missing or damaged")
        }
        return (entry, parent)
    }

    /// Nil for a damaged manifest: a torn write before the rename leaves none, but disks fail.
    private func readManifest(chain: String, name: String) -> Manifest? {
        let path = layout.manifests + "/" + chain + "/" + name
        guard let bytes = try? fileSystem.read(path) else { return nil }
        return try? Manifest.decode(bytes)
    }

    public func readDecisions(
        of entry: TaskEntry, since oldest: Int64, _ body: (_ sampler: String, _ records: [DecisionRecord]) -> Void
    ) throws {
        for file in entry.decisionFiles where file.lastDecidedAt >= oldest {
            let path = layout.path(file.path)
            do {
                guard try fileSystem.size(path) >= file.length else { throw StoreError.truncated }
                let bytes = try fileSystem.read(path, from: 0, count: Int(clamping: file.length))
                guard UInt64(bytes.count) == file.length else { throw StoreError.truncated }
                try DecisionFile.read(bytes) { block in
                    guard block.partition == entry.partition else { return }
                    body(block.sampler, block.records.filter { $0.decidedAt >= oldest })
                }
            } catch {
                throw StageError("decision file \(file.path) cannot be read: \(error)")
            }
        }
    }

    // MARK: - Publish

    public func publish(_ group: CommitGroup, writer: Int) throws -> [TaskEntry] {
        var chain = chains.withLock { $0[writer] ?? Chain() }
        let name = "\(incarnation)-\(writer)"
        if let entries = try confirm(writer) { return entries }

        // 1. What readers will be pointed to.
        var segments: [SegmentReference] = []
        for flush in group.flushes { segments += try flush.perform() }

        // 2. The decisions that explain it, and that a successor follows.
        let entries = try appendDecisions(group.tasks, writer: writer, chain: &chain)

        // 3. The commit point. Entries of partitions with a newer owner are left out; the look is repeated right before the
        // rename, and what slips through even so is invisible by the new owner's epoch file.
        let directory = layout.manifests + "/" + name
        let path = directory + "/" + Self.manifestName(chain.sequence + 1)
        var owned = try entries.filter(isOwned)
        var bytes: [UInt8] = []
        while true {
            let manifest = Manifest(
                incarnation: name, sequence: chain.sequence + 1, previousChecksum: chain.previousChecksum,
                entries: owned, segments: segments)
            bytes = manifest.encoded()
            try fileSystem.writeDurably(bytes, to: path + ".tmp")
            let stillOwned = try owned.filter(isOwned)
            if stillOwned == owned { break }
            owned = stillOwned
        }
        chain.sequence += 1
        chain.previousChecksum = Checksum.of(bytes)
        let attempt = Unconfirmed(
            directory: directory, name: Self.manifestName(chain.sequence), bytes: bytes, entries: owned, chain: chain)
        unconfirmed.withLock { $0[writer] = attempt }
        try fileSystem.renameDurably(path + ".tmp", to: path)
        accept(attempt, writer: writer)
        return owned
    }

    private func accept(_ attempt: Unconfirmed, writer: Int) {
        chains.withLock { $0[writer] = attempt.chain }
        unconfirmed.withLock { $0[writer] = nil }
    }

    /// After a failed rename: the entries of the last attempt if its manifest is there all the same (the rename was done, and
    /// the sync of the directory failed), made durable now; nil if it is not.
    private func confirm(_ writer: Int) throws -> [TaskEntry]? {
        guard let attempt = unconfirmed.withLock({ $0[writer] }) else { return nil }
        guard try fileSystem.list(attempt.directory).contains(attempt.name) else {
            unconfirmed.withLock { $0[writer] = nil }
            return nil
        }
        let path = attempt.directory + "/" + attempt.name
        try fileSystem.writeDurably(attempt.bytes, to: path + ".tmp")
        try fileSystem.renameDurably(path + ".tmp", to: path)
        accept(attempt, writer: writer)
        return attempt.entries
    }

    /// Whether the entry's epoch is the partition's newest.
    private func isOwned(_ entry: TaskEntry) throws -> Bool {
        let directory = layout.epochs + "/" + Self.directoryName(entry.partition)
        return try Self.epochNames(fileSystem.list(directory)).last == Self.padded(entry.epoch)
    }

    private func appendDecisions(
        _ tasks: [CommitGroup.Task], writer: Int, chain: inout Chain
    ) throws -> [TaskEntry] {
        var bytes: [UInt8] = []
        var partitions: Set<PartitionID> = []
        if chain.decisionLength >= Self.maximumDecisionFile
            || chain.firstDecidedAt != .max && chain.lastDecidedAt - chain.firstDecidedAt > Self.maximumDecisionSpan
        {
            chain.decisionFile += 1
            chain.decisionLength = 0
            chain.firstDecidedAt = .max
            chain.lastDecidedAt = .min
        }
        for task in tasks {
            for lane in task.decisions where !lane.records.isEmpty {
                partitions.insert(task.entry.partition)
                for record in lane.records {
                    chain.firstDecidedAt = min(chain.firstDecidedAt, record.decidedAt)
                    chain.lastDecidedAt = max(chain.lastDecidedAt, record.decidedAt)
                }
                bytes += try DecisionFile.encode(
                    DecisionBlock(partition: task.entry.partition, sampler: lane.sampler, records: lane.records))
            }
        }
        let relative = "decisions/\(incarnation)/\(writer)-\(chain.decisionFile).log"
        if !bytes.isEmpty {
            // The chain's state is kept only when the whole group succeeds: a repeated group appends at the same place.
            try fileSystem.appendDurably(
                bytes, to: layout.path(relative), at: chain.decisionLength, isPrivate: false)
            chain.decisionLength += UInt64(bytes.count)
        }
        let reference = DecisionFileReference(
            path: relative, length: chain.decisionLength, lastDecidedAt: chain.lastDecidedAt)
        return tasks.map { task in
            var entry = task.entry
            if let index = entry.decisionFiles.firstIndex(where: { $0.path == relative }) {
                entry.decisionFiles[index] = reference
            } else if partitions.contains(entry.partition) {
                entry.decisionFiles.append(reference)
            }
            return entry
        }
    }

    // MARK: - Names

    /// A directory name for a partition: bytes other than letters, digits, `.`, `_` and `-` are written as %XX.
    static func directoryName(_ partition: PartitionID) -> String {
        [partition.cluster, partition.topic, String(partition.partition)].map(escaped).joined(separator: "~")
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || byte == 0x2e || byte == 0x5f || byte == 0x2d
            return isPlain
                ? String(UnicodeScalar(byte)) : "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }

    /// Zero-padded, so that the order of names is the order of numbers.
    static func padded(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }

    static func manifestName(_ sequence: UInt64) -> String { padded(sequence) + ".manifest" }

    static func manifestNames(_ names: [String]) -> [String] { names.filter { $0.hasSuffix(".manifest") } }

    /// Leaves out temporary files of an exclusive creation.
    static func epochNames(_ names: [String]) -> [String] { names.filter { !$0.contains(".") } }
}
